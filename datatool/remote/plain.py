"""Files as others keep them, at a URL: looked at and read, never written.

Unlike in a remote, names may be any, nothing says which bytes a file should have, and it may become another one at any
time: a `mark` is what its place tells of that.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, NamedTuple, Protocol

from msgspec import Struct

from datatool.errors import RemoteError
from datatool.hashing import Hasher
from datatool.model.entry import DIRECTORY, SYMLINK
from datatool.model.paths import show_bytes

PART: Final = 8 << 20
"""The most bytes that are asked for at a time."""


class Changed(RemoteError):
    """A file is gone, or another one than it was when it was looked at."""


class PlainFile(NamedTuple):
    """A file, link or empty directory; a named tuple, as there may be a million.

    `path` is raw bytes, relative to what was looked at, and empty for a single file; `kind` a letter of `model.entry`;
    `size` in bytes, None where that is not told; `mark` changes with the content, None where nothing tells of that;
    `target` is a link's text; `handle` its place's own note of where it is.
    """

    path: bytes
    kind: str
    size: int | None
    mark: str | None
    target: bytes | None = None
    handle: object = None


class Found(Struct, frozen=True, kw_only=True):
    """What lies at a URL: a single file, or a directory with all that is in it, sorted by path. `name` is what the
    URL calls it; `skipped` are paths that are neither files, links nor directories."""

    name: bytes
    directory: bool
    files: tuple[PlainFile, ...]
    skipped: tuple[bytes, ...] = ()

    @property
    def size(self) -> int | None:
        """Bytes of all files, links not counted; None where some do not tell."""
        sizes = [file.size for file in self.files if file.kind not in (SYMLINK, DIRECTORY)]
        known = [size for size in sizes if size is not None]
        return sum(known) if len(known) == len(sizes) else None

    @property
    def etag(self) -> str | None:
        """A text that is another one when the content is: a file's mark, a digest of all names, sizes and marks of a
        directory. None where too little is told."""
        if not self.directory:
            return self.files[0].mark
        hasher = Hasher()
        for file in self.files:
            if file.mark is None and file.target is None and file.size is None:
                return None
            told = (file.kind, str(file.size), file.mark or "", (file.target or b"").hex(), file.path.hex())
            hasher.update((" ".join(told) + "\n").encode())
        return str(hasher.oid)


class PlainFiles(Protocol):
    """What lies at one URL. Used by several threads at once, by no more than `lanes`."""

    @property
    def label(self) -> str:
        """What to call it in messages, without secrets."""

    @property
    def lanes(self) -> int:
        """How many may read at a time; with 1, in order."""

    def look(self) -> Found:
        """Ask what is there now. Raises PathNotFound, RemoteError and its kin, ReadFailed."""

    def read(self, file: PlainFile, start: int, length: int) -> bytes:
        """A range of a file that `look` told of, at most PART bytes; shorter only where the file ends.

        Raises Changed where it is not that file any more, RemoteBusy for what may work at the next try.
        """

    def stop(self) -> None:
        """Nobody waits for what is being read any more: end it, as far as that can be done."""


def stat_mark(size: int | None, time: float | int | None) -> str | None:
    """The mark of a file of which only size and date are told.

    >>> stat_mark(1000, 1700000000), stat_mark(1000, 1700000000.25)
    ('1000-1700000000', '1000-1700000000.25')
    """
    return None if size is None or time is None else f"{size}-{time:.6f}".rstrip("0").rstrip(".")


def changed(label: str, path: bytes) -> Changed:
    """The error for a file that changed while it was read."""
    name = f"{label}/{show_bytes(path)}" if path else label
    return Changed(f"{name}: changed while it was read", hint="run it again when nobody writes there", path=name)


def sorted_files(files: Iterable[PlainFile]) -> tuple[PlainFile, ...]:
    """In order of their paths."""
    return tuple(sorted(files, key=lambda file: file.path))
