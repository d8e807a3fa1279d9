"""Changing single files so that each name is absent, old or complete, whenever the machine stops."""

from __future__ import annotations

import errno
import os
import stat
import time
from pathlib import Path

from datatool.errors import LocalError, NoSpace, PathNotFound
from datatool.localfs.file_size import file_size_limit
from datatool.localfs.sharing import Sharing
from datatool.localfs.temps import new_temp, open_temp, sweep_temps
from datatool.model.paths import LONGEST_NAME, show
from datatool.model.settings import Durability

__all__ = [
    "free_text",
    "fsync_dir",
    "local_error",
    "make_dirs",
    "new_temp",
    "remove_dir_if_empty",
    "remove_file",
    "rename",
    "replace",
    "size_text",
    "sweep_temps",
    "write_all",
    "write_file",
]

_FULL = (errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC))


def write_file(
    path: Path | str, data: bytes, *, durability: Durability, mode: int | None = None, like: Path | None = None
) -> None:
    """Put `data` under `path`, whole or not at all; what was there stays until the new bytes are on disk.

    Permission bits: `mode` if given; else those of the file that is replaced; else as `like`, or the umask,
    has it. Missing directories are made. Raises LocalError (NoSpace where the disk is full).
    """
    directory = os.path.dirname(path) or os.curdir
    temp: str | None = None
    try:
        as_usual = mode is None and like is None and not os.path.lexists(path)
        first_mode = 0o666 if as_usual else 0o600
        try:
            fd, temp = open_temp(directory, first_mode)
        except (FileNotFoundError, NotADirectoryError):
            make_dirs(Path(directory), like=like, durability=durability)
            fd, temp = open_temp(directory, first_mode)
        try:
            write_all(fd, data)
            if not as_usual:  # else the system has applied the umask
                _dress(fd, path, mode, like)
            if durability is not Durability.NONE:
                os.fsync(fd)
        finally:
            os.close(fd)
        replace(temp, path)
        temp = None
        if durability is not Durability.NONE:
            fsync_dir(directory)
    except OSError as error:
        raise local_error(error, path, len(data)) from error
    finally:
        if temp is not None:
            _discard(temp)


def _dress(fd: int, path: Path | str, mode: int | None, like: Path | None) -> None:
    if mode is not None:
        if hasattr(os, "fchmod"):
            sharing = Sharing.like(like)
            sharing.dress_file(fd, 0o777)
            os.fchmod(fd, mode)
        return
    try:
        old = os.lstat(path)
    except FileNotFoundError:
        old = None
    if old is None or not stat.S_ISREG(old.st_mode):
        Sharing.like(like).dress_file(fd, 0o666)
    elif hasattr(os, "fchmod"):
        Sharing(mask=0o777, gid=old.st_gid, uid=old.st_uid if os.geteuid() == 0 else None).dress_file(
            fd, stat.S_IMODE(old.st_mode) & 0o777
        )


def make_dirs(path: Path, *, like: Path | None = None, durability: Durability = Durability.BATCH) -> None:
    """Make a directory and those around it that are missing, shared as `like` is (formats §5). Raises LocalError."""
    missing: list[Path] = []
    at = path
    while not os.path.isdir(at):
        missing.append(at)
        if at == at.parent:
            break
        at = at.parent
    if not missing:
        return
    sharing = Sharing.like(like)
    for directory in reversed(missing):
        try:
            os.mkdir(directory)
        except FileExistsError:
            if not os.path.isdir(directory):
                raise LocalError(f"{show(str(directory))}: is a file, not a directory", path=str(directory)) from None
            continue
        except OSError as error:
            raise local_error(error, directory) from error
        if sharing.gid is not None:
            fd = os.open(directory, os.O_RDONLY)
            try:
                sharing.dress_directory(fd)
            finally:
                os.close(fd)
        if durability is not Durability.NONE:
            fsync_dir(directory.parent)


def remove_file(path: Path) -> None:
    """Delete a file or link; one that is not there is no error. Raises LocalError."""
    try:
        os.unlink(path)
    except FileNotFoundError:
        return
    except OSError as error:
        raise local_error(error, path) from error


def remove_dir_if_empty(path: Path) -> bool:
    """Delete a directory unless something is in it; whether it is gone."""
    try:
        os.rmdir(path)
    except FileNotFoundError:
        return True
    except OSError:
        return False
    return True


