"""What a filesystem can do with links and modes, found out by trying."""

from __future__ import annotations

import os
import stat
from contextlib import suppress
from pathlib import Path

from datatool.localfs.atomic import write_all
from datatool.localfs.copying import clone
from datatool.localfs.temps import mark_file, new_temp, temp_name


def hardlinks_safe(directory: Path) -> bool:
    """Whether read-only files in `directory` really can't be written to, and may have two names.

    A hardlink shares its bytes with the cache; only the file's mode keeps programs from changing them there. So
    one is tried, once per filesystem: opening a 0444 file for writing must fail, which it does not for root, nor
    where modes mean nothing. False also where nothing can be made in `directory`.
    """
    try:
        device = os.stat(directory).st_dev
        if device not in _safe:
            _safe[device] = _try_hardlink(directory)
        return _safe[device]
    except OSError:
        return False


_safe: dict[int, bool] = {}


def _try_hardlink(directory: Path) -> bool:
    fd, path = new_temp(directory)
    os.close(fd)
    other = directory / os.fsdecode(temp_name())
    try:
        os.chmod(path, 0o444)
        try:
            os.link(path, other)
        except OSError:
            return False
        try:
            os.close(os.open(path, os.O_WRONLY))
        except PermissionError:
            return os.lstat(path).st_nlink == 2
        return False
    finally:
        for name in (path, other):
            with suppress(OSError):
                os.unlink(name)


def modes_bind(directory: Path) -> bool:
    """Whether executable bits can be set and taken away in `directory`; False where nothing can be made there."""
    try:
        with mark_file(directory) as name:
            path = directory / name
            os.chmod(path, 0o700)
            executable = os.lstat(path).st_mode & 0o100
            os.chmod(path, 0o600)
            return bool(executable) and not os.lstat(path).st_mode & 0o100
    except OSError:
        return False


def symlinks_work(directory: Path) -> bool:
    """Whether symlinks can be made in `directory`."""
    try:
        with mark_file(directory) as name:
            path = directory / name
            os.unlink(path)
            os.symlink("target", path)
            return os.readlink(path) == "target"
    except (OSError, NotImplementedError):
        return False


def reflinks_work(directory: Path) -> bool:
    """Whether files in `directory` can share blocks until one of them changes."""
    temps: list[tuple[int, Path]] = []
    try:
        temps += [new_temp(directory), new_temp(directory)]
        write_all(temps[0][0], b"\0" * 4096)
        return clone(temps[0][0], temps[1][0])
    except OSError:
        return False
    finally:
        for fd, path in temps:
            os.close(fd)
            with suppress(OSError):
                os.unlink(path)


def may_hardlink(source: os.stat_result) -> bool:
    """Whether a file may get a second name in the workspace: read-only, and this user's own (CVE-2024-32020)."""
    return (
        stat.S_ISREG(source.st_mode)
        and not source.st_mode & 0o222
        and (not hasattr(os, "geteuid") or source.st_uid == os.geteuid())
    )
