"""A store around another one that counts what passes, for `--json` results, tests and benchmarks."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from datatool.model.oid import ObjectId
from datatool.progress import Spared
from datatool.store.protocol import Advance, ByteRange, Capabilities, Leftover, Listed, Store


class CountingStore:
    """Counts requests, and the bytes that went out to the store and came in from it.

    `by_kind` counts requests by the method's name; each range of `get_many` is one `get`.
    """

    def __init__(self, inner: Store) -> None:
        self._inner = inner
        self._lock = threading.Lock()
        self.by_kind: Counter[str] = Counter()
        self.bytes_in = 0
        self.bytes_out = 0

    @property
    def requests(self) -> int:
        """All requests so far."""
        return self.by_kind.total()

    @property
    def label(self) -> str:
        """What to call the store in messages."""
        return self._inner.label

    @property
    def capabilities(self) -> Capabilities:
        """What the store can do."""
        return self._inner.capabilities

    def list(self, prefix: str) -> Iterator[Listed]:
        """Every name that starts with `prefix`, sorted."""
        self._count("list")
        return self._inner.list(prefix)

    def get(self, name: str, start: int = 0, length: int | None = None) -> bytes:
        """The bytes of a name, or a range of them."""
        self._count("get")
        data = self._inner.get(name, start, length)
        self._count_bytes(came_in=len(data))
        return data

    def get_many(self, ranges: Sequence[ByteRange]) -> Iterator[bytes]:
        """The bytes of each range, in the order asked."""
        self._count("get", len(ranges))
        return self._counted(self._inner.get_many(ranges))

    def _counted(self, pieces: Iterator[bytes]) -> Iterator[bytes]:
        for data in pieces:
            self._count_bytes(came_in=len(data))
            yield data

    def put(self, name: str, data: bytes, *, exclusive: bool = False) -> None:
        """Publish `data` under `name`."""
        self._count("put")
        self._inner.put(name, data, exclusive=exclusive)
        self._count_bytes(went_out=len(data))

    def put_file(self, name: str, source: Path, sha256: ObjectId, *, advance: Advance | None = None) -> None:
        """Copy a local file to `name`."""
        self._count("put_file")
        spared = 0

        def heard(count: int) -> None:
            nonlocal spared
            spared += count if isinstance(count, Spared) else 0
            if advance is not None:
                advance(count)

        self._inner.put_file(name, source, sha256, advance=heard)
        self._count_bytes(went_out=source.stat().st_size - spared)

    def get_file(
        self, name: str, target: int, sha256: ObjectId, size: int, *, have: int = 0, advance: Advance | None = None
    ) -> None:
        """Copy `name` into an open local file."""
        self._count("get_file")
        spared = 0

        def heard(count: int) -> None:
            nonlocal spared
            spared += count if isinstance(count, Spared) else 0
            if advance is not None:
                advance(count)

        self._inner.get_file(name, target, sha256, size, have=have, advance=heard)
        self._count_bytes(came_in=size - have - spared)

    def delete_many(self, names: Iterable[str]) -> None:
        """Delete names."""
        self._count("delete")
        self._inner.delete_many(names)

    def server_time(self) -> float:
        """Now, by the store's clock."""
        self._count("time")
        return self._inner.server_time()

    def leftovers(self) -> Iterator[Leftover]:
        """Uploads that were begun and not finished."""
        self._count("list")
        return self._inner.leftovers()

    def discard(self, leftover: Leftover) -> None:
        """Delete what an unfinished upload left."""
        self._count("delete")
        self._inner.discard(leftover)

    def _count(self, kind: str, requests: int = 1) -> None:
        with self._lock:
            self.by_kind[kind] += requests

    def _count_bytes(self, *, came_in: int = 0, went_out: int = 0) -> None:
        with self._lock:
            self.bytes_in += came_in
            self.bytes_out += went_out
