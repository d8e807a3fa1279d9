"""Marks of what a process has begun, which say to others what a killed one left: a file that is being made (see
`datatool.operations.track.making`), ignore lines that are not sorted in (see `datatool.operations.track.ignoring`)."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from datatool.hashing import digest
from datatool.project.project import Project

_MAKING: Final = "making-"
_UNSORTED: Final = "unsorted-"


def mark_of(project: Project, path: bytes) -> Path:
    """The mark of a file that is being made."""
    return project.marks / _name(_MAKING, path)


def is_unfinished(project: Project, path: bytes) -> bool:
    """Whether a process makes a file now, or was killed while it did."""
    return os.path.exists(os.path.join(project.marks, _name(_MAKING, path)))  # no Path: every call asks this


def unfinished(project: Project) -> list[bytes]:
    """The files that lie here and that a process makes now, or was killed while it did."""
    return sorted(path for path in _marked(project, _MAKING) if project.workspace.kind(path) is not None)


def unsorted_mark(project: Project, path: bytes) -> Path:
    """The mark of a file with ignore lines that are not sorted in."""
    return project.marks / _name(_UNSORTED, path)


def unsorted(project: Project) -> set[bytes]:
    """The files with such lines."""
    return set(_marked(project, _UNSORTED))


def _name(prefix: str, path: bytes) -> str:
    return f"{prefix}{digest(path)[:16]}"


def _marked(project: Project, prefix: str) -> Iterator[bytes]:
    try:
        for name in os.listdir(project.marks):
            if name.startswith(prefix):
                yield (project.marks / name).read_bytes()
    except OSError:  # nothing was ever begun here, or it was finished just now
        return