def rename(source: Path, target: Path) -> None:
    """Give a file another name, in place of whatever has it. Raises PathNotFound, LocalError."""
    try:
        replace(source, target)
    except FileNotFoundError as error:
        if not os.path.lexists(source):
            raise PathNotFound(f"{show(str(source))}: no such file", path=str(source)) from error
        raise local_error(error, target) from error
    except OSError as error:
        raise local_error(error, target) from error


def fsync_dir(path: Path | str) -> None:
    """Make the names in a directory durable, where the system can."""
    if os.name == "nt":
        return  # a directory can't be opened there; NTFS keeps its names in a journal
    fd = os.open(path, os.O_RDONLY | getattr(os, "O_CLOEXEC", 0))
    try:
        os.fsync(fd)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.ENOTSUP, errno.EBADF):  # some network mounts can't
            raise
    finally:
        os.close(fd)


def replace(source: Path | str | bytes, target: Path | str | bytes) -> None:
    """`os.replace`, tried again for a moment where a virus scanner holds the file (Windows)."""
    for wait in (0.01, 0.05, 0.2, 0.5):
        try:
            os.replace(source, target)
            return
        except PermissionError:
            if os.name != "nt":
                raise
            time.sleep(wait)
    os.replace(source, target)


def write_all(fd: int, data: bytes | bytearray | memoryview) -> None:
    """Write all of `data`; the kernel may take it in parts."""
    size = len(data)
    written = os.write(fd, data)
    if written < size:
        view = memoryview(data)
        while written < size:
            written += os.write(fd, view[written:])


def local_error(error: OSError, path: Path | str, needed: int | None = None, *, top: Path | str = "") -> LocalError:
    """What to raise for an OSError at `path` (relative to `top`): NoSpace with the sizes where the disk is full, else
    LocalError."""
    if isinstance(error, LocalError):
        return error
    name = str(path)
    result: LocalError
    if error.errno in _FULL:
        need = "" if needed is None else f": needs {size_text(needed)}, {free_text(os.path.join(top, name))} free"
        what = "the disk is full" if error.errno == errno.ENOSPC else "your quota on this disk is used up"
        result = NoSpace(f"{show(name)}: {what}{need}", hint="free some space, then run the command again", path=name)
    elif error.errno == errno.EFBIG:
        limit = file_size_limit()
        most = "this disk holds no file of that size" if limit is None else f"at most {size_text(limit)} are allowed"
        result = LocalError(
            f"{show(name)}: too large a file: {most}",
            hint="use another disk" if limit is None else "ulimit -f is that limit",
            path=name,
        )
    elif error.errno == errno.ENAMETOOLONG:
        result = LocalError(
            f"{show(name)}: the path, or a name in it, is too long: disks take names of {LONGEST_NAME} bytes",
            hint="use a shorter name",
            path=name,
        )
    else:
        denied = error.errno in (errno.EACCES, errno.EPERM, errno.EROFS)
        hint = "check who owns it, and its permissions" if denied else None
        result = LocalError(f"{show(name)}: {error.strerror or error}", hint=hint, path=name)
    result.errno = error.errno
    return result


def free_text(name: str) -> str:
    """How much is free on the disk that a path is, or would be, on; `less` where nobody can tell."""
    nearest = name
    while nearest and not os.path.exists(nearest):
        nearest = os.path.dirname(nearest)
    if not hasattr(os, "statvfs"):
        return "less"
    try:
        return size_text(free_at(nearest or "."))
    except OSError:
        return "less"


def free_at(place: str | int) -> int:
    """How many bytes are free on the disk of a path, or of an open file or directory. Not for Windows. Raises
    OSError."""
    found = os.statvfs(place)
    return found.f_bavail * found.f_frsize


def size_text(count: int) -> str:
    """A number of bytes as a person reads it: `4.2 GB`."""
    size = float(count)
    for unit in ("B", "kB", "MB", "GB"):
        if size < 1000:
            return f"{size:.0f} {unit}" if unit == "B" or size >= 100 else f"{size:.1f} {unit}"
        size /= 1000
    return f"{size:.1f} TB"


def _discard(temp: str) -> None:
    try:
        os.unlink(temp)
    except OSError:
        return  # swept later
