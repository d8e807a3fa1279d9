"""Calls of the C library that Python has no name for; only where they are needed, as loading ctypes costs 10 ms."""

from __future__ import annotations

import errno
import os
import sys
from functools import cache
from typing import Any

from datatool.forks import load_module

if sys.platform == "darwin":
    import fcntl


def can_sync_filesystem() -> bool:
    """Whether one call makes everything written so far durable, and says so when that fails (Linux 5.8 on)."""
    if not sys.platform.startswith("linux"):
        return False
    release = os.uname().release.split(".")
    try:
        return (int(release[0]), int("".join(filter(str.isdigit, release[1][:3])))) >= (5, 8)
    except (IndexError, ValueError):
        return False


def sync_filesystem(fd: int) -> bool:
    """Make everything written to the filesystem of an open file durable; False where that call is not to be had."""
    libc = _libc()
    if libc is None:
        return False
    if libc.syncfs(fd) == 0:
        return True
    error = _ctypes().get_errno()
    if error in _NOT_THERE:
        return False
    raise OSError(error, os.strerror(error))


def full_sync(fd: int) -> None:
    """Where fsync leaves bytes in the disk's own memory (macOS), have the disk write them down; else a plain fsync."""
    if sys.platform == "darwin":
        try:
            fcntl.fcntl(fd, fcntl.F_FULLFSYNC)
            return
        except OSError:
            pass  # a network mount that has no such thing
    os.fsync(fd)


def rename_new(source: bytes, target: bytes, fd: int | None, to_fd: int | None) -> bool | None:
    """Rename unless the new name is taken: True if done, False if taken, None where no call does both at once.

    `fd` and `to_fd` are open directories that the names are relative to. Raises OSError for other failures.
    """
    if os.name == "nt":
        try:
            os.rename(source, target)
        except FileExistsError:
            return False
        return True
    libc = _libc()
    if libc is None or not hasattr(libc, "renameat2"):
        return None
    if libc.renameat2(_at(fd), source, _at(to_fd), target, _NOREPLACE) == 0:
        return True
    error = _ctypes().get_errno()
    if error == errno.EEXIST:
        return False
    if error in (*_NOT_THERE, errno.EINVAL):
        return None
    raise OSError(error, os.strerror(error))


_RENAME = ("c_int", "c_char_p", "c_int", "c_char_p", "c_uint")
_NOREPLACE = 1  # linux/fs.h
_NOT_THERE = (errno.EPERM, errno.ENOSYS)  # a sandbox that doesn't know the call


def _at(fd: int | None) -> int:
    return -100 if fd is None else fd  # AT_FDCWD


@cache
def _ctypes() -> Any:
    return load_module("ctypes")


@cache
def _libc() -> Any:
    if not sys.platform.startswith("linux"):
        return None
    try:
        libc = _ctypes().CDLL(None, use_errno=True)
        libc.syncfs.argtypes = [_ctypes().c_int]
        if hasattr(libc, "renameat2"):
            libc.renameat2.argtypes = [getattr(_ctypes(), kind) for kind in _RENAME]
        return libc
    except (ImportError, OSError, AttributeError):
        return None
