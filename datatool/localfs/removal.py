"""Deleting a directory with everything in it, following no link."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path

from datatool.localfs.atomic import local_error, remove_dir_if_empty, replace
from datatool.localfs.temps import left_over, temp_name


def remove_tree(path: Path) -> None:
    """Delete a file, a link or a directory with all it holds; links are deleted, never followed. Raises LocalError."""
    try:
        mode = os.lstat(path).st_mode
    except FileNotFoundError:
        return
    try:
        if stat.S_ISDIR(mode):
            for directory, names, files in os.walk(path, topdown=False, followlinks=False):
                for name in files:
                    _unlink(os.path.join(directory, name))
                for name in names:
                    inner = os.path.join(directory, name)
                    if os.path.islink(inner):
                        _unlink(inner)
                    else:
                        os.rmdir(inner)
            os.rmdir(path)
        else:
            _unlink(os.fspath(path))
    except OSError as error:
        raise local_error(error, path) from error


def require_removable(path: Path) -> None:
    """See that everything at a path may be deleted, as far as permissions can tell. Raises LocalError."""
    directories = [os.fspath(path.parent)]
    if path.is_dir() and not path.is_symlink():
        directories += [at for at, names, files in os.walk(path, followlinks=False) if names or files]
    for directory in directories:
        require_writable(Path(directory))


def require_writable(directory: Path) -> None:
    """See that names in a directory may be made and deleted, as far as permissions can tell. Raises LocalError."""
    if not os.access(directory, os.W_OK | os.X_OK):
        raise local_error(OSError(errno.EACCES, os.strerror(errno.EACCES)), directory)


def remove_empty_dirs(path: Path) -> None:
    """Delete a directory and those in it as far as they hold no file; links are not followed."""
    for directory, _, _ in os.walk(path, topdown=False, followlinks=False):
        remove_dir_if_empty(Path(directory))


def remove_at_once(path: Path) -> None:
    """Delete a directory so that nobody ever sees a part of it: it gets another name first, which
    `sweep_left_over` knows. Where it is a link, what it leads to is emptied. Raises LocalError."""
    try:
        if path.is_symlink():
            for name in os.listdir(path):
                remove_tree(path / name)
            return
        aside = path.with_name(os.fsdecode(temp_name()))
        replace(path, aside)
    except (FileNotFoundError, NotADirectoryError):
        return
    except OSError as error:
        raise local_error(error, path) from error
    remove_tree(aside)


def sweep_left_over(directory: Path) -> None:
    """Delete what lies in a directory under a temporary name, and whose process was killed: files, and directories that
    were half written or half deleted. Raises LocalError."""
    for path in left_over(directory):
        remove_tree(path)


def _unlink(path: str) -> None:
    if os.name == "nt":
        os.chmod(path, stat.S_IWRITE)  # a read-only file can't be deleted there
    os.unlink(path)
