"""Where a stage belongs: the project around its code, from which paths and names of modules are counted."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from datatool.api.calling import main_file, notebook_file
from datatool.operations.program_run import project_around
from datatool.stages.live import unwrapped


@dataclass(frozen=True, kw_only=True, slots=True)
class Home:
    """The project of a stage, and the directory of the file that it stands in; None outside any project, and for what
    was typed."""

    root: Path | None
    directory: str | None


def home_of(function: Callable[..., object]) -> Home:
    """The project around a function's file, else around the working directory."""
    file = os.path.realpath(unwrapped(function).__code__.co_filename)
    if not os.path.isfile(file):
        file = notebook_file() or ""
    directory = os.path.dirname(file) or None
    try:
        here = Path.cwd()
    except OSError:  # it was deleted
        here = None
    return Home(root=project_around(Path(directory) if directory else None, here), directory=directory)


def program_directory(root: Path) -> Path | None:
    """The directory of the program that runs, from where it finds modules; None if it lies elsewhere."""
    main = main_file()
    if main is None:
        return None
    found = Path(os.path.realpath(os.path.dirname(main)))
    return found if found.is_relative_to(root) else None

