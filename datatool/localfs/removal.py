"""Deleting a directory with everything in it, following no link."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from datatool.localfs.atomic import local_error


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


def _unlink(path: str) -> None:
    if os.name == "nt":
        os.chmod(path, stat.S_IWRITE)  # a read-only file can't be deleted there
    os.unlink(path)
