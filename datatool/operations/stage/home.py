"""Where a stage belongs: the project around its code, from which paths and names of modules are counted."""

from __future__ import annotations

import os
from pathlib import Path

from msgspec import Struct

from datatool.operations.open_project import project_around


class Home(Struct, frozen=True, kw_only=True):
    """The project of a stage, None outside any; the directory of the file that it stands in, None for what was typed;
    that of the program that runs, from where modules are found, None if it lies elsewhere."""

    root: Path | None
    directory: str | None
    start: Path | None = None


def home_of(file: str, *, notebook: str | None, main: str | None) -> Home:
    """The project around a stage's file, which may be a cell of the notebook; else around the working directory."""
    real = os.path.realpath(file)
    if not os.path.isfile(real):
        real = notebook or ""
    directory = os.path.dirname(real) or None
    places = (Path(directory) if directory else None, _working_directory())
    root = project_around(*(place for place in places if place is not None))
    return Home(root=root, directory=directory, start=_inside(root, main))


def _inside(root: Path | None, file: str | None) -> Path | None:
    if root is None or file is None:
        return None
    found = Path(os.path.realpath(os.path.dirname(file)))
    return found if found.is_relative_to(root) else None


def _working_directory() -> Path | None:
    try:
        return Path.cwd()
    except OSError:  # it was deleted
        return None
