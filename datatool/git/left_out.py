"""What git has and no work tree shows: files that are not checked out, repositories without a work tree."""

from __future__ import annotations

import os
from collections.abc import Sequence
from enum import Enum
from pathlib import Path

from datatool.git.command import run_git
from datatool.git.worktree import Worktree, ask


class Absence(Enum):
    """Why a file that git has is not in the work tree."""

    SPARSE = "left out by the sparse checkout"
    DELETED = "deleted here, but not in git"
    NOTHING_CHECKED_OUT = "in the last commit, of which nothing is checked out"


def absent_files(worktree: Worktree, names: Sequence[str]) -> dict[str, Absence]:
    """Why files are absent, by name: of these, named from the top, those that git has and that are not there."""
    missing = [name for name in names if not os.path.lexists(worktree.top / name)]
    if not missing:
        return {}
    if not (worktree.git_dir / "index").exists():
        if worktree.head is None:
            return {}
        found = ask(worktree, ["ls-tree", "-z", "--name-only", "--full-tree", worktree.head, "--", *missing])
        return {os.fsdecode(name): Absence.NOTHING_CHECKED_OUT for name in found.fields()}
    found = ask(worktree, ["--literal-pathspecs", "ls-files", "-z", "-t", "-c", "--", *missing])
    return {
        os.fsdecode(field[2:]): Absence.SPARSE if field[:1] == b"S" else Absence.DELETED for field in found.fields()
    }


def bare_repository(directory: Path) -> Path | None:
    """The git directory around a directory where `discover` finds no work tree: a bare repository, or the inside of a
    `.git`. None where there is none."""
    found = run_git(["rev-parse", "--absolute-git-dir"], cwd=directory, check=False)
    return Path(os.fsdecode(found.out.rstrip(b"\n"))) if found.code == 0 else None
