"""Where a directory in memory lies, for tests that need no disk."""

from __future__ import annotations

import os
import shutil

DIRECTORY = "/dev/shm"
NEEDED = 8 << 30
"""What all workers may have there at a time, with room to spare; the largest files of tests lie on the disk."""


def has_room() -> bool:
    """Whether there is such a directory, programs may be started in it, and neither it nor the memory is too small."""
    try:
        flags, free = os.statvfs(DIRECTORY).f_flag, shutil.disk_usage(DIRECTORY).free
        memory = _available()
    except (OSError, AttributeError):  # another system
        return False
    return os.access(DIRECTORY, os.W_OK) and not flags & os.ST_NOEXEC and min(free, memory) >= NEEDED


def _available() -> int:
    with open("/proc/meminfo", encoding="ascii") as file:
        fields = dict(line.split(":") for line in file)
    return int(fields["MemAvailable"].split()[0]) << 10
