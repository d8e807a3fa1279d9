"""What this user downloaded of registries and URLs, outside of any project, and how to be rid of it.

All of it can be had again from where it came: objects and lists, clones of registries, what `datatool.path` gave out,
and what is remembered of remotes. What was moved aside (`lost+found`), what unfinished uploads need and locks are none
of it.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator, Mapping
from contextlib import nullcontext
from pathlib import Path
from typing import Final

from datatool.config.places import user_cache_dir
from datatool.errors import Refused
from datatool.localfs.atomic import remove_file
from datatool.localfs.locks import Lock
from datatool.localfs.removal import remove_at_once, sweep_left_over
from datatool.operations.cache_info import CacheCleaned
from datatool.project.project import Project

_DATABASES: Final = ("objects.db", "views.db", "dvc.db")
"""They say what the directories hold, so they go first: a run that broke off leaves less known, never too much."""
_DIRECTORIES: Final = ("views", "objects", "remotes")
_CLONES: Final = "git"


def clean_downloads(project: Project | None, *, environ: Mapping[str, str], dry_run: bool = False) -> CacheCleaned:
    """Remove this user's downloads; with `dry_run` only count them. What another process reads meanwhile it gets again
    when it is run again.

    Raises Refused where the cache of `project` is kept among them.
    """
    home = user_cache_dir(environ)
    clones = [home / _CLONES / name for name in _names(home / _CLONES) if (home / _CLONES / name).is_dir()]
    parts = [*(home / name for name in _DIRECTORIES), *clones]
    if project is not None:
        _refuse_own_cache(project, [*parts, home / _CLONES])
    databases = [home / name for name in _names(home) if name.startswith(_DATABASES)]
    files = dict(found for part in [*databases, *parts] for found in _files(part))
    if not dry_run:
        for path in databases:
            remove_file(path)
        for part in parts:
            with Lock(part.with_suffix(".lock"), purpose="datatool cache clean") if part in clones else nullcontext():
                remove_at_once(part)
        for place in (home, home / _CLONES):
            sweep_left_over(place)
    by_inode = dict(files.values())
    return CacheCleaned(removed=len(files), bytes=sum(by_inode.values()))


def _refuse_own_cache(project: Project, parts: list[Path]) -> None:
    top = Path(os.path.realpath(project.cache.top))
    for part in parts:
        if top.is_relative_to(os.path.realpath(part)):
            raise Refused(
                f"{part}: the cache of this project is kept there, among the downloads",
                hint="datatool config set cache.dir DIR, after moving it to a place of its own",
                path=os.fspath(part),
            )


def _names(top: Path) -> list[str]:
    try:
        return sorted(os.listdir(top))
    except OSError:
        return []


def _files(top: Path) -> Iterator[tuple[Path, tuple[tuple[int, int], int]]]:
    """Each file at or below a path, with what tells equal ones (hard links) and its size."""
    walked = os.walk(top) if top.is_dir() else [(os.fspath(top.parent), [], [top.name])]
    for directory, _, names in walked:
        for name in names:
            path = Path(directory, name)
            try:
                found = os.lstat(path)
            except OSError:
                continue
            if stat.S_ISREG(found.st_mode):
                yield path, ((found.st_dev, found.st_ino), found.st_size)
