"""What became ours of somebody else's project, as `migrate` tells it."""

from __future__ import annotations

from dataclasses import dataclass

from msgspec import Struct, field

from datatool.errors import DatatoolError
from datatool.model.pointer import ArtifactKind
from datatool.operations.result import Part, fields_of
from datatool.registry.offer import Origin


@dataclass(frozen=True, kw_only=True, slots=True)
class Migrated(Part):
    """One artifact that is ours now, or would be: `oid` is None where that takes a real run to know.

    `origin` is who kept it, `replaces` the file of git's that said so.
    """

    path: str
    pointer: str
    replaces: str
    origin: Origin
    kind: ArtifactKind
    oid: str | None
    size: int | None
    files: int | None

    @property
    def from_(self) -> Origin:
        """What `--json` calls `from`, which is a word of Python's own."""
        return self.origin

    def to_dict(self) -> dict[str, object]:
        """As `--json` prints it."""
        return {"from": str(self.origin), **fields_of(self, "origin")}


class Done(Struct):
    """What a run has come to so far: `removed` are files that git's index no longer has."""

    artifacts: list[Migrated] = field(default_factory=list)
    failed: list[tuple[str, DatatoolError]] = field(default_factory=list)
    removed: list[bytes] = field(default_factory=list)
    staged: set[str] = field(default_factory=set)

    def add(self, other: Done) -> None:
        """Count what another part has come to."""
        self.artifacts += other.artifacts
        self.failed += other.failed
        self.removed += other.removed
        self.staged |= other.staged
