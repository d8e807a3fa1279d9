"""A file that is being downloaded, kept when the download breaks off, so that the next attempt can go on with it.

What is in it is never trusted: whoever completes it hashes all of it before it gets another name. Which pieces of it
were written is noted beside it, 16 bytes for each, as a file may be written at several places at once. A kill leaves
nothing noted that was not written.
"""

from __future__ import annotations

import os
import struct
import sys
from contextlib import suppress
from pathlib import Path

from datatool.localfs.atomic import write_all
from datatool.localfs.stretches import merged
from datatool.localfs.temps import clock, temp_name

if sys.platform != "win32":
    import fcntl

SUFFIX = ".part"
NOTES = ".notes"
KEPT = 7 * 24 * 3600 * 1_000_000_000
"""Nanoseconds for which nobody need go on with a partial file before it is deleted."""

_OPEN = os.O_RDWR | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_CLOEXEC", 0)


_PIECE = struct.Struct("<QQ")


class Partial:
    """A partial file, open and locked: no other process writes into it."""

    def __init__(self, fd: int, path: Path) -> None:
        self.fd = fd
        self.size = os.fstat(fd).st_size
        """Bytes that an earlier attempt left."""
        self._path = path
        self._notes_path = path.with_suffix(NOTES)
        new = 0 if self.size else os.O_TRUNC
        self._notes = os.open(self._notes_path, _OPEN | os.O_APPEND | new, 0o600)

    def note(self, start: int, end: int) -> None:
        """Remember that these bytes were written; none at all (`start` is `end`), that the file was cut there. Any
        thread may."""
        write_all(self._notes, _PIECE.pack(start, end))

    def noted(self) -> list[tuple[int, int]]:
        """The stretches that were written, in order, none touching another."""
        size = os.fstat(self._notes).st_size
        data = os.pread(self._notes, size - size % _PIECE.size, 0)
        pieces: list[tuple[int, int]] = []
        for start, end in _PIECE.iter_unpack(data):
            if start == end:
                pieces = [(begin, min(stop, end)) for begin, stop in pieces]
            else:
                pieces.append((start, end))
        return merged((start, min(end, self.size)) for start, end in pieces)

    def keep(self) -> None:
        """Leave it for the next attempt."""
        os.close(self._notes)
        os.close(self.fd)

    def discard(self) -> None:
        """Delete it: what is in it is wrong, or not wanted."""
        self._forget_notes()
        with suppress(FileNotFoundError):
            os.unlink(self._path)
        os.close(self.fd)

    def _forget_notes(self) -> None:
        os.close(self._notes)
        with suppress(FileNotFoundError):
            os.unlink(self._notes_path)

    def take(self) -> tuple[int, bytes]:
        """It is complete: an ordinary temporary file from now on; its descriptor, and its name in its directory.

        Renamed while it is locked, since whoever gets the lock next may write into what still has the name.
        """
        self._forget_notes()
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
        now = clock(directory)
    except OSError:
        return
    for name in names:
        with suppress(OSError):
            if now - os.lstat(directory / name).st_mtime_ns > KEPT:
                partial = open_partial(directory, name.removesuffix(SUFFIX))
                if partial is not None:
                    partial.discard()
