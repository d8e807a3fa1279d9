"""Moving what somebody wants to keep to another filesystem: copied, made durable, and only then taken away."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from datatool.errors import LocalError, PathNotFound
from datatool.localfs.atomic import fsync_dir, local_error, replace
from datatool.localfs.copying import clone_or_copy
from datatool.localfs.removal import remove_tree
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
        replace(source, target)
    except FileNotFoundError as error:
        if not os.path.lexists(source):
            raise PathNotFound(f"{show(str(source))}: no such file", path=str(source)) from error
        raise local_error(error, target) from error
    except OSError as error:
        if error.errno != errno.EXDEV:
            raise local_error(error, target) from error
        try:
            move_across(os.fsencode(source), target)
        except OSError as failure:
            raise local_error(failure, target) from failure


def move_out(directories: Directories, path: bytes, target: Path) -> None:
    """Move a file, link or directory below a top to a path elsewhere, following no link. Raises LocalError."""
    directory, _, name = path.rpartition(b"/")
    directories.forget(path)
    at, prefix = directories.at(directory)
    try:
        try:
            os.rename(prefix + name, os.fsencode(target), src_dir_fd=at)
        except OSError as error:
            if error.errno != errno.EXDEV:
                raise
            move_across(prefix + name, target, at=at)
    except OSError as error:
        raise LocalError(
            f"{show_bytes(path)}: can't be moved to {target}: {error.strerror}",
            hint="move it away yourself, then run the command again",
            path=os.fsdecode(path),
        ) from error


def move_across(source: bytes, target: Path, *, at: int | None = None) -> None:
    """Move a file, link or directory to a name that nothing has, on whatever filesystem; a relative `source` lies in
    the open directory `at`. No link is followed. Raises OSError, and then the source is as it was, or complete at both
    places."""
    temp = os.path.join(os.fsencode(target.parent), temp_name())
    try:
        _copy(source, at, temp)
        os.rename(temp, os.fsencode(target))
        fsync_dir(target.parent)
    except BaseException:
        remove_tree(Path(os.fsdecode(temp)))
        raise
    _remove(source, at)


def _copy(name: bytes, at: int | None, target: bytes) -> None:
    found = os.stat(name, dir_fd=at, follow_symlinks=False)
    if stat.S_ISLNK(found.st_mode):
        os.symlink(os.readlink(name, dir_fd=at), target)
    elif stat.S_ISREG(found.st_mode):
        _copy_file(name, at, target)
    elif stat.S_ISDIR(found.st_mode):
        os.mkdir(target, 0o700)
        with _inside(name, at) as (fd, children):
            for child, place in children:
                _copy(place, fd, os.path.join(target, child))
        os.chmod(target, stat.S_IMODE(found.st_mode))
        fsync_dir(Path(os.fsdecode(target)))
    else:
        raise OSError(errno.EOPNOTSUPP, "neither a file nor a directory, which can't be copied")


def _copy_file(name: bytes, at: int | None, target: bytes) -> None:
    source = os.open(name, _OPEN, dir_fd=at)
    try:
        found = os.fstat(source)
        fd = os.open(target, NEW_FILE, 0o600)
        try:
            clone_or_copy(source, fd, found.st_size, (LinkMethod.REFLINK, LinkMethod.COPY))
            os.fsync(fd)
        finally:
            os.close(fd)
    finally:
        os.close(source)
    os.utime(target, ns=(found.st_atime_ns, found.st_mtime_ns))
    os.chmod(target, stat.S_IMODE(found.st_mode))


def _remove(name: bytes, at: int | None) -> None:
    if stat.S_ISDIR(os.stat(name, dir_fd=at, follow_symlinks=False).st_mode):
        with _inside(name, at) as (fd, children):
            for _, place in children:
                _remove(place, fd)
        os.rmdir(name, dir_fd=at)
    else:
        os.unlink(name, dir_fd=at)


@contextmanager
def _inside(name: bytes, at: int | None) -> Iterator[tuple[int | None, list[tuple[bytes, bytes]]]]:
    """What is in a directory: an open directory, and of each child its name and what it is called from there."""
    if os.open not in os.supports_dir_fd or os.listdir not in os.supports_fd:
        yield None, [(child, os.path.join(name, child)) for child in os.listdir(name)]
        return
    fd = os.open(name, _OPEN | os.O_DIRECTORY, dir_fd=at)
    try:
        names = [os.fsencode(child) for child in os.listdir(fd)]
        yield fd, [(child, child) for child in names]
    finally:
        os.close(fd)
