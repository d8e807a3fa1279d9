"""From plain files to objects in a cache: parts of many files under way at once, every byte hashed as it lands."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import CancelledError, Future, ThreadPoolExecutor, wait
from functools import partial
from types import TracebackType
from typing import Final, NamedTuple

from msgspec.structs import replace

from datatool.cache.local import Cache
from datatool.cache.writer import CacheWriter
from datatool.errors import DatatoolError, ReadFailed, RemoteDenied
from datatool.hashing import Hasher, digest
from datatool.localfs.atomic import write_all
from datatool.model.oid import ObjectId
from datatool.progress import Task
from datatool.remote.plain import PART, Changed, PlainFile, PlainFiles, changed
from datatool.store.limited import Allowance
from datatool.store.objects import Wanted
from datatool.store.retry import Retries

IN_FLIGHT: Final = 64 << 20
"""Bytes that are under way or wait to be written."""
_AHEAD: Final = 4
"""Parts that each lane may be ahead of what is written."""


def copy_plain(
    files: PlainFiles,
    wanted: Sequence[PlainFile],
    cache: Cache,
    task: Task,
    *,
    bandwidth: int | None = None,
    retries: Retries | None = None,
) -> Iterator[tuple[PlainFile, ObjectId, int]]:
    """Bring files into a cache: each with its object id and its size in bytes, once it was taken.

    All are readable when the iterator is exhausted, or when a remote broke off. Raises `Lost` at the end, when all
    others are here, for files that changed meanwhile or may not be read; RemoteError and its kin, LocalError.
    """
    lost: list[tuple[PlainFile, DatatoolError]] = []
    allowance = None if bandwidth is None else Allowance(bandwidth)
    with cache.writer() as writer, _Parts(files, wanted, allowance, retries or Retries()) as parts:
        for file in wanted:
            try:
                oid, size = _copy(file, parts, writer, task)
            except (Changed, RemoteDenied, ReadFailed) as error:
                lost.append((file, error))
                parts.drop(file)
            else:
                yield file, oid, size
    if lost:
        raise Lost(lost)


class Lost(Exception):
    """Some files could not be had, though all others are here; why, for each."""

    def __init__(self, files: Sequence[tuple[PlainFile, DatatoolError]]) -> None:
        super().__init__(f"{len(files)} files")
        self.files = tuple(files)


def _copy(file: PlainFile, parts: _Parts, writer: CacheWriter, task: Task) -> tuple[ObjectId, int]:
    if file.size is not None and file.size <= PART:
        data = parts.next(file) if file.size else b""
        if len(data) != file.size:
            raise changed(parts.label, file.path)
        oid = digest(data)
        writer.put(Wanted(oid, len(data), file.path), data, task)
        return oid, len(data)
    filling = _Filling(file, parts, task)
    oid = writer.receive(filling.fill, file.size or 0)
    parts.drop(file)
    task.advance(files=1)
    return oid, filling.size


class _Filling:
    """A file that is written part by part."""

    def __init__(self, file: PlainFile, parts: _Parts, task: Task) -> None:
        self._file = file
        self._parts = parts
        self._task = task
        self.size = 0

    def fill(self, fd: int) -> ObjectId:
        hasher = Hasher()
        expected = self._file.size
        while expected is None or self.size < expected:
            data = self._parts.next(self._file)
            hasher.update(data)
            write_all(fd, data)
            self.size += len(data)
            self._task.advance(bytes=len(data))
            if len(data) < PART:
                break
        if expected is not None and self.size != expected:
            raise changed(self._parts.label, self._file.path)
        return hasher.oid


class _Part(NamedTuple):
    file: PlainFile
    length: int
    data: Future[bytes]


class _Parts:
    """Parts of files, given in order and read ahead, in as many lanes as their place has."""

    def __init__(
        self, files: PlainFiles, wanted: Sequence[PlainFile], allowance: Allowance | None, retries: Retries
    ) -> None:
        self.label = files.label
        self._files = files
        self._allowance = allowance
        self._over = threading.Event()
        self._retries = replace(retries, sleep=self._rest)
        self._todo = deque(file for file in wanted if file.size != 0)
        self._start = 0
        """Where the next part of the first of them begins."""
        self._under_way: deque[_Part] = deque()
        self._held = 0
        self._pool = ThreadPoolExecutor(max_workers=files.lanes, thread_name_prefix="read")

    def __enter__(self) -> _Parts:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over.set()
        self._pool.shutdown(wait=False, cancel_futures=True)
        if kind is not None:  # else nothing is under way; threads that are would hold up the end of the process
            self._files.stop()

    def next(self, file: PlainFile) -> bytes:
        """The next part of a file, which is the one whose turn it is."""
        self._fill_up()
        part = self._under_way.popleft()
        assert part.file is file
        try:
            while not part.data.done():
                wait((part.data,), timeout=1)  # a second at most, so that Ctrl-C is heard on every system
            data = part.data.result()
        finally:
            self._held -= part.length
        if self._allowance is not None:
            self._allowance.take(len(data))
        return data

    def _read(self, file: PlainFile, start: int, length: int) -> bytes:
        if self._over.is_set():
            raise CancelledError
        return self._files.read(file, start, length)

    def _rest(self, seconds: float) -> None:
        self._over.wait(seconds)

    def drop(self, file: PlainFile) -> None:
        """What is left of a file is not wanted."""
        while self._under_way and self._under_way[0].file is file:
            part = self._under_way.popleft()
            part.data.cancel()
            self._held -= part.length
        if self._todo and self._todo[0] is file:
            self._todo.popleft()
            self._start = 0

    def _fill_up(self) -> None:
        while self._todo and len(self._under_way) < _AHEAD * self._files.lanes:
            file, start = self._todo[0], self._start
            length = PART if file.size is None else min(PART, file.size - start)
            if self._under_way and (file.size is None or self._held + length > IN_FLIGHT):
                return  # of a file that ends nobody knows where, one part after the other
            read = partial(self._read, file, start, length)
            self._under_way.append(_Part(file, length, self._pool.submit(self._retries.call, read)))
            self._held += length
            self._start += length
            if self._start == file.size:
                self._todo.popleft()
                self._start = 0
