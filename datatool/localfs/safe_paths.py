"""Reaching directories below one top without following a symlink on the way.

A symlink put in the place of a directory, by another program or by an earlier part of the same operation, must
not lead a write elsewhere: each directory is opened from the one around it with `O_NOFOLLOW`, and files are
created, renamed and deleted relative to that. Where the system can't (Windows), each component is looked at first.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from datatool.errors import LocalError, UnsafeInput
from datatool.localfs.native import full_sync
from datatool.localfs.sharing import Sharing
from datatool.model.paths import show_bytes

_HAS_DIR_FD = {os.open, os.mkdir, os.rename, os.unlink, os.link, os.symlink, os.stat} <= os.supports_dir_fd and hasattr(
    os, "O_NOFOLLOW"
)
_OPEN = os.O_RDONLY | getattr(os, "O_DIRECTORY", 0) | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_CLOEXEC", 0)
_KEPT_OPEN = 128

Place = tuple[int | None, bytes]
"""An open directory and what to put before a name in it: (descriptor, b"") or (None, b"/full/path/")."""


def check_parents(top: bytes | Path, path: bytes) -> None:
    """Raise UnsafeInput if a directory on the way from `top` to `path` is a symlink; missing ones are no matter.

    >>> check_parents(b"/", b"no/such/file")
    """
    base = os.path.join(os.fsencode(top), b"")
    at = path.find(b"/")
    while at != -1:
        try:
            found = os.lstat(base + path[:at])
        except (FileNotFoundError, NotADirectoryError):
            return
        if _is_link(found):
            raise _through_link(path[:at])
        at = path.find(b"/", at + 1)


def real_path(path: str) -> str:
    """`os.path.realpath`, for a quarter of its price where no link is on the way.

    >>> real_path("/")
    '/'
    """
    if os.name != "posix" or not path.startswith("/") or path != os.path.normpath(path):
        return os.path.realpath(path)
    at = 0
    while at != -1:
        at = path.find("/", at + 1)
        try:
            found = os.lstat(path if at == -1 else path[:at])
        except OSError:
            return os.path.realpath(path)
        if stat.S_ISLNK(found.st_mode):
            return os.path.realpath(path)
    return path


class Directories:
    """Directories below `top` (which may itself be reached through links), opened safely and kept open.

    Use with `with`. Every path is raw bytes relative to `top`, b"" for `top` itself.
    """

    def __init__(self, top: Path, *, sharing: Sharing | None = None) -> None:
        """`sharing` is for directories that are created."""
        self.top = top
        self.sharing = sharing
        self.made: set[bytes] = set()
        """Directories in which a new directory was made: to be synced."""
        self._base = os.fsencode(top)
        self._places: dict[bytes, Place] = {}

    def __enter__(self) -> Directories:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Let go of all directories."""
        for fd, _ in self._places.values():
            if fd is not None:
                os.close(fd)
        self._places.clear()

    def at(self, directory: bytes, *, create: bool = False) -> Place:
        """The place of a directory, valid until the next call. Raises UnsafeInput, FileNotFoundError, LocalError."""
        place = self._places.get(directory)
        if place is None:
            place = self._reach(directory, create)
            if len(self._places) >= _KEPT_OPEN:
                self._drop_oldest()
            self._places[directory] = place
        return place

    @contextmanager
    def held(self, directory: bytes) -> Iterator[Place]:
        """The place of a directory, valid until the block ends, whatever else is reached in it."""
        fd, prefix = self.at(directory)
        if fd is None:
            yield None, prefix
            return
        fd = os.dup(fd)
        try:
            yield fd, prefix
        finally:
            os.close(fd)

    def _drop_oldest(self) -> None:
        fd, _ = self._places.pop(next(iter(self._places)))
        if fd is not None:
            os.close(fd)

    def _reach(self, directory: bytes, create: bool) -> Place:
        if not directory:
            if not _HAS_DIR_FD:
                return None, self._base + b"/"
            return os.open(self._base, _OPEN & ~getattr(os, "O_NOFOLLOW", 0)), b""
        around, _, name = directory.rpartition(b"/")
        parent, prefix = self.at(around, create=create)
        for attempt in (0, 1):
            try:
                return self._open(parent, prefix + name)
            except FileNotFoundError:
                if not create or attempt:
                    raise
            except NotADirectoryError:
                raise self._no_directory(parent, prefix + name, directory) from None
            except OSError as error:
                if error.errno != errno.ELOOP:
                    raise
                raise _through_link(directory) from None
            self._make(parent, prefix + name, around)
        raise AssertionError

    def _open(self, parent: int | None, name: bytes) -> Place:
        if _HAS_DIR_FD:
            return os.open(name, _OPEN, dir_fd=parent), b""
        found = os.lstat(name)
        if not stat.S_ISDIR(found.st_mode) or _is_link(found):
            raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR))
        return None, name + b"/"

    def _no_directory(self, parent: int | None, name: bytes, directory: bytes) -> Exception:
        found = os.stat(name, dir_fd=parent, follow_symlinks=False)
        if _is_link(found):
            return _through_link(directory)
        shown = show_bytes(directory)
        return LocalError(f"{shown}: is a file, where a directory is needed", path=os.fsdecode(directory))

    def _make(self, parent: int | None, name: bytes, around: bytes) -> None:
        try:
            os.mkdir(name, dir_fd=parent)
        except FileExistsError:
            return
        self.made.add(around)
        if self.sharing is not None and self.sharing.gid is not None and _HAS_DIR_FD:
            fd = os.open(name, _OPEN, dir_fd=parent)
            try:
                self.sharing.dress_directory(fd)
            finally:
                os.close(fd)

    # What callers do with one path

    def lstat(self, path: bytes) -> os.stat_result:
        """What lies at a path."""
        directory, _, name = path.rpartition(b"/")
        fd, prefix = self.at(directory)
        return os.stat(prefix + name, dir_fd=fd, follow_symlinks=False)

    def remove(self, path: bytes) -> bool:
        """Delete a file or link; whether there was one."""
        directory, _, name = path.rpartition(b"/")
        try:
            fd, prefix = self.at(directory)
            os.unlink(prefix + name, dir_fd=fd)
        except FileNotFoundError:
            return False
        return True

    def remove_directory(self, path: bytes) -> bool:
        """Delete a directory unless something is in it; whether it is gone."""
        directory, _, name = path.rpartition(b"/")
        self.forget(path)
        try:
            fd, prefix = self.at(directory)
            os.rmdir(prefix + name, dir_fd=fd)
        except FileNotFoundError:
            return True
        except OSError:
            return False
        return True

    def make_directory(self, path: bytes) -> None:
        """Make a directory and those around it that are missing."""
        self.at(path, create=True)

    def forget(self, path: bytes) -> None:
        """Let go of a directory that is about to be removed, and of those below it."""
        below = path + b"/"
        for known in [known for known in self._places if known == path or known.startswith(below)]:
            fd, _ = self._places.pop(known)
            if fd is not None:
                os.close(fd)

    def sync(self, directory: bytes, *, completely: bool = False) -> None:
        """Make the names in a directory durable, where the system can; `completely`: down to the disk's plates."""
        fd, _ = self.at(directory)
        if fd is None:
            return
        try:
            if completely:
                full_sync(fd)
            else:
                os.fsync(fd)
        except OSError as error:
            if error.errno not in (errno.EINVAL, errno.ENOTSUP, errno.EBADF):  # some network mounts can't
                raise


def _is_link(found: os.stat_result) -> bool:
    tag = getattr(found, "st_reparse_tag", 0)
    return stat.S_ISLNK(found.st_mode) or (tag != 0 and tag == getattr(stat, "IO_REPARSE_TAG_MOUNT_POINT", -1))


def _through_link(directory: bytes) -> UnsafeInput:
    return UnsafeInput(
        f"{show_bytes(directory)}: is a symlink; nothing is written through it",
        hint="remove the link, then run the command again",
        path=os.fsdecode(directory),
    )
