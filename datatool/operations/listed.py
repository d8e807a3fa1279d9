"""What a list tells, of this project or of another repository."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import NamedTuple

from datatool.errors import PathNotFound
from datatool.git.clones import is_repository_url
from datatool.operations.result import Result
from datatool.project.project import Project

GIT = "git"
DATATOOL = "datatool"


class ListEntry(NamedTuple):
    """One path, relative to the repository; a named tuple, as there may be a million. `size` is in bytes; `oid` is
    `sha256:…`, for data only; `problem` says why a directory's content can't be told."""

    path: str
    kind: str
    origin: str
    size: int | None
    oid: str | None
    executable: bool
    problem: str | None = None
    id: str | None = None
    """What another keeper calls it: `git:` and a blob id, `md5:` and DVC's hash."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ListResult(Result):
    """The entries, by path."""

    entries: tuple[ListEntry, ...]

    def to_dict(self) -> dict[str, object]:
        """As `--json` prints it."""
        return {"entries": [entry._asdict() for entry in self.entries]}


def is_registry(project: Project, word: str | None, *, cwd: Path) -> bool:
    """Whether a word means another repository, not a path of the project: the name of a registry, a URL, or the top of
    a repository that is not the project's own."""
    if word is None:
        return False
    if word in project.config.registries() or is_repository_url(word):
        return True
    directory = cwd / os.path.expanduser(word)
    bare = (directory / "HEAD").is_file() and (directory / "objects").is_dir()
    top = os.path.lexists(directory / ".git")
    return bare or (top and os.path.realpath(directory) != os.path.realpath(project.root))


def or_registry(error: PathNotFound, project: Project, word: str) -> PathNotFound:
    """The error for a word that is no path of the project; its hint tells which registry was meant, perhaps."""
    near = get_close_matches(word, list(project.config.registries()), n=1)
    if near and error.hint is not None:
        told = f"{error.hint} or" if error.hint.endswith("?") else "did you mean"
        error.hint = f"{told} the registry {near[0]}?"
    return error


def one_level(found: dict[str, ListEntry], top: str) -> Iterator[ListEntry]:
    """What lies directly below `top`; a directory that only its content implies is listed as one."""
    prefix = top + "/" if top else ""
    directories: set[str] = set()
    for path, entry in found.items():
        if path == top:
            if entry.kind != "directory":
                yield entry
            continue
        rest = path[len(prefix) :]
        first, slash, _ = rest.partition("/")
        if not slash:
            if path not in directories:
                yield entry
            continue
        parent = prefix + first
        if parent not in found and parent not in directories:
            directories.add(parent)
            yield ListEntry(path=parent, kind="directory", origin=entry.origin, size=None, oid=None, executable=False)
