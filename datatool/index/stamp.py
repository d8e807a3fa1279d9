"""What must be equal for a remembered hash to hold: one lstat of a file, as bytes that are compared and stored.

A stamp is made for every file of every command, and read for every file that is remembered; six numbers of their own
cost twice the time.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from struct import Struct, error
from typing import Final, NewType, cast

from datatool.localfs.walk import Found

Stamp = NewType("Stamp", bytes)
"""48 bytes: size, mtime_ns, ctime_ns, dev, ino, mode, each a little-endian signed 64-bit number."""

_FORM: Final = Struct("<6q")
_LIMIT: Final = 1 << 63
STAMP_SIZE: Final = _FORM.size


def stamp_of(at: os.stat_result) -> Stamp:
    """The stamp of one file."""
    return stamp_many([at])[0]


def stamps_of(found: Iterable[Found]) -> list[Stamp]:
    """Those of all that was found."""
    return stamp_many([at for _, at, _, _ in found])


def stamp_many(stats: Sequence[os.stat_result]) -> list[Stamp]:
    """The stamps of many files."""
    pack = _FORM.pack
    try:
        packed = [pack(at.st_size, at.st_mtime_ns, at.st_ctime_ns, at.st_dev, at.st_ino, at.st_mode) for at in stats]
    except error:  # inodes, devices, and times of years to come may be larger
        packed = [
            pack(*map(_cut, (at.st_size, at.st_mtime_ns, at.st_ctime_ns, at.st_dev, at.st_ino, at.st_mode)))
            for at in stats
        ]
    return cast("list[Stamp]", packed)


def _cut(value: int) -> int:
    return value if -_LIMIT <= value < _LIMIT else value & (_LIMIT - 1)


def size_in(stamp: Stamp) -> int:
    """The size of the file."""
    size, *_ = _FORM.unpack(stamp)
    return int(size)


def changed_in(stamp: Stamp) -> int:
    """When the file last changed in any way: its ctime in ns."""
    _, _, changed, *_ = _FORM.unpack(stamp)
    return int(changed)
