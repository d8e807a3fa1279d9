"""A key for the data that a work tree names, under which a CI system may keep the cache between jobs."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from datatool.hashing import digest
from datatool.model.pointer import Pointer
from datatool.operations.result import Result
from datatool.operations.targets import select
from datatool.project.project import Project

_HEAD: Final = b"datatool cache key 1"
"""Another number makes all keys new."""


@dataclass(frozen=True, kw_only=True, slots=True)
class CacheKey(Result):
    """64 hex digits that are equal where the data is, and how many artifacts are in them."""

    key: str
    artifacts: int


def cache_key(project: Project, targets: Sequence[str] = (), *, cwd: Path) -> CacheKey:
    """The key for what targets name in the work tree, everything by default.

    Only content counts, not where it lies: a moved file keeps the key. Raises PathNotFound, and FormatError for a
    pointer that does not read: a key without it would stand for other data.
    """
    chosen, broken = select(project, targets, cwd)
    for error in broken:
        raise error
    lines = {_content(item.artifact.pointer) + b" " + item.within for item in chosen}
    return CacheKey(key=digest(b"\0".join([_HEAD, *sorted(lines)])), artifacts=len(chosen))


def _content(pointer: Pointer) -> bytes:
    """The object id; without one (an import that was not downloaded), what stands for it at the source."""
    if pointer.oid is not None:
        return pointer.oid.encode("ascii")
    source = pointer.source
    facts = () if source is None else (source.repo, source.commit, source.path, source.url, source.etag, source.query)
    return digest(b"\0".join(os.fsencode(fact or "") for fact in facts)).encode("ascii")
