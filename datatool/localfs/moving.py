"""Moving what somebody wants to keep: by a rename; a file or link also to another filesystem, where it is copied, made
durable, and only then taken away."""

from __future__ import annotations

import errno
import os
import stat
from contextlib import suppress
from pathlib import Path

from datatool.errors import LocalError
from datatool.localfs.atomic import fsync_dir, local_error, rename
from datatool.localfs.copying import clone_or_copy
from datatool.localfs.leases import is_written_to
from datatool.localfs.native import full_sync
from datatool.localfs.safe_paths import Directories
from datatool.localfs.temps import NEW_FILE, temp_name
from datatool.model.paths import show, show_bytes
from datatool.model.settings import LinkMethod

_OPEN = os.O_RDONLY | getattr(os, "O_BINARY", 0) | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_CLOEXEC", 0)


def move(source: Path, target: Path) -> None:
    """Move a file or directory to a name that nothing has yet. Raises PathNotFound, LocalError."""
    if os.path.lexists(target):
        raise LocalError(f"{show(str(target))}: is there already", path=str(target))
    try:
        rename(source, target)
    except LocalError as error:
        if error.errno != errno.EXDEV:
            raise
        _move_across(os.fsencode(source), target, show(str(source)))


def move_out(directories: Directories, path: bytes, target: Path) -> None:
    """Move a file, link or directory below a top to a path elsewhere, following no link. Raises LocalError."""
    directory, _, name = path.rpartition(b"/")
    directories.forget(path)
    at, prefix = directories.at(directory)
    try:
        os.rename(prefix + name, os.fsencode(target), src_dir_fd=at)
    except OSError as error:
        if error.errno == errno.EXDEV:
            _move_across(prefix + name, target, show_bytes(path), at=at)
            return
        raise _stays(show_bytes(path), target, error.strerror) from error


def _move_across(source: bytes, target: Path, shown: str, *, at: int | None = None) -> None:
    """Copy a file or link, and delete it if it is what was copied; a relative `source` lies in the open directory
    `at`. Raises LocalError; the source is as it was then."""
    temp = os.path.join(os.fsencode(target.parent), temp_name())
    try:
        before = os.stat(source, dir_fd=at, follow_symlinks=False)
        if stat.S_ISLNK(before.st_mode):
            os.symlink(os.readlink(source, dir_fd=at), temp)
        elif stat.S_ISREG(before.st_mode):
            _copy(source, at, temp)
        else:
            raise _stays(shown, target, "it lies on another filesystem")
        after = os.stat(source, dir_fd=at, follow_symlinks=False)
        if _marks(after) != _marks(before) or (at is None and is_written_to(source)):
            raise _stays(shown, target, "somebody is writing to it")
        os.rename(temp, os.fsencode(target))
        fsync_dir(target.parent)
    except BaseException as error:
        with suppress(OSError):
            os.unlink(temp)
        if isinstance(error, OSError) and not isinstance(error, LocalError):
            raise local_error(error, target) from error
        raise
    try:
        if os.name == "nt":
            os.chmod(source, stat.S_IWRITE)
        os.unlink(source, dir_fd=at)
    except OSError as error:
        with suppress(OSError):
            os.unlink(target)
        raise _stays(shown, target, error.strerror) from error


def _copy(name: bytes, at: int | None, target: bytes) -> None:
    source = os.open(name, _OPEN, dir_fd=at)
    try:
        found = os.fstat(source)
        fd = os.open(target, NEW_FILE, 0o600)
        try:
            clone_or_copy(source, fd, found.st_size, (LinkMethod.REFLINK, LinkMethod.COPY))
            full_sync(fd)
        finally:
            os.close(fd)
    finally:
        os.close(source)
    os.utime(target, ns=(found.st_atime_ns, found.st_mtime_ns))
    os.chmod(target, stat.S_IMODE(found.st_mode))


def _marks(found: os.stat_result) -> tuple[int, ...]:
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns


def _stays(shown: str, target: Path, why: str | None) -> LocalError:
    return LocalError(
        f"{shown}: can't be moved to {show(str(target))}: {why}",
        hint="move it away yourself, then run the command again",
        path=shown,
    )
