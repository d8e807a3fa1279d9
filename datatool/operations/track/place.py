"""Where a path that a program tracks lies, and in which project."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

from msgspec import Struct

from datatool.errors import ProjectNotFound
from datatool.project.project import find_root
from datatool.workspace.pointers import SUFFIX


class TrackedPlace(Struct, frozen=True, kw_only=True):
    """An absolute path, and the top of its project; None outside any."""

    full: str
    root: Path | None


def locate(path: str, *, cwd: str, beside: Callable[[], str | None]) -> TrackedPlace:
    """Find a path: under the working directory if it or its pointer is there; else in the calling file's directory,
    which `beside` tells; else under the project's top; else, as a new one, under the working directory.

    The project is the nearest around the path, else around the calling file, else around the working directory.
    """
    full = os.path.normpath(os.path.join(cwd, path))
    if not os.path.isabs(path) and not _is_there(full, path):
        full = next((other for other in _elsewhere(path, cwd, beside) if _is_there(other, path)), full)
    root = _root(os.path.dirname(full)) or _root(full)  # the latter for a project's top itself
    if root is None:  # perhaps below a link that leads out of the project
        around = _root(beside()) or _root(cwd)
        root = around if around is not None and full.startswith(os.path.join(around, "")) else None
    return TrackedPlace(full=full, root=root)


def _elsewhere(path: str, cwd: str, beside: Callable[[], str | None]) -> Iterator[str]:
    directory = beside()
    if directory is not None:
        yield os.path.normpath(os.path.join(directory, path))
    root = _root(directory) or _root(cwd)
    if root is not None:
        yield os.path.normpath(root / path)


def _is_there(full: str, path: str) -> bool:
    """Whether a file lies there, or a pointer that it belongs to: beside it, or beside a directory that it is in."""
    if os.path.lexists(full):
        return True
    suffix = os.fsdecode(SUFFIX)
    for _ in range(len(Path(path).parts)):
        if os.path.lexists(full + suffix):
            return True
        full = os.path.dirname(full)
    return False


def _root(directory: str | None) -> Path | None:
    if directory is None:
        return None
    while not os.path.isdir(directory) and directory != os.path.dirname(directory):
        directory = os.path.dirname(directory)
    try:
        return find_root(directory)
    except ProjectNotFound:
        return None
