"""Putting one object to its place in the workspace: written out, or linked into the cache."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from msgspec import Struct, field

from datatool.localfs.batch import Batch
from datatool.localfs.links import hardlinks_safe
from datatool.localfs.modes import file_mode
from datatool.model.entry import EXECUTABLE, Entry
from datatool.model.oid import ObjectId
from datatool.model.settings import LinkMethod
from datatool.progress import Task
from datatool.store.objects import Large, Small


class Outcome(Struct):
    """What a checkout did. `missing` and `damaged` are paths whose object the cache lacks; `refused` those that
    somebody wrote to between the plan and its turn."""

    written: int = 0
    deleted: int = 0
    bytes_copied: int = 0
    missing: list[bytes] = field(default_factory=list)
    damaged: list[bytes] = field(default_factory=list)
    refused: list[bytes] = field(default_factory=list)


def link(
    batch: Batch,
    source: Path,
    path: bytes,
    oid: ObjectId,
    methods: Sequence[LinkMethod],
    *,
    replace: bool,
) -> bool:
    """Put a link to a cache file at `path` (from the batch's top); False where none of the methods is possible."""
    for method in methods:
        if method is LinkMethod.HARDLINK and not hardlinks_safe(source.parent):
            continue
        kind = "hardlink" if method is LinkMethod.HARDLINK else "symlink"
        if batch.adopt_link(path, os.fsencode(source), kind=kind, replace=replace, tag=(path, oid)):
            return True
    return False


def place(
    batch: Batch, item: Small | Large, path: bytes, entry: Entry, replace: bool, task: Task, *, read_only: bool = False
) -> None:
    """Write one checked object to its place in the workspace; `task` hears of it. Raises LocalError, NoSpace."""
    assert entry.oid is not None
    mode = file_mode(executable=entry.kind == EXECUTABLE) & (0o555 if read_only else 0o777)
    if isinstance(item, Small):
        batch.write(path, item.data, mode=mode, replace=replace, tag=(path, entry.oid, entry))
        task.advance(bytes=entry.size, files=1)
        return
    fd, temp = batch.open_temp(os.path.dirname(path))
    try:
        item.copy_to(fd, 0, lambda count: task.advance(bytes=count))
    except BaseException as error:
        batch.discard(temp, fd=fd)
        if isinstance(error, OSError):
            raise batch.error(error, path, entry.size) from error
        raise
    batch.add(temp, path, fd=fd, mode=mode, size=entry.size, replace=replace, tag=(path, entry.oid, entry))
    task.advance(files=1)
