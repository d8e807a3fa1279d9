"""A store that lives in this process's memory: for tests, and as the plainest example of the contract."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

from datatool.errors import ReadFailed
from datatool.hashing import digest
from datatool.model.oid import ObjectId
from datatool.model.paths import show
from datatool.store.names import check_name
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


class MemoryStore:
    """Names and bytes in a dictionary; several threads, and several "machines", may share one.

    >>> store = MemoryStore()
    >>> store.put("index/a", b"abc")
    >>> store.get("index/a", 1)
    b'bc'
    """

    def __init__(self, *, clock: Callable[[], float] = time.time, label: str = "memory://") -> None:
        """`clock` gives the dates in listings, in seconds since 1970."""
        self._clock = clock
        self._label = label
        self._held: dict[str, tuple[bytes, float]] = {}
        self._lock = threading.Lock()

    @property
    def label(self) -> str:
        """What to call it in messages."""
        return self._label

    @property
    def capabilities(self) -> Capabilities:
        """What it can do."""
        return Capabilities(checksum=True, conditional=True)

    def list(self, prefix: str) -> Iterator[Listed]:
        """Every name that starts with `prefix`, sorted."""
        with self._lock:
            found = [(name, len(data), when) for name, (data, when) in self._held.items() if name.startswith(prefix)]
        return (Listed(*row) for row in sorted(found))

    def get(self, name: str, start: int = 0, length: int | None = None) -> bytes:
        """The bytes of a name, or a range of them."""
        with self._lock:
            held = self._held.get(check_name(name))
        if held is None:
            raise NameMissing(name)
        return held[0][start : None if length is None else start + length]

    def get_many(self, ranges: Sequence[ByteRange]) -> Iterator[bytes]:
        """The bytes of each range, in the order asked."""
        return (self.get(*part) for part in ranges)

    def put(self, name: str, data: bytes, *, exclusive: bool = False) -> None:
        """Publish `data` under `name`."""
        with self._lock:
            if exclusive and check_name(name) in self._held:
                raise NameTaken(name)
            self._held[check_name(name)] = (bytes(data), self._clock())

    def put_file(self, name: str, source: Path, sha256: ObjectId, *, advance: Advance | None = None) -> None:
        """Copy a local file to `name`."""
        try:
            data = source.read_bytes()
        except OSError as error:
            raise ReadFailed(f"{show(str(source))}: can't be read: {error.strerror}", path=str(source)) from error
        if digest(data) != sha256:
            raise WrongBytes(name)
        self.put(name, data)
        if advance is not None:
            advance(len(data))

    def get_file(
        self, name: str, target: int, sha256: ObjectId, size: int, *, have: int = 0, advance: Advance | None = None
    ) -> None:
        """Copy `name` into an open local file."""
        data = self.get(name)
        if len(data) != size or digest(data) != sha256:
            raise WrongBytes(name)
        os.ftruncate(target, 0)
        os.lseek(target, 0, os.SEEK_SET)
        with open(target, "wb", closefd=False) as file:
            file.write(data)
        if advance is not None:
            advance(size)

    def delete_many(self, names: Iterable[str]) -> None:
        """Delete names; those that are not there are no error."""
        with self._lock:
            for name in names:
                self._held.pop(check_name(name), None)

    def server_time(self) -> float:
        """Now, by the clock that dates the listings."""
        return self._clock()

    def leftovers(self) -> Iterator[Leftover]:
        """None: nothing is begun here that is not finished."""
        return iter(())

    def discard(self, leftover: Leftover) -> None:
        """Nothing to do."""
