"""The storage of a DVC project: its own cache where it is on this machine, then the remotes.

An object counts only when its bytes are what its md5 says; what is wrong in one place is looked for in the next.
"""

from __future__ import annotations

import hashlib
import os
import stat
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

from msgspec import Struct, field
from msgspec.structs import replace

from datatool.errors import (
    DamageFound,
    DatatoolError,
    PartlyDone,
    RemoteDenied,
    RemoteError,
    RemoteNotFound,
    UrlNotFound,
)
from datatool.formats.dvc_file import Md5
from datatool.hashing import digest
from datatool.localfs.atomic import local_error, new_temp, remove_file, write_all
from datatool.model.oid import ObjectId
from datatool.model.paths import show, show_bytes
from datatool.registry.access import Access
from datatool.registry.dvc.md5 import CHUNK, Md5Check, is_content_of
from datatool.registry.dvc.settings import DvcSettings
from datatool.store.names import is_name
from datatool.store.protocol import ByteRange, NameMissing, Store, Versions

STEP: Final = 8 << 20
"""Bytes asked for at once: what ends before is an object that is held in memory, what does not goes to a file."""
_AHEAD: Final = 4
"""Ranges of one large object that are asked for together."""


class Place(Struct, frozen=True, kw_only=True):
    """Where the bytes of one file are. `remote` None means the default one. `versioned` is the name under which a
    remote that keeps versions has them, instead of the object's. `label` is the path for messages."""

    md5: Md5
    remote: str | None
    label: bytes
    size: int | None = None
    versioned: str | None = None
    version: str | None = None


class Small(Struct, frozen=True, kw_only=True):
    """An object in memory, and its id."""

    oid: ObjectId
    data: bytes

    @property
    def size(self) -> int:
        """Its bytes' count."""
        return len(self.data)

    def discard(self) -> None:
        """Nothing to let go of."""


class Large(Struct, frozen=True, kw_only=True):
    """An object in an open file, and its id; whoever has it discards it. `path` is set for a temporary file."""

    oid: ObjectId
    fd: int
    path: Path | None
    size: int

    def read(self) -> bytes:
        """All of it, where that fits in memory."""
        os.lseek(self.fd, 0, os.SEEK_SET)
        with open(self.fd, "rb", closefd=False) as file:
            return file.read()

    def discard(self) -> None:
        """Let go of the file; a temporary one is deleted."""
        os.close(self.fd)
        if self.path is not None:
            remove_file(self.path)


