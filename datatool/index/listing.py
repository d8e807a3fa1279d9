"""A directory as it is now, each file with the hash remembered for it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from datatool.index.state import Row, Stamp, stamp_of
from datatool.localfs.walk import Found
from datatool.model.oid import ObjectId


class Seen(NamedTuple):
    """One path in the workspace. `oid` is None for a file whose hash isn't known, and for what is no file."""

    found: Found
    stamp: Stamp
    oid: ObjectId | None


def recall(found: Iterator[Found], rows: Iterator[Row], prefix: bytes) -> Iterator[Seen]:
    """Join a sorted walk with the sorted rows remembered for it (their paths start with `prefix`).

    A hash holds only while size, times, device, inode and mode are all what they were (formats §4).
    """
    skip = len(prefix)
    row = next(rows, None)
    for item in found:
        stat = item.stat
        stamp = stamp_of(stat)
        path = item.path
        while row is not None and row[0][skip:] < path:
            row = next(rows, None)
        if row is not None and row[1] == stamp and row[0][skip:] == path and item.kind == "f":
            yield Seen(item, stamp, ObjectId(row[2].hex()))
        else:
            yield Seen(item, stamp, None)
