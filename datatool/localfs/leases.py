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
from typing import Final, NamedTuple

if sys.platform == "linux":
    import fcntl


POSSIBLE: Final = sys.platform == "linux"
"""Whether there are leases at all."""
_OPEN = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_CLOEXEC", 0)


class Rights(NamedTuple):
    """Permission bits, owner and group of a file."""

    mode: int
    uid: int
    gid: int

    @classmethod
    def of(cls, fd: int) -> Rights:
        """What an open file has."""
        found = os.fstat(fd)
        return cls(stat.S_IMODE(found.st_mode), found.st_uid, found.st_gid)


class Lease:
    """A read lease on an open file, with the rights that it had."""

    __slots__ = ("fd", "rights")

    def __init__(self, fd: int) -> None:
        self.fd = fd
        self.rights = Rights.of(fd)

    @property
    def holds(self) -> bool:
        """Whether nobody has opened the file for writing, or is about to, since it was leased."""
        return _held(self.fd)

    def seal(self) -> bool:
        """Make the file read-only; False, and it keeps its mode, if somebody is about to write to it."""
        os.fchmod(self.fd, self.rights.mode & ~0o222)
        if self.holds:
            return True
        _give(self.fd, self.rights)
        return False

    def unseal(self, *, unless: bytes) -> None:
        """Give the file its rights back, unless it has that name, too. Raises OSError."""
        _give_unless(self.fd, self.rights, unless)


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
    """Whether somebody has this user's file open for writing; False where that can't be told. On a disk that other
    machines share it can't: some say so of every file there."""
    try:
        fd = os.open(path, _OPEN)
    except OSError:
        return False
    try:
        _take(fd)
        _give_back(fd)  # which closing it does not, where a process was forked meanwhile
    except OSError as error:
        return error.errno == errno.EAGAIN
    finally:
        os.close(fd)
    return False


def seal(path: bytes) -> bool:
    """Make a file of this user's own read-only; whether nobody has it open for writing, or is about to."""
    fd = os.open(path, _OPEN)
    try:
        with leased(fd) as lease:
            return lease is not None and lease.seal()
    finally:
        os.close(fd)


def unseal(path: bytes, rights: Rights, *, unless: bytes) -> None:
    """Give a file that was sealed its rights back, unless it has another name, too. Raises OSError."""
    fd = os.open(path, _OPEN)
    try:
        _give_unless(fd, rights, unless)
    finally:
        os.close(fd)


def _give_unless(fd: int, rights: Rights, name: bytes) -> None:
    try:
        there = os.lstat(name)
    except FileNotFoundError:
        there = None
    found = os.fstat(fd)
    if there is None or (there.st_dev, there.st_ino) != (found.st_dev, found.st_ino):
        _give(fd, rights)


def _give(fd: int, rights: Rights) -> None:
    if Rights.of(fd)[1:] != rights[1:]:
        with suppress(OSError):  # a group that this user is not in
            os.fchown(fd, rights.uid, rights.gid)
    os.fchmod(fd, rights.mode)


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
