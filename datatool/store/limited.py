"""A store around another one that keeps to a number of bytes per second."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

from datatool.errors import RemoteError
from datatool.model.oid import ObjectId
from datatool.progress import Spared
from datatool.store.protocol import Advance, ByteRange, Capabilities, Leftover, Listed, Store, Versions


class Allowance:
    """Bytes per second, shared by everything that takes from it. Up to a second's worth is saved up while nothing is
    moved, but not before the first byte: else the first rate that is shown would be twice what was allowed.

    >>> clock = iter([0.0, 0.0, 0.0]).__next__
    >>> slept = []
    >>> Allowance(1000, clock=clock, sleep=slept.append).take(3000)
    >>> slept
    [3.0]
    """

    def __init__(
        self, rate: int, *, clock: Callable[[], float] = time.monotonic, sleep: Callable[[float], None] = time.sleep
    ) -> None:
        self.rate = rate
        """Bytes per second."""
        self._clock = clock
        self._sleep = sleep
        self._lock = threading.Lock()
        self._free_at = clock()
        """When everything taken so far will have been earned."""

    def take(self, count: int) -> None:
        """Wait until `count` more bytes may be moved."""
        with self._lock:
            now = self._clock()
            self._free_at = max(self._free_at, now - 1.0) + count / self.rate
            wait = self._free_at - now
        if wait > 0:
            self._sleep(wait)


class LimitedStore:
    """Moves at most `allowance` bytes per second, both directions together; listings are free."""

    def __init__(self, inner: Store, allowance: Allowance) -> None:
        self._inner = inner
        self._allowance = allowance

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
        return self._inner.list(prefix)

    def get(self, name: str, start: int = 0, length: int | None = None) -> bytes:
        """The bytes of a name, or a range of them; paid for when they are here, as their number is known then."""
        data = self._inner.get(name, start, length)
        self._allowance.take(len(data))
        return data

    def get_version(self, name: str, version: str, start: int = 0, length: int | None = None) -> bytes:
        """The bytes of a version of a name, or a range of them."""
        inner = self._inner
        if not isinstance(inner, Versions):
            raise RemoteError(f"{self.label}: former versions of its objects can't be read")
        data = inner.get_version(name, version, start, length)
        self._allowance.take(len(data))
        return data

    def get_many(self, ranges: Sequence[ByteRange]) -> Iterator[bytes]:
        """The bytes of each range, in the order asked."""
        for data in self._inner.get_many(ranges):
            self._allowance.take(len(data))
            yield data

    def put(self, name: str, data: bytes, *, exclusive: bool = False) -> None:
        """Publish `data` under `name`."""
        self._allowance.take(len(data))
        self._inner.put(name, data, exclusive=exclusive)

    def put_file(self, name: str, source: Path, sha256: ObjectId, *, advance: Advance | None = None) -> None:
        """Copy a local file to `name`."""
        self._inner.put_file(name, source, sha256, advance=self._paid(advance))

    def get_file(
        self, name: str, target: int, sha256: ObjectId, size: int, *, have: int = 0, advance: Advance | None = None
    ) -> None:
        """Copy `name` into an open local file."""
        self._inner.get_file(name, target, sha256, size, have=have, advance=self._paid(advance))

    def delete_many(self, names: Iterable[str]) -> None:
        """Delete names."""
        self._inner.delete_many(names)

    def server_time(self) -> float:
        """Now, by the store's clock."""
        return self._inner.server_time()

    def leftovers(self) -> Iterator[Leftover]:
        """Uploads that were begun and not finished."""
        return self._inner.leftovers()

    def discard(self, leftover: Leftover) -> None:
        """Delete what an unfinished upload left."""
        self._inner.discard(leftover)

    def _paid(self, advance: Advance | None) -> Advance:
        def heard(count: int) -> None:
            if not isinstance(count, Spared):
                self._allowance.take(count)
            if advance is not None:
                advance(count)  # when it is paid for: what is shown keeps to the limit, too

        return heard
