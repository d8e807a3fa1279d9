"""The cache: where it is, what it holds, and what in it can be made again."""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass
from pathlib import Path

from datatool.localfs.atomic import remove_file, sweep_temps
from datatool.operations.result import Result
from datatool.project.project import Project

REMADE = ("tmp", "remotes")
"""Parts of the cache that can be made again: unfinished files, and what was downloaded of remotes' indexes."""


@dataclass(frozen=True, kw_only=True, slots=True)
class CacheInfo(Result):
    """Counts, and sizes in bytes; `corrupt` objects were set aside, `temporary` files are left from kills."""

    path: str
    objects: int
    packs: int
    bytes: int
    loose_bytes: int
    corrupt: int
    temporary: int


@dataclass(frozen=True, kw_only=True, slots=True)
class CacheCleaned(Result):
    """How many files went, of how many bytes."""

    removed: int
    bytes: int


def cache_dir(project: Project) -> str:
    """Where the cache is."""
    return os.path.normpath(project.cache.top)


def cache_info(project: Project) -> CacheInfo:
    """Count what is in the cache."""
    top = project.cache.top
    loose = _files(top / "objects")
    packs = _files(top / "packs")
    packed = {record.oid for shard in project.cache.packs.shards.values() for record in shard.records()}
    return CacheInfo(
        path=os.path.normpath(top),
        objects=len(loose) + len(packed),
        packs=len(packs),
        bytes=sum(loose.values()) + sum(packs.values()),
        loose_bytes=sum(loose.values()),
        corrupt=len(_files(top / "corrupt")),
        temporary=len(_files(top / "tmp")),
    )


def cache_clean(project: Project) -> CacheCleaned:
    """Remove what can be made again: unfinished files of processes that are gone, and downloaded indexes of remotes.

    Objects, and what was set aside as damaged, stay.
    """
    top = project.cache.top
    before = _files(top / "tmp")
    sweep_temps(top / "tmp")
    after = _files(top / "tmp")
    removed = {path: size for path, size in before.items() if path not in after}
    for path, size in _files(top / "remotes").items():
        if path.suffix in (".dti", ".condemn", ".drop"):
            remove_file(path)
            removed[path] = size
    return CacheCleaned(removed=len(removed), bytes=sum(removed.values()))


def _files(top: Path) -> dict[Path, int]:
    found: dict[Path, int] = {}
    for directory, _, names in os.walk(top):
        for name in names:
            path = Path(directory) / name
            try:
                status = os.lstat(path)
            except OSError:
                continue
            if stat.S_ISREG(status.st_mode):
                found[path] = status.st_size
    return found
