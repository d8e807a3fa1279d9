"""Whether git ignores the data of artifacts, as the repository says or only this machine."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from pathlib import Path

from datatool.git.ignore import ignored_many
from datatool.git.worktree import exclude_path
from datatool.localfs.reading import read_whole
from datatool.model.paths import named, show_bytes
from datatool.project.project import Project
from datatool.workspace.ignore_lines import escape_name, has_line

GITIGNORE = b".gitignore"
_EXCEPTION = re.compile(rb"^!", re.MULTILINE)


def not_ignored_by_project(project: Project, artifacts: Sequence[bytes]) -> list[str]:
    """A sentence for each artifact whose data no `.gitignore` keeps out of git: only this machine's own
    `.git/info/exclude` does, or nothing, or another line there takes its own one back."""
    if project.worktree is None:
        return []
    without: list[bytes] = []
    doubtful: list[bytes] = []
    texts: dict[bytes, bytes] = {}
    for path in artifacts:
        directory, name = os.path.split(path)
        if directory not in texts:
            place = directory + b"/" + GITIGNORE if directory else GITIGNORE
            texts[directory] = read_if_there(Path(os.fsdecode(project.workspace.full(place)))) or b""
        if not has_line(texts[directory], name):
            without.append(path)
        elif _EXCEPTION.search(texts[directory]):
            doubtful.append(path)
    if not without and not doubtful:
        return []
    exclude = read_if_there(exclude_path(project.worktree)) or b""
    ignored = ignored_many(project.worktree, [*without, *doubtful])
    taken_back = [
        f"{named(path)}: git does not ignore it: a line with `!` in the .gitignore beside it takes back its own line "
        f"`{show_bytes(escape_name(os.path.basename(path)))}`; delete that line"
        for path in doubtful
        if path not in ignored
    ]
    return taken_back + [
        f"{named(path)}: no .gitignore keeps it out of git"
        + (" (only .git/info/exclude, on this machine)" if path in ignored else "")
        + f"; datatool add {named(path)} writes the line"
        for path in without
        if path not in ignored or has_line(exclude, path)
    ]


def read_if_there(path: Path | str) -> bytes | None:
    """The bytes of a file; None where there is none."""
    try:
        return read_whole(path)
    except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
        return None
