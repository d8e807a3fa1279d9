"""Giving a finished temporary file a name that must be free, without ever touching what has it."""

from __future__ import annotations

import errno
import os

from datatool.localfs.native import rename_new

NO_LINK = frozenset(
    getattr(errno, name, -1)
    for name in ("EMLINK", "EXDEV", "EPERM", "EACCES", "ENOTSUP", "EOPNOTSUPP", "ENOSYS", "EINVAL")
)
"""What link(2) and symlink(2) say where a filesystem, or a file's owner, doesn't let them."""

LINK_FOLLOWS = os.link not in os.supports_follow_symlinks
"""What `os.link` must be told: not to follow links, where it can be told."""


def publish_new(temp: bytes, target: bytes, *, fd: int | None = None, to_fd: int | None = None) -> bool:
    """Turn a temporary file into `target` if that name is free; whether it was. The temporary name is gone either way.

    `fd` and `to_fd` are open directories that the names are relative to. By link(2), which fails if the name is
    taken, whoever else is at work; where links can't be made, by a rename that does. Raises OSError.
    """
    done = _link(temp, target, fd, to_fd)
    if done is None:
        done = rename_new(temp, target, fd, to_fd)
        if done is None:
            done = not _exists(target, to_fd)  # the last resort: a moment in which another may take the name
            if done:
                os.replace(temp, target, src_dir_fd=fd, dst_dir_fd=to_fd)
        if done:
            return True
    os.unlink(temp, dir_fd=fd)
    return done


def _link(temp: bytes, target: bytes, fd: int | None, to_fd: int | None) -> bool | None:
    """True if it is linked, False if the name is taken, None if links can't be made."""
    if not hasattr(os, "link") or os.name == "nt":  # there, rename itself refuses a name that is taken
        return None
    try:
        os.link(temp, target, src_dir_fd=fd, dst_dir_fd=to_fd, follow_symlinks=LINK_FOLLOWS)
    except OSError as error:
        # a file server may say it failed, or that the name is taken, when only its first answer was lost
        if _same(temp, target, fd, to_fd):
            return True
        if isinstance(error, FileExistsError):
            return False
        if error.errno in NO_LINK:
            return None
        raise
    return True


def _same(temp: bytes, target: bytes, fd: int | None, to_fd: int | None) -> bool:
    try:
        one = os.stat(temp, dir_fd=fd, follow_symlinks=False)
        two = os.stat(target, dir_fd=to_fd, follow_symlinks=False)
    except OSError:
        return False
    return (one.st_dev, one.st_ino) == (two.st_dev, two.st_ino)


def _exists(name: bytes, fd: int | None) -> bool:
    try:
        os.stat(name, dir_fd=fd, follow_symlinks=False)
    except FileNotFoundError:
        return False
    return True
