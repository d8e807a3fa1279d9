"""What a shell could complete: artifacts and files, remotes, revisions, setting keys."""

from __future__ import annotations

import os
from pathlib import Path

from datatool.config.keys import KEYS
from datatool.errors import DatatoolError
from datatool.git.revision import ref_names
from datatool.operations.targets import all_artifacts
from datatool.project.project import open_project
from datatool.stages.run_store import stage_runs
from datatool.workspace.pointers import Artifact


def target_names(directory: str, prefix: str) -> list[str]:
    """Artifacts, and files and directories lying there, that a typed prefix could mean; relative to `directory`."""
    found: set[str] = set()
    here, typed = os.path.split(prefix)
    try:
        with os.scandir(os.path.join(directory, here) or os.curdir) as entries:
            for entry in entries:
                if entry.name.startswith(typed) and (typed.startswith(".") or not entry.name.startswith(".")):
                    slash = "/" if entry.is_dir() else ""
                    found.add(os.path.join(here, entry.name) + slash)
    except OSError:
        pass
    try:
        with open_project(Path(directory or os.curdir), flags={}, environ=os.environ) as project:
            for item in all_artifacts(project):
                if isinstance(item, Artifact):
                    name = os.path.relpath(project.root / item.name, os.path.realpath(directory or os.curdir))
                    if name.startswith(prefix) and name + "/" not in found:
                        found.add(name)
    except DatatoolError:
        pass
    return sorted(found)


def stage_names(directory: str, prefix: str) -> list[str]:
    """The names of stages of which results are kept, and files."""
    with open_project(Path(directory or os.curdir), flags={}, environ=os.environ) as project:
        known = stage_runs(project.cache, project.config.project or "")
    return sorted({one.record.name for one in known} | set(target_names(directory, prefix)))


def remote_names(directory: str) -> list[str]:
    """The names of the project's remotes."""
    with open_project(Path(directory or os.curdir), flags={}, environ=os.environ) as project:
        return sorted(project.config.remotes())


def revisions(directory: str) -> list[str]:
    """HEAD, branches and tags."""
    with open_project(Path(directory or os.curdir), flags={}, environ=os.environ) as project:
        return ["HEAD", *ref_names(project.worktree)] if project.worktree is not None else []


def config_keys() -> list[str]:
    """The keys of all settings; those of a remote with NAME in them."""
    return [key.pattern for key in KEYS]
