"""The cache: where it is, what it holds, and what in it can be made again."""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass, replace
from pathlib import Path

from datatool.localfs.atomic import remove_file
from datatool.localfs.temps import left_over
from datatool.operations.result import Result
from datatool.project.project import Project

_INDEXES = (".dti", ".condemn", ".drop")
"""Files that were downloaded of remotes."""


@dataclass(frozen=True, kw_only=True, slots=True)
class CacheInfo(Result):
    """Counts, and sizes in bytes; `corrupt` objects were set aside, `temporary` files are left from kills, and what gc
    put into the trash has `trash_bytes`."""

    path: str
    objects: int
    packs: int
    bytes: int
    loose_bytes: int
    corrupt: int
    temporary: int
    trash_bytes: int


@dataclass(frozen=True, kw_only=True, slots=True)
class CacheCleaned(Result):
    """How many files went, or would, of how many bytes; whether the user's downloads were among them."""

    removed: int
    bytes: int
    downloads: bool = False
    dry_run: bool = False

    def __add__(self, other: CacheCleaned) -> CacheCleaned:
        return replace(self, removed=self.removed + other.removed, bytes=self.bytes + other.bytes)


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
        trash_bytes=sum(_files(top / "trash").values()),
    )


def cache_clean(project: Project, *, dry_run: bool = False) -> CacheCleaned:
    """Remove what can be made again: unfinished files of processes that are gone, and downloaded indexes of remotes.
    With `dry_run` they are only counted.

    Objects, and what was set aside as damaged, stay.
    """
    top = project.cache.top
    found = {path: size for path, size in _files(top / "remotes").items() if path.suffix in _INDEXES}
    unfinished = _files(top / "tmp")
    found |= {path: unfinished[path] for path in left_over(top / "tmp") if path in unfinished}
    if not dry_run:
        for path in found:
            remove_file(path)
    return CacheCleaned(removed=len(found), bytes=sum(found.values()))


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
