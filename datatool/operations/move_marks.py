"""Marks of moves under way: by the mark of one that was killed the same command knows that what lies at the new name is
what it moved."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

from datatool.operations.ignored import read_if_there
from datatool.operations.marks import mark_of, marks_of
from datatool.project.project import Project
from datatool.workspace.pointers import SUFFIX

_VERB: Final = "moves"


def move_mark(project: Project, old: bytes, new: bytes) -> Path:
    """Where the mark of a move is, while it is under way."""
    return mark_of(project, _VERB, old=os.fsdecode(old), new=os.fsdecode(new))


def killed_move(project: Project, source: bytes, target: bytes) -> tuple[bytes, bytes] | None:
    """The old and the new name of a move of `source` to or into `target` that was killed, if there was one and what it
    left is still there: data and pointer each at one of the names."""
    for old in (source, source.removesuffix(SUFFIX)):
        for new in (target, os.path.join(target, os.path.basename(old))):
            if old and new and move_mark(project, old, new).exists() and _is_half_done(project, old, new):
                return old, new
    return None


def killed_moves(project: Project) -> dict[bytes, tuple[bytes, bytes]]:
    """The moves that were killed between data and pointer, or are there just now: their old and new name, by the name
    that has the pointer."""
    found: dict[bytes, tuple[bytes, bytes]] = {}
    for mark in _marks(project):
        old, _, new = (read_if_there(mark) or b"").partition(b"\0")
        if not new or move_mark(project, old, new) != mark:  # another work tree's of this clone
            continue
        for tracked, other in ((old, new), (new, old)):
            lies = [path for path in (tracked, other) if _is_there(project, path)]
            if _is_there(project, tracked + SUFFIX) and lies == [other]:
                found[tracked] = old, new
    return found


def _marks(project: Project) -> list[Path]:
    try:
        return sorted(marks_of(project, _VERB).iterdir())
    except OSError:  # nothing was ever moved, or not here
        return []


def _is_there(project: Project, path: bytes) -> bool:
    return os.path.lexists(project.workspace.full(path))


def _is_half_done(project: Project, old: bytes, new: bytes) -> bool:
    def count(*paths: bytes) -> int:
        return sum(_is_there(project, path) for path in paths)

    return count(old, new) <= 1 and count(old + SUFFIX, new + SUFFIX) == 1
