"""A directory as it is now, each file with the hash remembered for it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple

from datatool.index.state import MASK, RawRow, Stamp
from datatool.localfs.walk import Found
from datatool.model.oid import ObjectId


class Seen(NamedTuple):
    """One path in the workspace. `oid` is None for a file whose hash isn't known, and for what is no file."""

    found: Found
    stamp: Stamp
    oid: ObjectId | None


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
    for each in found:
        item = each
        if item.kind == "l" and follow is not None:
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
        while row is not None and row[0][skip:] < path:
            row = next(rows, None)
        if row is not None and row[1:7] == stamp and kind == "f" and row[0][skip:] == path:
            yield Seen(item, stamp, row[7].hex())  # type: ignore[arg-type]  # 32 bytes from our own table
        else:
            yield Seen(item, stamp, None)
