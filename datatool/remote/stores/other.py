"""Remotes in whatever else fsspec reaches, by what all its filesystems can do: read ranges, upload, list, delete.

Little is taken for granted: nothing is conditional, nothing resumes, and what a filesystem remembers of listings is
not believed. `other_kinds` says which filesystems may be used at all.
"""

from __future__ import annotations

import os
import secrets
import threading
import time
import weakref
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any, Final

from datatool.errors import ReadFailed, RemoteBusy, RemoteDenied, RemoteError
from datatool.hashing import digest, hash_fd
from datatool.model.oid import ObjectId
from datatool.model.paths import show
from datatool.remote.stores.arriving import ArrivingFile
from datatool.remote.stores.options import StoreOptions
from datatool.remote.stores.other_errors import date_of, translate, translating
from datatool.remote.stores.other_kinds import Opened, kind_of, open_filesystem
from datatool.remote.url import RemoteUrl
from datatool.store.names import check_name, is_name
from datatool.store.protocol import (
    Advance,
    ByteRange,
    Capabilities,
    Leftover,
    Listed,
    NameMissing,
    NameTaken,
    WrongBytes,
)
from datatool.store.retry import Retries

PART: Final = 16 << 20
"""What is read of a large file at a time, and what is sent from memory."""
PARTS: Final = 3
"""Parts of a large file under way."""
IN_FLIGHT: Final = 64 << 20
LARGEST: Final = 64 << 20
"""No name that is read into memory is larger."""
TEMPORARY: Final = "tmp"
"""Where uploads wait for their names, beside them."""


def open_store(url: RemoteUrl, settings: Mapping[str, str], options: StoreOptions) -> OtherStore:
    """The remote at a URL of one of the protocols in `other_kinds`. Raises RemoteError for all others."""
    kind_of(url)
    return OtherStore(partial(open_filesystem, url, settings, options), label=url.shown, jobs=options.jobs)


