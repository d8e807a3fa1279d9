"""Reading a file while nobody can write to it, and then seeing to it that nobody will.

A *read lease* (fcntl(2), "Leases"; Linux only) is refused while anybody has the file open for writing, by whatever name
or mapping. Who opens it so later, or truncates it, waits until the lease is given back (up to 45 s, see
/proc/sys/fs/lease-break-time), and the lease counts as broken.
"""

from __future__ import annotations

import errno
import os
import signal
import stat
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress

if sys.platform == "linux":
    import fcntl


class Lease:
    """A read lease on an open file."""

    __slots__ = ("fd", "mode")

    def __init__(self, fd: int) -> None:
        self.fd = fd
        self.mode = stat.S_IMODE(os.fstat(fd).st_mode)
        """The permission bits that the file had."""

    @property
    def holds(self) -> bool:
        """Whether nobody has opened the file for writing, or is about to, since it was leased."""
        return _held(self.fd)

    def seal(self) -> bool:
        """Make the file read-only; False, and it keeps its mode, if somebody is about to write to it."""
        os.fchmod(self.fd, self.mode & ~0o222)
        if self.holds:
            return True
        os.fchmod(self.fd, self.mode)
        return False


@contextmanager
def leased(fd: int) -> Iterator[Lease | None]:
    """Nobody writes to a file that is open for reading, as long as the block lasts and the lease `holds`. None where
    somebody has it open for writing now, where it is another user's, or where there are no leases."""
    try:
        _take(fd)
    except OSError:
        yield None
        return
    try:
        yield Lease(fd)
    finally:
        with suppress(OSError):
            _give_back(fd)


def is_written_to(path: bytes) -> bool:
    """Whether somebody has this user's file open for writing; False where that can't be told."""
    try:
        fd = os.open(path, os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_CLOEXEC", 0))
    except OSError:
        return False
    try:
        _take(fd)
    except OSError as error:
        return error.errno == errno.EAGAIN
    finally:
        os.close(fd)  # a lease ends with it
    return False


def unseal(path: bytes, mode: int) -> None:
    """Give a file that was sealed the mode back that it had. Raises OSError."""
    os.chmod(path, mode)


if sys.platform == "linux":

    def _take(fd: int) -> None:
        fcntl.fcntl(fd, fcntl.F_SETSIG, signal.SIGURG)  # for whoever breaks it: the usual one would end this process
        fcntl.fcntl(fd, fcntl.F_SETLEASE, fcntl.F_RDLCK)

    def _held(fd: int) -> bool:
        return fcntl.fcntl(fd, fcntl.F_GETLEASE) == fcntl.F_RDLCK

    def _give_back(fd: int) -> None:
        fcntl.fcntl(fd, fcntl.F_SETLEASE, fcntl.F_UNLCK)

else:

    def _take(fd: int) -> None:
        raise OSError(errno.ENOSYS, os.strerror(errno.ENOSYS))

    def _held(fd: int) -> bool:
        return False

    def _give_back(fd: int) -> None:
        """Nothing was taken."""
