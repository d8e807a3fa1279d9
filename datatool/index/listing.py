"""A directory as it is now, each file with the hash remembered for it; and a mark by which it is known again."""

from __future__ import annotations

import marshal
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from hashlib import blake2b
from typing import Final, NamedTuple, cast

from datatool.index.state import MASK, RawRow, Stamp
from datatool.localfs.walk import Found
from datatool.model.oid import ObjectId

_TOGETHER: Final = 1024
"""Rows that are hashed at once."""


class Seen(NamedTuple):
    """One path in the workspace. `oid` is None for a file whose hash isn't known, and for what is no file."""

    found: Found
    stamp: Stamp
    oid: ObjectId | None


_make_seen = cast("Callable[[tuple[object, ...]], Seen]", partial(tuple.__new__, Seen))


class Mark:
    """A digest of all that a walk saw: paths, kinds, targets of links, stamps. As long as it stays the same, every
    remembered hash holds that held before, and with them the tree that they make."""

    def __init__(self) -> None:
        self.known = True
        """Whether the hash of every file is remembered; to be unset by who knows better."""
        self._hash = blake2b(digest_size=32)
        self._rows: list[tuple[object, ...]] = []

    def saw(self, found: Found, stamp: Stamp) -> None:
        """Take in one path."""
        self._rows.append((found.path, found.kind, found.target, *stamp))
        if len(self._rows) >= _TOGETHER:
            self._take_in()

    def saw_all(self, run: Iterable[Found]) -> None:
        """Take in many, with the stamps that their lstat gives."""
        self._rows += [
            (path, kind, target, at.st_size, at.st_mtime_ns, at.st_ctime_ns, at.st_dev, at.st_ino, at.st_mode)
            for path, at, kind, target in run
        ]
        if len(self._rows) >= _TOGETHER:
            self._take_in()

    def finish(self) -> bytes:
        """The digest, 32 bytes."""
        self._take_in(1)
        return self._hash.digest()

    def _take_in(self, least: int = _TOGETHER) -> None:
        while len(self._rows) >= least:
            # So many at a time, however they came; version 2 has no references between objects: what is hashed
            # depends on the rows and on nothing else.
            self._hash.update(marshal.dumps(self._rows[:_TOGETHER], 2))
            del self._rows[:_TOGETHER]


def recall(
    found: Iterator[Found],
    rows: Iterator[RawRow],
    prefix: bytes,
    *,
    follow: Callable[[Found], Found | None] | None = None,
) -> Iterator[Seen]:
    """Join a sorted walk with the sorted rows remembered for it (their paths start with `prefix`).

    A hash holds only while size, times, device, inode and mode are all what they were (formats §4). `follow` says what
    a symlink stands for, None for nothing. Written out in one loop: it runs for every file of every command.
    """
    skip = len(prefix)
    row = next(rows, None)
    path_then = b"" if row is None else row[0][skip:]
    for each in found:
        item = each
        if item[2] == "l" and follow is not None:
            followed = follow(item)
            if followed is None:
                continue
            item = followed
        path, stat, kind, _ = item
        stamp = (
            stat.st_size,
            stat.st_mtime_ns & MASK,
            stat.st_ctime_ns & MASK,
            stat.st_dev & MASK,
            stat.st_ino & MASK,
            stat.st_mode,
        )
        while row is not None and path_then < path:
            row = next(rows, None)
            path_then = b"" if row is None else row[0][skip:]
        if row is not None and path_then == path and row[1:7] == stamp and kind == "f":
            yield _make_seen((item, stamp, row[7].hex()))  # 32 bytes from our own table
        else:
            yield _make_seen((item, stamp, None))
