"""A project that git has and that is not here to be used: what is said then, and what to do."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

from datatool.git.left_out import Absence, absent_files, bare_repository
from datatool.git.worktree import Unsafe, Worktree
from datatool.model.paths import show

_STEPS: Final = {
    Absence.SPARSE: "sparse-checkout add {folder}",
    Absence.DELETED: "restore {config}",
    Absence.NOTHING_CHECKED_OUT: "checkout",
}


def absent_config(worktree: Worktree, directory: Path, config: str) -> tuple[str, str] | None:
    """What is wrong and the next step where git has the configuration of a project at the top, and it is not checked
    out; `config` is its name from the top, `directory` is where the user stands."""
    why = absent_files(worktree, [config]).get(config)
    if why is None:
        return None
    step = _STEPS[why].format(config=config, folder=os.path.dirname(config))
    top = worktree.top
    place = "" if os.path.realpath(directory) == os.fspath(top) else f"-C {show(os.fspath(top))} "
    return f"{show(os.fspath(top))}: {config} is {why.value}", f"git {place}{step}"


def no_work_tree(directory: Path, found: Worktree | Unsafe | None) -> tuple[str, str] | None:
    """What is wrong and the next step in a bare repository or inside a `.git`; `found` is what `discover` found."""
    git_dir = bare_repository(directory) if found is None else None
    if git_dir is None:
        return None
    if git_dir.name == ".git":
        return (
            f"{directory}: the inside of a git repository, not its work tree",
            f"cd {show(os.fspath(git_dir.parent))}",
        )
    return (
        f"{directory}: a bare git repository, which has no work tree",
        f"git clone {show(os.fspath(git_dir))}, and work in the clone",
    )