class Storage(Struct):
    """Gets objects of one DVC project; its methods may be called by several threads at once.

    `cache` is the project's own cache directory; `scratch` gives the directory for large objects under way.
    """

    access: Access
    settings: DvcSettings
    cache: Path | None
    scratch: Callable[[], Path]
    _stores: dict[str | None, Store | DatatoolError] = field(default_factory=dict)
    _broken: dict[str, RemoteError] = field(default_factory=dict)
    _answered: set[str] = field(default_factory=set)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def fetch(self, place: Place, advance: Callable[[int], None] | None = None) -> Small | Large:
        """The object of a place, checked.

        Raises DamageFound where only wrong bytes were found, PartlyDone where there are none, RemoteError, and
        what costs everything of a remote: RemoteNotFound, UnsafeInput.
        """
        damaged: list[str] = []
        if self.cache is not None:
            found = self._try_cache(place, damaged)
            if found is not None:
                return found
        store = self._store(place.remote)
        try:
            found = self._take(store, self._reading(store, place), place, advance)
            if found is not None:
                return found
            damaged.append(store.label)
        except NameMissing:
            self._heard(store)
        except RemoteError as error:
            self._failed(store, error)
            raise
        raise self._not_there(place, store.label, damaged)

    def require(self, place: Place) -> None:
        """Raise what `fetch` would for an object that is nowhere; whether its bytes are right is not looked at."""
        fd = _open_regular(self.cache / place.md5.name) if self.cache is not None else None
        if fd is not None:
            os.close(fd)
            return
        store = self._store(place.remote)
        try:
            self._reading(store, place).first(1)
            self._heard(store)
        except NameMissing:
            raise self._not_there(place, store.label, []) from None
        except RemoteError as error:
            self._failed(store, error)
            raise

    # One place after the other

    def _try_cache(self, place: Place, damaged: list[str]) -> Small | Large | None:
        """The object out of the project's own cache: a large file is used where it lies."""
        assert self.cache is not None
        fd = _open_regular(self.cache / place.md5.name)
        if fd is None:
            return None
        found: Small | Large | None = None
        try:
            size = os.fstat(fd).st_size
            found = _read_small(fd, size, place.md5) if size < STEP else _read_large(fd, size, place.md5)
        except OSError:  # unreadable here, whatever the reason: the remote may have it
            return None
        finally:
            if not isinstance(found, Large):
                os.close(fd)
        if found is None:
            damaged.append(str(self.cache))
        return found

    def _take(
        self, store: Store, reading: _Reading, place: Place, advance: Callable[[int], None] | None
    ) -> Small | Large | None:
        """An object out of one store; None for wrong bytes."""
        data = reading.first()
        self._heard(store)
        if advance is not None:
            advance(len(data))
        if len(data) < STEP:
            return Small(oid=digest(data), data=data) if is_content_of(data, place.md5) else None
        return self._take_large(reading, place, data, advance)

    def _take_large(
        self, reading: _Reading, place: Place, first: bytes, advance: Callable[[int], None] | None
    ) -> Large | None:
        sha256 = hashlib.sha256(first, usedforsecurity=False)
        check = Md5Check(legacy=place.md5.legacy and not place.md5.directory)
        check.update(first)
        size = len(first)
        try:
            fd, path = new_temp(self.scratch())
        except OSError as error:
            raise local_error(error, self.scratch()) from error
        try:
            write_all(fd, first)
            for data in reading.rest():
                sha256.update(data)
                check.update(data)
                write_all(fd, data)
                size += len(data)
                if advance is not None:
                    advance(len(data))
                if place.size is not None and size > place.size:
                    break  # it has no end, or is another one
            if check.matches(place.md5.digits):
                return Large(oid=ObjectId(sha256.hexdigest()), fd=fd, path=path, size=size)
        except BaseException as error:
            os.close(fd)
            remove_file(path)
            if isinstance(error, OSError) and not isinstance(error, DatatoolError):
                raise local_error(error, path, size) from error
            raise
        os.close(fd)
        remove_file(path)
        return None

    # Remotes

    def label(self, remote: str | None) -> str:
        """What to call a remote in messages."""
        return remote or self.settings.default or "(none)"

    def url(self, place: Place) -> str:
        """Where a remote has an object as a file of its own. Raises UrlNotFound for one that it does not have, or has
        under a name that other versions have too; RemoteNotFound, RemoteError."""
        path = os.fsdecode(place.label)
        if place.versioned is not None:
            raise UrlNotFound(
                f"{show_bytes(place.label)}: remote {self.label(place.remote)} keeps all its versions under one name",
                hint="datatool.open and datatool.path read the right one",
                path=path,
            )
        store = self._store(place.remote)
        try:
            store.get(place.md5.name, 0, 1)
        except NameMissing as error:
            raise UrlNotFound(
                f"{show_bytes(place.label)}: md5 {place.md5} is not in remote {self.label(place.remote)}",
                hint="whoever has the data: dvc push; then ask again",
                path=path,
            ) from error
        settings: dict[str, str] = {}
        if self.access.given is None:
            remote = self.settings.remote(place.remote or self.settings.default or "")
            settings = {**remote.theirs, **remote.mine}
        return f"{self.access.address(settings, root=self._root).rstrip('/')}/{place.md5.name}"

    @property
    def _root(self) -> Path:
        return self.access.repository.local or Path(os.path.abspath(os.sep))

    def _store(self, remote: str | None) -> Store:
        """The store of a remote, connected once; one that failed for good fails at once from then on."""
        name = remote or self.settings.default
        with self._lock:
            known = self._stores.get(name)
            if known is None:
                try:
                    known = self._connect(name)
                except DatatoolError as error:
                    known = error
                self._stores[name] = known
        if isinstance(known, DatatoolError):
            raise known
        if known.label in self._broken:
            raise self._broken[known.label]
        return known

    def _connect(self, name: str | None) -> Store:
        if self.access.given is not None:
            return self.access.store(name or "given", {}, root=self._root)
        if name is None:
            raise RemoteNotFound(
                f"{self.settings.shown}: DVC has no default remote there"
                + ("" if self.cache is None else ", and its own cache lacks this"),
                hint="--remote URL reads its data from another place",
            )
        remote = self.settings.remote(name)
        access = replace(self.access, trusted=True) if remote.typed else self.access
        return access.store(name, remote.theirs, root=self._root, mine=remote.mine)

    def _reading(self, store: Store, place: Place) -> _Reading:
        """How to read a place; of a version that the store can't go back to, what lies under its name now."""
        if place.versioned is None:
            return _Reading(store, place.md5.name)
        if place.version is not None and isinstance(store, Versions) and _is_key(place.versioned):
            return _Reading(store, place.versioned, place.version)
        if is_name(place.versioned):
            return _Reading(store, place.versioned)
        raise PartlyDone(
            f"{show_bytes(place.label)}: lies in remote {self.label(place.remote)} under a name that can't be asked "
            "for",
            path=os.fsdecode(place.label),
        )

    def _heard(self, store: Store) -> None:
        self._answered.add(store.label)

    def _failed(self, store: Store, error: RemoteError) -> None:
        """Nobody waits again for a remote that did not answer; a refusal may be for one name."""
        if not (isinstance(error, RemoteDenied) and store.label in self._answered):
            self._broken[store.label] = error

    def _not_there(self, place: Place, label: str, damaged: list[str]) -> DatatoolError:
        path = os.fsdecode(place.label)
        what = f"{show_bytes(place.label)}: md5 {place.md5}"
        if damaged:
            version = "" if place.versioned is None else " (perhaps another version is there now)"
            return DamageFound(
                f"{what} has other bytes in {show(', '.join(damaged))}{version}; nothing wrong was kept",
                hint="whoever has the data: dvc push, after the wrong file is removed there",
                path=path,
            )
        return PartlyDone(
            f"{what} is not in remote {self.label(place.remote)} ({show(label)})",
            hint="whoever has the data: dvc push; then run this again",
            path=path,
        )


