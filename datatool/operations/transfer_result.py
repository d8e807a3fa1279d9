"""What push and fetch tell of their work."""

from __future__ import annotations

from dataclasses import dataclass

from datatool.operations.failures import Failure


@dataclass(frozen=True, kw_only=True, slots=True)
class Transferred:
    """One artifact; `error` says why it is not (wholly) there, and `at_source` that it failed at the place that it was
    imported from. It may also stay on the machine that has it (`push: false`), which is no error."""

    path: str
    ok: bool
    error: Failure | None = None
    stays: bool = False
    at_source: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class TransferResult:
    """`objects` were sent or received, in `bytes` over the store interface; `skipped_objects` were there already;
    `requests` counts store operations of either direction."""

    remote: str
    artifacts: tuple[Transferred, ...]
    objects: int
    bytes: int
    skipped_objects: int
    requests: int
    dry_run: bool = False


@dataclass(slots=True)
class Totals:
    """The figures of a transfer under way, summed over remotes."""

    objects: int = 0
    bytes: int = 0
    skipped: int = 0
    requests: int = 0
