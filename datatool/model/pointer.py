"""A pointer: this path has this content, and perhaps came from there."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from msgspec import Struct

from datatool.model.oid import ObjectId


class ArtifactKind(StrEnum):
    """What an artifact is."""

    FILE = "file"
    DIRECTORY = "directory"


class Role(StrEnum):
    """A label that says what part an artifact plays."""

    SOURCE = "source"
    INTERMEDIATE = "intermediate"
    RESULT = "result"
    CODE = "code"


@dataclass(frozen=True, kw_only=True, slots=True)
class Source:
    """Where a pointer's content came from, when it was not simply added (formats §2); every field as written."""

    repo: str | None = None
    path: str | None = None
    rev: str | None = None
    commit: str | None = None
    origin: str | None = None
    url: str | None = None
    etag: str | None = None
    query: str | None = None
    connection: str | None = None
    run: str | None = None

    def told(self) -> dict[str, str | None]:
        """What results tell of where an import came from."""
        return {name: getattr(self, name) for name in ("repo", "path", "rev", "commit", "origin", "url", "etag")}


class Pointer(Struct, frozen=True, kw_only=True):
    """The content of a `*.dt` file. `size` is in bytes (a directory's sum), `files` a directory's count of
    files and links; `oid` is None only for an import whose data was never downloaded."""

    kind: ArtifactKind
    oid: ObjectId | None
    size: int | None = None
    files: int | None = None
    executable: bool = False
    description: str | None = None
    labels: tuple[str, ...] = ()
    role: Role | None = None
    remote: str | None = None
    push: bool = True
    meta: tuple[tuple[str, str], ...] = ()
    source: Source | None = None