def _open_regular(path: Path) -> int | None:
    """Open a plain file; None for what is none, a link included, or is not there."""
    flags = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_CLOEXEC", 0)
    try:
        fd = os.open(path, flags | getattr(os, "O_BINARY", 0))
    except OSError:
        return None
    if stat.S_ISREG(os.fstat(fd).st_mode):
        return fd
    os.close(fd)
    return None


def _read_small(fd: int, size: int, md5: Md5) -> Small | None:
    with open(fd, "rb", closefd=False) as file:
        data = file.read(size)
    return Small(oid=digest(data), data=data) if is_content_of(data, md5) else None


def _read_large(fd: int, size: int, md5: Md5) -> Large | None:
    sha256 = hashlib.sha256(usedforsecurity=False)
    check = Md5Check(legacy=md5.legacy and not md5.directory)
    left = size
    while left and (data := os.read(fd, min(left, CHUNK))):
        sha256.update(data)
        check.update(data)
        left -= len(data)
    if left or not check.matches(md5.digits):
        return None
    return Large(oid=ObjectId(sha256.hexdigest()), fd=fd, path=None, size=size)


class _Reading(Struct, frozen=True):
    """One object in a store, read a step at a time: under its name, or in one version of what has that name."""

    store: Store
    name: str
    version: str | None = None

    def first(self, count: int = STEP) -> bytes:
        """The first bytes; fewer only where the object has no more."""
        return self._version(0, count) if self.version is not None else self.store.get(self.name, 0, count)

    def rest(self) -> Iterator[bytes]:
        """What follows it, in order; a few ranges are asked for at a time."""
        start = STEP
        while True:
            ended = False
            for data in self._some(start):
                if data and not ended:
                    yield data
                ended = ended or len(data) < STEP
            if ended:
                return
            start += _AHEAD * STEP

    def _some(self, start: int) -> Iterator[bytes]:
        starts = [start + number * STEP for number in range(_AHEAD)]
        if self.version is None:
            yield from self.store.get_many([ByteRange(self.name, one, STEP) for one in starts])
            return
        for one in starts:
            data = self._version(one)
            yield data
            if len(data) < STEP:
                return

    def _version(self, start: int, count: int = STEP) -> bytes:
        assert isinstance(self.store, Versions) and self.version is not None
        return self.store.get_version(self.name, self.version, start, count)


def _is_key(name: str) -> bool:
    """Whether a name can be part of a key: text, without names that would be somewhere else for some server."""
    return name.isprintable() and not {"", ".", ".."} & set(name.split("/"))
