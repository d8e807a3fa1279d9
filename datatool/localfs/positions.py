"""Reading and writing an open file at a position, from several threads at once."""

from __future__ import annotations

import os
import threading

_HAS_POSITIONS = hasattr(os, "pwrite") and hasattr(os, "pread")
_seeking = threading.Lock()
"""Where the system can't do it in one step, one at a time moves a position and uses it."""


def read_at(fd: int, length: int, start: int) -> bytes:
    """The `length` bytes from `start` on; fewer only where the file ends."""
    data = _read(fd, length, start)
    if len(data) == length or not data:
        return data
    parts = [data]
    got = len(data)
    while got < length and (more := _read(fd, length - got, start + got)):
        parts.append(more)
        got += len(more)
    return b"".join(parts)


def write_at(fd: int, data: bytes | memoryview, start: int) -> None:
    """Write all of `data` from `start` on."""
    view = memoryview(data)
    while view:
        written = _write(fd, view, start)
        view, start = view[written:], start + written


def cut(fd: int, size: int) -> None:
    """Cut an open file to its first `size` bytes."""
    os.ftruncate(fd, size)
    os.lseek(fd, 0, os.SEEK_SET)


def _write(fd: int, view: memoryview, start: int) -> int:
    if _HAS_POSITIONS:
        return os.pwrite(fd, view, start)
    with _seeking:
        os.lseek(fd, start, os.SEEK_SET)
        return os.write(fd, view)


def _read(fd: int, length: int, start: int) -> bytes:
    if _HAS_POSITIONS:
        return os.pread(fd, length, start)
    with _seeking:
        os.lseek(fd, start, os.SEEK_SET)
        return os.read(fd, length)
