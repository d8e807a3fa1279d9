"""Putting one object to its place in the workspace: written out, or linked into the cache."""

from __future__ import annotations

import os
import stat
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final

from msgspec import Struct, field

from datatool.cache.local import Cache
from datatool.localfs.batch import Batch, NewFile
from datatool.localfs.leases import is_written_to
from datatool.localfs.links import hardlinks_safe
from datatool.localfs.modes import file_mode
from datatool.localfs.mounts import on_own_disk
from datatool.model.entry import EXECUTABLE, FILE, Entry
from datatool.model.oid import ObjectId
from datatool.model.settings import LinkMethod
from datatool.progress import Task
from datatool.store.objects import Absent, Large, Small
from datatool.workspace.early_copies import EarlyCopies
from datatool.workspace.present import Workspace

_COUNTED: Final = 1 << 20
"""From this size on a file's bytes count as copied."""

_TOGETHER: Final = 256 << 10
"""About so many bytes of small files are written together."""


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


def stays(workspace: Workspace, cache: Cache, path: bytes, oid: ObjectId, methods: Sequence[LinkMethod]) -> bool:
    """Whether a file with the right bytes is not to be linked or copied anew: it is already what the first of the
    methods makes, or somebody has it open for writing, and what they write then would be lost with it."""
    full = workspace.full(path)
    place = cache.loose_path(oid)
    try:
        found = os.lstat(full)
    except OSError:
        return False
    if methods[:1] == (LinkMethod.HARDLINK,) and not found.st_mode & 0o222 and hardlinks_safe(place.parent):
        with suppress(OSError):  # it lies in a pack
            if os.path.samestat(found, os.lstat(place)):
                return True
    return stat.S_ISREG(found.st_mode) and is_written_to(full) and on_own_disk(workspace.root)


class Placing:
    """Writes checked objects to their places in the workspace; use it with `with`. `task` hears of them.

    Small ones are written some at a time, while their bytes are still in the processor's cache; of large ones there may
    be `early` copies.
    """

    def __init__(
        self,
        batch: Batch,
        outcome: Outcome,
        task: Task,
        *,
        read_only: bool = False,
        early: EarlyCopies | None = None,
    ) -> None:
        self._early = early
        self._batch = batch
        self._outcome = outcome
        self._task = task
        bits = 0o555 if read_only else 0o777
        self._modes = {FILE: file_mode(executable=False) & bits, EXECUTABLE: file_mode(executable=True) & bits}
        self._waiting: list[NewFile] = []
        self._bytes = 0

    def __enter__(self) -> Placing:
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        if kind is None:
            self._write()

    def put(self, item: Small | Large | Absent, path: bytes, entry: Entry, *, replace: bool) -> None:
        """Put one entry's object at `path` (from the batch's top). Raises LocalError, NoSpace."""
        if isinstance(item, Small):
            data = item.data
            self._waiting.append(NewFile(path, data, self._modes[entry.kind], replace, (path, entry.oid, entry)))
            self._bytes += len(data)
            if self._bytes >= _TOGETHER:
                self._write()
        elif isinstance(item, Large):
            self._copy(item, path, entry, replace)
        else:
            (self._outcome.damaged if item.damaged else self._outcome.missing).append(entry.path)

    def _write(self) -> None:
        files, size = self._waiting, self._bytes
        self._waiting, self._bytes = [], 0
        self._batch.write_many(files)
        self._task.advance(bytes=size, files=len(files))
        self._outcome.written += len(files)
        self._outcome.bytes_copied += sum([len(file.data) for file in files if len(file.data) >= _COUNTED])

    def _copy(self, item: Large, path: bytes, entry: Entry, replace: bool) -> None:
        batch, task = self._batch, self._task
        directory = os.path.dirname(path)
        fd = self._early.take(path, item.wanted.oid) if self._early is not None else None
        temp = batch.adopt(directory, fd) if fd is not None else None
        if fd is not None and temp is not None:
            task.advance(bytes=entry.size)
        else:
            fd, temp = batch.open_temp(directory, target=path)
            try:
                item.copy_to(fd, 0, lambda count: task.advance(bytes=count))
            except BaseException as error:
                batch.discard(temp, fd=fd)
                if isinstance(error, OSError):
                    raise batch.error(error, path, entry.size) from error
                raise
        mode = self._modes[entry.kind]
        batch.add(temp, path, fd=fd, mode=mode, size=entry.size, replace=replace, tag=(path, entry.oid, entry))
        task.advance(files=1)
        self._outcome.written += 1
        self._outcome.bytes_copied += entry.size
