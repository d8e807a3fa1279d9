"""The clock of a filesystem: what time it would give a file that is written now.

Times are only ever compared with times of the same filesystem, never with this process's clock: a file server
may be minutes off, and a kernel's file times lag up to a tick behind (formats §4).
"""

from __future__ import annotations

import os
from pathlib import Path

from datatool.localfs.temps import new_temp

FINE = 20_000_000
"""Nanoseconds: where times have sub-second digits, two changes this far apart differ in their times."""

COARSE = 2_000_000_000
"""The same where times are whole seconds, or, on FAT, every other second."""

_known: dict[int, int] = {}


def granularity(directory: Path) -> int:
    """Nanoseconds after which a change is sure to give another time, on the filesystem of `directory`.

    Raises OSError where nothing can be written there.
    """
    device = os.stat(directory).st_dev
    found = _known.get(device)
    if found is None:
        found = _known[device] = of_times(scratch_stat(directory).st_mtime_ns)
    return found


def of_times(mtime_ns: int) -> int:
    """The same, judged by one time that the filesystem gave."""
    return FINE if mtime_ns % 1_000_000_000 else COARSE


def scratch_time(directory: Path) -> int:
    """Now, in ns, by the filesystem of `directory`, from a file that is made there and deleted. Raises OSError."""
    return scratch_stat(directory).st_mtime_ns


def scratch_stat(directory: Path) -> os.stat_result:
    """What the filesystem says of a file made now."""
    fd, path = new_temp(directory)
    try:
        return os.fstat(fd)
    finally:
        os.close(fd)
        os.unlink(path)
