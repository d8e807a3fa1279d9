"""Marks of moves under way: by the mark of one that was killed the same command knows that what lies at the new name is
what it moved."""

from __future__ import annotations

import os
from pathlib import Path

from datatool.operations.marks import mark_of
from datatool.project.project import Project
from datatool.workspace.pointers import SUFFIX


def move_mark(project: Project, old: bytes, new: bytes) -> Path:
    """Where the mark of a move is, while it is under way."""
    return mark_of(project, "moves", old=os.fsdecode(old), new=os.fsdecode(new))


def killed_move(project: Project, source: bytes, target: bytes) -> tuple[bytes, bytes] | None:
    """The old and the new name of a move of `source` to or into `target` that was killed, if there was one and what it
    left is still there: data and pointer each at one of the names."""
    for old in (source, source.removesuffix(SUFFIX)):
        for new in (target, os.path.join(target, os.path.basename(old))):
            if old and new and move_mark(project, old, new).exists() and _is_half_done(project, old, new):
                return old, new
    return None


def _is_half_done(project: Project, old: bytes, new: bytes) -> bool:
    def count(*paths: bytes) -> int:
        return sum(os.path.lexists(project.workspace.full(path)) for path in paths)

    return count(old, new) <= 1 and count(old + SUFFIX, new + SUFFIX) == 1
