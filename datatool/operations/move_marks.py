"""Marks of moves under way: a file in the git directory for each, named by what it moves and to where.

A move that is killed leaves its mark: by it the same command knows that what lies at the new name is what it moved.
"""

from __future__ import annotations

import os
from pathlib import Path

from datatool.formats.run_record import canonical
from datatool.hashing import digest
from datatool.project.project import Project
from datatool.workspace.pointers import SUFFIX


def mark_of(project: Project, old: bytes, new: bytes) -> Path:
    """Where the mark of a move is, while it is under way."""
    names = {"root": str(project.root), "old": os.fsdecode(old), "new": os.fsdecode(new)}
    return project.local / "tmp" / "moves" / str(digest(canonical(names)))


def killed_move(project: Project, source: bytes, target: bytes) -> tuple[bytes, bytes] | None:
    """The old and the new name of a move of `source` to or into `target` that was killed, if there was one and what it
    left is still there: data and pointer each at one of the names."""
    for old in (source, source.removesuffix(SUFFIX)):
        for new in (target, os.path.join(target, os.path.basename(old))):
            if old and new and mark_of(project, old, new).exists() and _is_half_done(project, old, new):
                return old, new
    return None


def _is_half_done(project: Project, old: bytes, new: bytes) -> bool:
    def count(*paths: bytes) -> int:
        return sum(os.path.lexists(project.workspace.full(path)) for path in paths)

    return count(old, new) <= 1 and count(old + SUFFIX, new + SUFFIX) == 1
