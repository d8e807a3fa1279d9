"""What a tree knows of one path."""

from __future__ import annotations

from typing import Final, NamedTuple

from datatool.model.oid import ObjectId

FILE: Final = "f"
EXECUTABLE: Final = "x"
SYMLINK: Final = "l"
DIRECTORY: Final = "d"


class Entry(NamedTuple):
    """One line of a tree. A named tuple: trees have millions, and a dataclass is 3 × dearer to make.

    `kind` is one of FILE, EXECUTABLE, SYMLINK, DIRECTORY (an empty one); `path` is raw bytes, relative
    to the tree, `/` between names; `size` is the length in bytes (of the target, for a symlink; 0 for
    a directory); `oid` is set for files only, `target` (raw bytes) for symlinks only.
    """

    kind: str
    path: bytes
    oid: ObjectId | None
    size: int
    target: bytes | None = None

    @property
    def is_file(self) -> bool:
        """Whether there is an object behind this entry."""
        return self.oid is not None


def sort_key(entry: Entry) -> bytes:
    """Trees are ordered by raw bytes of the full path, an empty directory's counting with `/` appended."""
    return entry.path + b"/" if entry.kind == DIRECTORY else entry.path