class OtherStore:
    """Names below a path of an fsspec filesystem, which is opened when it is first needed."""

    def __init__(
        self, connect: Callable[[], Opened], *, label: str, jobs: int = 8, retries: Retries | None = None
    ) -> None:
        self._connect = connect
        self._label = label
        self._jobs = max(1, jobs)
        self._retries = retries or Retries()
        self._opened: Opened | None = None
        self._lock = threading.Lock()
        self._exclusive = threading.Lock()
        self._directories: set[str] = set()

    @property
    def label(self) -> str:
        """What to call it in messages: the URL, without password and query."""
        return self._label

    @property
    def capabilities(self) -> Capabilities:
        """What it can do."""
        return Capabilities()

    # Reading

    def list(self, prefix: str) -> Iterator[Listed]:
        """Every name that starts with `prefix`, sorted."""
        directory = prefix.rpartition("/")[0]
        if directory:
            check_name(directory)
        return iter(self._list(directory, prefix))

    @translating
    def _list(self, directory: str, prefix: str) -> Sequence[Listed]:
        rows = []
        for path, entry in self._find(directory):
            name = self._name(path)
            if name.startswith(prefix) and is_name(name) and not name.startswith(f"{TEMPORARY}/"):
                rows.append(self._listed(name, entry))
        return sorted(rows)

    def _find(self, directory: str) -> Iterable[tuple[str, Mapping[str, Any]]]:
        """All files below a directory, with what is told of them; none if it is not there. Never only some of them."""
        place = self._place()
        path = self._path(directory)
        place.filesystem.invalidate_cache()
        try:
            if place.walks:
                return self._walk(path)
            found = place.filesystem.find(path, detail=True)
        except (FileNotFoundError, NotADirectoryError):
            return ()
        return tuple(found.items()) if isinstance(found, dict) else ()  # else it is a file, with nothing below it

    def _walk(self, path: str) -> Sequence[tuple[str, Mapping[str, Any]]]:
        """The same, level by level: `find` would leave out the directories that it could not read."""
        files: dict[str, Mapping[str, Any]] = {}
        level, entries = [path], [self._place().filesystem.ls(path, detail=True)]
        with ThreadPoolExecutor(max_workers=self._jobs, thread_name_prefix="list") as pool:
            while level:
                below = []
                for directory, rows in zip(level, entries, strict=True):
                    for row in rows:
                        if row["type"] == "directory":
                            below += [row["name"]] if row["name"].strip("/") != directory.strip("/") else []
                        else:
                            files[row["name"]] = row
                level, entries = below, [*pool.map(self._list_inner, below)]
        return tuple(files.items())

    def _list_inner(self, path: str) -> Sequence[Mapping[str, Any]]:
        try:
            rows: Sequence[Mapping[str, Any]] = self._place().filesystem.ls(path, detail=True)
        except FileNotFoundError:
            raise RemoteBusy(f"{self._label}: a directory went away while it was listed") from None
        return rows

    def _listed(self, name: str, entry: Mapping[str, Any]) -> Listed:
        date, size = date_of(entry), entry.get("size")
        if date is None or not isinstance(size, int):
            # Which records count, and what may be deleted, goes by these dates: none is worse than no remote.
            raise RemoteError(f"{self._label}: tells no dates or sizes of its files, so it can't be a remote")
        return Listed(name, size, date)

    def get(self, name: str, start: int = 0, length: int | None = None) -> bytes:
        """The bytes of a name, or a range of them."""
        return self._get(check_name(name), start, length)

    @translating
    def _get(self, name: str, start: int, length: int | None) -> bytes:
        path = self._path(name)
        most = LARGEST + 1 if length is None else length
        try:
            data: bytes = self._place().filesystem.cat_file(path, start=start, end=start + max(most, 1))[:most]
        except FileNotFoundError:
            raise NameMissing(name) from None
        except Exception as error:
            # Of a range behind the end, or in an empty file, each library thinks differently.
            if type(translate(error, self._label)) is RemoteError and self._size(name) <= start:
                return b""
            raise
        if length is None and len(data) > LARGEST:
            raise RemoteError(f"{self._label}: {name} is larger than anything of its kind in a remote")
        return data

    def get_many(self, ranges: Sequence[ByteRange]) -> Iterator[bytes]:
        """The bytes of each range, in the order asked."""
        todo = deque(ranges)
        flying: deque[tuple[int, Future[bytes]]] = deque()
        held = 0
        with ThreadPoolExecutor(max_workers=self._jobs, thread_name_prefix="get") as pool:
            try:
                while todo or flying:
                    while todo and len(flying) < self._jobs and (not flying or held + todo[0].length <= IN_FLIGHT):
                        part = todo.popleft()
                        held += part.length
                        flying.append((part.length, pool.submit(self.get, *part)))
                    cost, future = flying.popleft()
                    yield future.result()
                    held -= cost
            finally:
                pool.shutdown(wait=False, cancel_futures=True)

    def get_file(
        self, name: str, target: int, sha256: ObjectId, size: int, *, have: int = 0, advance: Advance | None = None
    ) -> None:
        """Copy `name` into an open local file, hashing what arrives."""
        if self._retries.call(partial(self._size, check_name(name))) != size:
            raise WrongBytes(name)
        file = ArrivingFile(target, size, advance, have=have)
        todo = deque(range(file.position, size, PART))
        flying: deque[Future[bytes]] = deque()
        with ThreadPoolExecutor(max_workers=PARTS, thread_name_prefix="get") as pool:
            try:
                while todo or flying:
                    while todo and len(flying) < PARTS:
                        part = partial(self.get, name, todo.popleft(), PART)
                        flying.append(pool.submit(self._retries.call, part))
                    file.take(flying[0].result())
                    flying.popleft()
            finally:
                pool.shutdown(wait=False, cancel_futures=True)
        if file.oid != sha256:
            raise WrongBytes(name)

    @translating
    def _size(self, name: str) -> int:
        self._place().filesystem.invalidate_cache()
        try:
            found = self._place().filesystem.info(self._path(name))
        except FileNotFoundError:
            raise NameMissing(name) from None
        if found.get("type") == "directory":
            raise NameMissing(name)
        return int(found["size"])

    # Writing

    def put(self, name: str, data: bytes, *, exclusive: bool = False) -> None:
        """Publish `data`; `exclusive` is checked before, which is no help against other machines."""
        check_name(name)
        if not exclusive:
            self._put(name, data)
            return
        with self._exclusive:
            if self._there(name):
                raise NameTaken(name)
            self._put(name, data)

    @translating
    def _put(self, name: str, data: bytes) -> None:
        self._publish(name, lambda path: self._place().filesystem.pipe_file(path, data))

    def put_file(self, name: str, source: Path, sha256: ObjectId, *, advance: Advance | None = None) -> None:
        """Copy a local file to `name`. A large one is sent by the library itself: so it is hashed before and after,
        and gone again if it was another file in between."""
        check_name(name)
        try:
            fd = os.open(source, os.O_RDONLY | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0))
            try:
                size = os.fstat(fd).st_size
                small = os.read(fd, PART) if size <= PART else None
                found = hash_fd(fd, size) if small is None else digest(small)
            finally:
                os.close(fd)
        except OSError as error:
            raise ReadFailed(f"{show(str(source))}: can't be read: {error.strerror}", path=str(source)) from error
        if found != sha256:
            raise WrongBytes(name)
        if small is not None:
            self._put(name, small)
        else:
            self._retries.call(lambda: self._send(name, source, sha256, size))
        if advance is not None:
            advance(size)

    @translating
    def _send(self, name: str, source: Path, sha256: ObjectId, size: int) -> None:
        def send(path: str) -> None:
            self._place().filesystem.put_file(str(source), path)
            with open(source, "rb", buffering=0) as file:
                if hash_fd(file.fileno(), size) != sha256 or os.fstat(file.fileno()).st_size != size:
                    self._place().filesystem.rm_file(path)
                    raise WrongBytes(name)

        self._publish(name, send)

    def _publish(self, name: str, send: Callable[[str], None]) -> None:
        place = self._place()
        path = self._path(name)
        if place.move is None:
            send(path)
            return
        waiting = self._path(f"{TEMPORARY}/{secrets.token_hex(16)}")
        self._make_parent(waiting)
        try:
            send(waiting)
            self._make_parent(path)
            place.move(place.filesystem, waiting, path)
        except BaseException:
            with suppress(Exception):
                place.filesystem.rm_file(waiting)
            raise

    def _make_parent(self, path: str) -> None:
        parent = path.rpartition("/")[0]
        if parent and parent not in self._directories:
            self._place().filesystem.makedirs(parent, exist_ok=True)
            self._directories.add(parent)

    def delete_many(self, names: Iterable[str]) -> None:
        """Delete names; those that are not there are no error."""
        todo = [check_name(name) for name in names]
        with ThreadPoolExecutor(max_workers=self._jobs, thread_name_prefix="delete") as pool:
            for _ in pool.map(self._delete, map(self._path, todo)):
                pass

    @translating
    def _delete(self, path: str) -> None:
        with suppress(FileNotFoundError):
            self._place().filesystem.rm_file(path)

    def server_time(self) -> float:
        """Now, by the date that a new file gets; by this machine's clock where none may be made."""
        name = f"{TEMPORARY}/{secrets.token_hex(16)}"
        try:
            return self._dated(name)
        except RemoteDenied:
            return time.time()
        finally:
            with suppress(RemoteError):
                self._delete(self._path(name))

    @translating
    def _dated(self, name: str) -> float:
        filesystem, path = self._place().filesystem, self._path(name)
        if self._place().move is not None:
            self._make_parent(path)
        filesystem.pipe_file(path, b"x")
        filesystem.invalidate_cache()
        return self._listed(name, filesystem.info(path)).time

    def leftovers(self) -> Iterator[Leftover]:
        """Uploads that never got their names, where uploads wait for them."""
        if self._place().move is not None:
            yield from self._waiting()

    @translating
    def _waiting(self) -> Sequence[Leftover]:
        rows = sorted(self._listed(self._name(path), entry) for path, entry in self._find(TEMPORARY))
        return [Leftover("", row.size, row.time, row.name) for row in rows]

    def discard(self, leftover: Leftover) -> None:
        """Delete such an upload."""
        self._delete(self._path(check_name(leftover.id)))

    # Where

    def _there(self, name: str) -> bool:
        try:
            self._size(name)
        except NameMissing:
            return False
        return True

    @translating
    def _place(self) -> Opened:
        with self._lock:
            if self._opened is None:
                self._opened = self._connect()
                if self._opened.close is not None:
                    weakref.finalize(self, self._opened.close)
            return self._opened

    def _path(self, name: str) -> str:
        top = self._place().top
        return f"{top}/{name}" if top and name else top or name

    def _name(self, path: str) -> str:
        top = self._place().top.strip("/")
        return path.strip("/").removeprefix(f"{top}/" if top else "")
