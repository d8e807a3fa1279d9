"""Adding to a file in one piece."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import Final

from datatool.localfs.atomic import local_error, write_all

_APPEND = (
    os.O_WRONLY | os.O_APPEND | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0)
)
SECTOR: Final = 512
"""Bytes that a disk writes whole or not at all."""


def append(path: Path, data: bytes, *, create: bool = False) -> None:
    """Put `data` at the end of a file, in one piece: what others add at the same moment comes before or after it. One
    that is not there is an error, unless it may be made. Raises LocalError."""
    try:
        fd = os.open(path, _APPEND | (os.O_CREAT if create else 0), 0o600)
        try:
            write_all(fd, data)
        finally:
            os.close(fd)
    except OSError as error:
        raise local_error(error, path, len(data)) from error


def append_whole(path: Path | str, data: bytes, *, after: int) -> bool:
    """Put `data` at the end of a file that is `after` bytes long; False, with nothing done, where that might be torn.

    The system copies a few bytes into one sector of a file in one step: a kill comes before or after it. A rename costs
    a hundred times more, as ext4 and others write a file out before they let it replace another one. Not done where the
    file is not what the caller saw, or has a second name. Raises LocalError.
    """
    if not data or after // SECTOR != (after + len(data) - 1) // SECTOR:
        return False
    try:
        fd = os.open(path, _APPEND)
    except OSError:
        return False
    try:
        found = os.fstat(fd)
        if found.st_size != after or found.st_nlink != 1 or not stat.S_ISREG(found.st_mode):
            return False
        if os.write(fd, data) == len(data):
            return True
        os.ftruncate(fd, after)  # a limit to the size of files (`ulimit -f`) lies within
        return False
    except OSError as error:
        raise local_error(error, path, len(data)) from error
    finally:
        os.close(fd)
