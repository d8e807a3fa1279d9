"""Opening the project around a directory."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from datatool.errors import DatatoolError, LocalError, ProjectNotFound
from datatool.git.worktree import Worktree
from datatool.model.paths import see_from
from datatool.project.project import Project, find_root
from datatool.project.project import open_project as open_at

__all__ = ["Project", "open_project", "project_around", "project_if_any", "require_git"]


def open_project(
    directory: str | None,
    *,
    flags: Mapping[str, str],
    environ: Mapping[str, str],
    git_required: bool = False,
    seen_from: str | None = None,
) -> Project:
    """Open the project around `directory` (the current one by default); use it with `with`.

    `flags` are settings given for this one call, `environ` the environment; `seen_from` is where the user stands, if
    that is another directory. Raises ProjectNotFound, FormatError, and
    LocalError where `git_required` and git can't be used here.
    """
    project = open_at(Path(directory or os.curdir), flags=flags, environ=environ)
    place = os.path.relpath(os.path.realpath(seen_from or directory or os.curdir), project.root)
    see_from(b"" if place == os.curdir or place.startswith(os.pardir) else os.fsencode(place))
    if git_required and project.worktree is None:
        reason = project.unsafe or "there is no git repository here"
        raise LocalError(
            f"{project.root}: this needs git: {reason}",
            hint=f"git config --global --add safe.directory {project.root}" if project.unsafe else "git init",
        )
    return project


def project_if_any(
    directory: str | None = None, *, flags: Mapping[str, str], environ: Mapping[str, str]
) -> Project | None:
    """The project around a directory (the current one by default), for commands that work without one too; use it with
    `with`."""
    try:
        return open_project(directory, flags=flags, environ=environ)
    except ProjectNotFound:
        return None


def project_around(*places: Path) -> Path | None:
    """The top of the project around the first of some directories that is in one."""
    for place in places:
        try:
            return find_root(place)
        except DatatoolError:
            continue
    return None


def require_git(project: Project) -> Worktree:
    """What git knows of a project. Raises LocalError where there is no git that could be asked."""
    if project.worktree is None:
        raise LocalError("a revision needs git, and there is no usable git repository here", hint="run this in a clone")
    return project.worktree
