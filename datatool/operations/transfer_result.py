"""What push and fetch tell of their work."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from msgspec import Struct

from datatool.operations.failures import Failure
from datatool.operations.result import Part, Result, fields_of


@dataclass(frozen=True, kw_only=True, slots=True)
class Transferred(Part):
    """One artifact; `error` says why it is not (wholly) there, and `at_source` that it failed at the place that it was
    imported from. It may also stay on the machine that has it (`push: false`), which is no error. `rev` is the commit
    of a version that failed and is not the work tree's."""

    path: str
    ok: bool
    error: Failure | None = None
    stays: bool = False
    at_source: bool = False
    rev: str | None = None

    def to_dict(self) -> dict[str, object]:
        """As `--json` prints it."""
        shown = fields_of(self, "stays", "at_source", "rev")
        return shown if self.rev is None else {**shown, "rev": self.rev}


def only_sources_failed(artifacts: Sequence[Transferred]) -> bool:
    """Whether some artifacts are there, and those that are not failed where they were imported from: this is partly
    done, the first time as well as when it is run again."""
    return any(item.ok for item in artifacts) and all(item.at_source for item in artifacts if item.error)


@dataclass(frozen=True, kw_only=True, slots=True)
class TransferResult(Result):
    """`objects` were sent or received, in `bytes` over the store interface; `skipped_objects` were there already;
    `requests` counts store operations of either direction."""

    remote: str
    artifacts: tuple[Transferred, ...]
    objects: int
    bytes: int
    skipped_objects: int
    requests: int
    dry_run: bool = False

    @property
    def problems(self) -> tuple[Failure, ...]:
        """What failed while the rest went on."""
        return tuple(item.error for item in self.artifacts if item.error)

    @property
    def finished(self) -> bool:
        """Whether an artifact came that was not here, or only sources of imports failed."""
        came = self.objects > 0 and any(item.ok for item in self.artifacts)
        return came or only_sources_failed(self.artifacts)


NOTHING_SENT: Final = TransferResult(remote="", artifacts=(), objects=0, bytes=0, skipped_objects=0, requests=0)
"""Of what needed no transfer."""


@dataclass(frozen=True, kw_only=True, slots=True)
class SentTo(Part):
    """How a push went at one remote; `failures` are what is not (wholly) there, each once."""

    name: str
    ok: bool
    failures: tuple[Failure, ...] = ()

    @classmethod
    def of(cls, name: str, errors: Iterable[Failure | None]) -> SentTo:
        """What the errors of artifacts come to."""
        failures = tuple(dict.fromkeys(error for error in errors if error is not None))
        return cls(name=name, ok=not failures, failures=failures)


@dataclass(frozen=True, kw_only=True, slots=True)
class Sent(TransferResult):
    """What push did: each object that was sent stays there. `remotes` tells how it went at each: an artifact is `ok`
    where all of its remotes have it."""

    remotes: tuple[SentTo, ...] = ()
    _places: Mapping[str, tuple[Failure | None, ...]] = field(default_factory=dict, repr=False)

    @property
    def places(self) -> Mapping[str, tuple[Failure | None, ...]]:
        """For each remote what became of each artifact there: the terminal counts them."""
        return self._places

    def to_dict(self) -> dict[str, object]:
        """As `--json` prints it."""
        return fields_of(self, "_places")

    @property
    def finished(self) -> bool:
        """Whether anything was sent."""
        return self.objects > 0


class Totals(Struct):
    """The figures of a transfer under way, summed over remotes."""

    objects: int = 0
    bytes: int = 0
    skipped: int = 0
    requests: int = 0
