"""A file that is being downloaded, kept when the download breaks off, so that the next attempt can go on with it.

What is in it is never trusted: whoever completes it hashes all of it before it gets another name.
"""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from pathlib import Path

from datatool.localfs.temps import new_temp, temp_name

if sys.platform != "win32":
    import fcntl

SUFFIX = ".part"
KEPT = 7 * 24 * 3600 * 1_000_000_000
"""Nanoseconds for which nobody need go on with a partial file before it is deleted."""

_OPEN = os.O_RDWR | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_CLOEXEC", 0)


class Partial:
    """A partial file, open and locked: no other process writes into it."""

    def __init__(self, fd: int, path: Path) -> None:
        self.fd = fd
        self.size = os.fstat(fd).st_size
        """Bytes that an earlier attempt left."""
        self._path = path

    def keep(self) -> None:
        """Leave it for the next attempt."""
        os.close(self.fd)

    def discard(self) -> None:
        """Delete it: what is in it is wrong, or not wanted."""
        with suppress(FileNotFoundError):
            os.unlink(self._path)
        os.close(self.fd)

    def take(self) -> tuple[int, bytes]:
        """It is complete: an ordinary temporary file from now on; its descriptor, and its name in its directory.

        Renamed while it is locked, since whoever gets the lock next may write into what still has the name.
        """
        name = temp_name()
        os.rename(self._path, self._path.parent / os.fsdecode(name))
        return self.fd, name


def open_partial(directory: Path, name: str) -> Partial | None:
    """Open the partial file of that name, new or from an earlier attempt; None where another process works on it, or
    where files can't be locked. Raises OSError."""
    if sys.platform == "win32":
        return None
    path = directory / (name + SUFFIX)
    fd = os.open(path, _OPEN, 0o600)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        here, there = os.fstat(fd), os.lstat(path)
        if (here.st_dev, here.st_ino) == (there.st_dev, there.st_ino):
            return Partial(fd, path)
    except OSError:  # another process has it, or has just finished it
        os.close(fd)
        return None
    os.close(fd)
    return None


def sweep_partials(directory: Path) -> None:
    """Delete partial files in a directory that nobody has gone on with for a week, by the filesystem's clock."""
    try:
        names = [name for name in os.listdir(directory) if name.endswith(SUFFIX)]
        if not names:
            return
        fd, scratch = new_temp(directory)
        try:
            now = os.fstat(fd).st_mtime_ns
        finally:
            os.close(fd)
            os.unlink(scratch)
    except OSError:
        return
    for name in names:
        with suppress(OSError):
            if now - os.lstat(directory / name).st_mtime_ns > KEPT:
                partial = open_partial(directory, name.removesuffix(SUFFIX))
                if partial is not None:
                    partial.discard()
