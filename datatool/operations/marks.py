"""Marks of commands under way: a file in the git directory for each, named by what the command is to do.

A command that is killed leaves its mark: by it the same command knows what it finds done already.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from datatool.hashing import digest
from datatool.localfs.atomic import make_dirs, write_file
from datatool.localfs.temps import sweep_temps
from datatool.project.project import Project


def mark_of(project: Project, verb: str, **what: str | bool | Sequence[str]) -> Path:
    """Where the mark of a command is, while it is under way."""
    name = digest(json.dumps({"root": str(project.root), **what}, sort_keys=True).encode())
    return marks_of(project, verb) / str(name)


def marks_of(project: Project, verb: str) -> Path:
    """The directory of all marks of a command."""
    return project.local / "tmp" / verb


def write_mark(project: Project, mark: Path, data: bytes) -> None:
    """Put a mark there; `data` is what the same command needs to know. Raises LocalError."""
    make_dirs(mark.parent, like=project.local)
    sweep_temps(mark.parent)
    write_file(mark, data, durability=project.config.durability)
