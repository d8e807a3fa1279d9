"""Locks between processes: the kernel keeps them and frees them, so none is ever stale.

A lock is a `flock` (Windows: a locked byte) on a file that stays; the text in it only names who took it last.
Where locks can't be had, such as on some network mounts, work goes on without: what is correct never rests on
one (formats §4).
"""

from __future__ import annotations

import errno
import os
import stat
import sys
import time
from collections.abc import Callable
from pathlib import Path

from datatool.errors import Locked
from datatool.localfs.atomic import local_error, make_dirs
from datatool.localfs.sharing import Sharing
from datatool.model.paths import show

if sys.platform == "win32":
    import msvcrt
else:
    import fcntl

_TAKEN = (errno.EAGAIN, errno.EWOULDBLOCK, errno.EACCES, errno.EDEADLK)
_TEXT = 200
_OPEN = (
    os.O_RDWR
    | os.O_CREAT
    | getattr(os, "O_NOFOLLOW", 0)
    | getattr(os, "O_CLOEXEC", 0)
    | getattr(os, "O_BINARY", 0)
    | getattr(os, "O_NONBLOCK", 0)
)


class Lock:
    """One lock, taken with `with`, shared with nobody until the block ends.

    `purpose` is what others are told (`datatool add data/songs`); `on_wait(holder)` is called once before
    waiting. Without `wait`, raises Locked if somebody has it.

    >>> import tempfile
    >>> with Lock(Path(tempfile.mkdtemp()) / "locks" / "one"):
    ...     pass
    """

    def __init__(
        self,
        path: Path | str,
        *,
        purpose: str = "",
        on_wait: Callable[[str], None] | None = None,
        wait: bool = True,
        like: Path | None = None,
    ) -> None:
        """`like` is the directory whose permissions the lock's directory takes when it has to be made."""
        self._path = os.fspath(path)
        self._purpose = purpose
        self._on_wait = on_wait
        self._wait = wait
        self._like = like
        self._fd: int | None = None
        self._process = os.getpid()
        self.held = False
        """Whether the lock was really taken: not where the filesystem has none."""

    def __enter__(self) -> Lock:
        fd = self._open()
        if fd is None:
            return self
        try:
            self.held = self._take(fd)
            if self.held:
                self._sign(fd)
        except BaseException:
            os.close(fd)
            raise
        self._fd = fd
        self._process = os.getpid()
        return self

    def __exit__(self, *_: object) -> None:
        if self._fd is not None:
            if self.held and self._process == os.getpid():
                _give_up(self._fd)
            os.close(self._fd)
        self._fd = None
        self.held = False

    def _open(self) -> int | None:
        for attempt in (0, 1):
            try:
                fd = os.open(self._path, _OPEN, 0o666)
            except OSError as error:
                if error.errno == errno.ENOENT and not attempt:
                    make_dirs(Path(self._path).parent, like=self._like)
                    continue
                if error.errno == errno.ELOOP and not attempt:
                    os.unlink(self._path)  # a link in our own directory: never follow it, put a lock in its place
                    continue
                if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS, errno.ENXIO, errno.EISDIR):
                    return None  # nothing to lock with; what comes next says whether it matters
                raise local_error(error, self._path) from error
            found = os.fstat(fd)
            if stat.S_ISREG(found.st_mode):
                if not found.st_size:  # a new one: who works here as another user must be able to take it, too
                    Sharing.like(os.path.dirname(self._path)).give_file(self._path)
                return fd
            os.close(fd)
            return None
        return None

    def _take(self, fd: int) -> bool:
        try:
            if _try(fd):
                return True
            holder = self._holder(fd)
            if not self._wait:
                raise Locked(
                    f"{show(self._path)}: locked by {holder}",
                    hint="wait until it has finished, then run the command again",
                    path=self._path,
                )
            if self._on_wait is not None:
                self._on_wait(holder)
            _wait_for(fd)
            return True
        except Locked:
            raise
        except OSError:
            return False  # this filesystem has no locks

    def _holder(self, fd: int) -> str:
        try:
            os.lseek(fd, 0, os.SEEK_SET)
            line = os.read(fd, _TEXT).split(b"\n", 1)[0]
        except OSError:
            line = b""
        return show(line.decode("utf-8", "surrogateescape")) or "another process"

    def _sign(self, fd: int) -> None:
        host = os.uname().nodename if hasattr(os, "uname") else os.environ.get("COMPUTERNAME", "")
        what = f" ({self._purpose})" if self._purpose else ""
        text = f"process {os.getpid()} on {host}{what}\n".encode("utf-8", "surrogateescape")[:_TEXT]
        try:
            os.lseek(fd, 0, os.SEEK_SET)
            os.write(
                fd, text
            )  # a longer one before it stays behind the line's end: to cut it off may take milliseconds
        except OSError:
            return  # only a courtesy to those who wait


_FAR = 1 << 30  # the byte that is locked on Windows, where a locked byte can't be read by others

if sys.platform == "win32":

    def _try(fd: int) -> bool:
        os.lseek(fd, _FAR, os.SEEK_SET)
        try:
            msvcrt.locking(fd, msvcrt.LK_NBLCK, 1)
        except OSError as error:
            if error.errno in _TAKEN:
                return False
            raise
        return True

    def _wait_for(fd: int) -> None:
        while not _try(fd):
            time.sleep(0.1)

    def _give_up(fd: int) -> None:
        os.lseek(fd, _FAR, os.SEEK_SET)
        msvcrt.locking(fd, msvcrt.LK_UNLCK, 1)

else:

    def _try(fd: int) -> bool:
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            if error.errno in (errno.EAGAIN, errno.EWOULDBLOCK):
                return False
            raise
        return True

    def _wait_for(fd: int) -> None:
        fcntl.flock(fd, fcntl.LOCK_EX)

    def _give_up(fd: int) -> None:
        """To close it is not enough: a child that was forked off meanwhile has the open file, too, and so the lock."""
        fcntl.flock(fd, fcntl.LOCK_UN)
