"""Whether git ignores the data of artifacts, as the repository says or only this machine."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from datatool.git.ignore import ignored_many
from datatool.git.worktree import exclude_path
from datatool.model.paths import named
from datatool.project.project import Project
from datatool.workspace.ignore_lines import has_line

GITIGNORE = b".gitignore"


def not_ignored_by_project(project: Project, artifacts: Sequence[bytes]) -> list[str]:
    """A sentence for each artifact whose data no `.gitignore` keeps out of git: only this machine's own
    `.git/info/exclude` does, or nothing."""
    if project.worktree is None:
        return []
    without: list[bytes] = []
    texts: dict[bytes, bytes] = {}
    for path in artifacts:
        directory, name = os.path.split(path)
        if directory not in texts:
            place = directory + b"/" + GITIGNORE if directory else GITIGNORE
            texts[directory] = read_if_there(Path(os.fsdecode(project.workspace.full(place)))) or b""
        if not has_line(texts[directory], name):
            without.append(path)
    if not without:
        return []
    exclude = read_if_there(exclude_path(project.worktree)) or b""
    ignored = ignored_many(project.worktree, without)
    return [
        f"{named(path)}: no .gitignore keeps it out of git"
        + (" (only .git/info/exclude, on this machine)" if path in ignored else "")
        + f"; datatool add {named(path)} writes the line"
        for path in without
        if path not in ignored or has_line(exclude, path)
    ]


def read_if_there(path: Path) -> bytes | None:
    """The bytes of a file; None where there is none."""
    try:
        with open(path, "rb", buffering=0) as file:
            return file.read()
    except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
        return None
