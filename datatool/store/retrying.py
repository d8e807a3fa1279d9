"""A store around another one that tries again what may work at the next try."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import TypeVar

from datatool.errors import RemoteBusy, RemoteError
from datatool.model.oid import ObjectId
from datatool.progress import Spared
from datatool.store.protocol import Advance, ByteRange, Capabilities, Leftover, Listed, NameTaken, Store, Versions
from datatool.store.retry import Retries

T = TypeVar("T")

_Move = Callable[[Advance | None], None]


class RetryingStore:
    """Each request is made up to `retries.tries` times; only RemoteBusy is a reason to try again.

    Repeating is safe: a name is written once or replaced whole, a listing or several ranges go on behind the last
    one that was handed over.
    """

    def __init__(self, inner: Store, retries: Retries | None = None) -> None:
        self._inner = inner
        self._retries = retries or Retries()

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
        last = ""

        def behind_the_last() -> Iterator[Listed]:
            return (item for item in self._inner.list(prefix) if item.name > last)

        for item in _resumed(self._retries, behind_the_last):
            last = item.name
            yield item

    def get(self, name: str, start: int = 0, length: int | None = None) -> bytes:
        """The bytes of a name, or a range of them."""
        return self._retries.call(partial(self._inner.get, name, start, length))

    def get_version(self, name: str, version: str, start: int = 0, length: int | None = None) -> bytes:
        """The bytes of a version of a name, or a range of them."""
        inner = self._inner
        if not isinstance(inner, Versions):
            raise RemoteError(f"{self.label}: former versions of its objects can't be read")
        return self._retries.call(partial(inner.get_version, name, version, start, length))

    def get_many(self, ranges: Sequence[ByteRange]) -> Iterator[bytes]:
        """The bytes of each range, in the order asked."""
        given = 0

        def the_rest() -> Iterator[bytes]:
            return self._inner.get_many(ranges[given:])

        for data in _resumed(self._retries, the_rest):
            given += 1
            yield data

    def put(self, name: str, data: bytes, *, exclusive: bool = False) -> None:
        """Publish `data` under `name`."""
        tried = False

        def attempt() -> None:
            nonlocal tried
            again, tried = tried, True
            try:
                self._inner.put(name, data, exclusive=exclusive)
            except NameTaken:
                # The first attempt may have arrived, and only its answer have been lost.
                if not again or self._inner.get(name) != data:
                    raise

        self._retries.call(attempt)

    def put_file(self, name: str, source: Path, sha256: ObjectId, *, advance: Advance | None = None) -> None:
        """Copy a local file to `name`."""
        self._moved(advance, lambda heard: self._inner.put_file(name, source, sha256, advance=heard))

    def get_file(
        self, name: str, target: int, sha256: ObjectId, size: int, *, have: int = 0, advance: Advance | None = None
    ) -> None:
        """Copy `name` into an open local file."""
        self._moved(advance, lambda heard: self._inner.get_file(name, target, sha256, size, have=have, advance=heard))

    def delete_many(self, names: Iterable[str]) -> None:
        """Delete names."""
        self._retries.call(partial(self._inner.delete_many, tuple(names)))

    def server_time(self) -> float:
        """Now, by the store's clock."""
        return self._retries.call(self._inner.server_time)

    def leftovers(self) -> Iterator[Leftover]:
        """Uploads that were begun and not finished."""
        return iter(self._retries.call(lambda: list(self._inner.leftovers())))

    def discard(self, leftover: Leftover) -> None:
        """Delete what an unfinished upload left."""
        self._retries.call(partial(self._inner.discard, leftover))

    def _moved(self, advance: Advance | None, move: _Move) -> None:
        """Move a file; bytes that an attempt moves once more are told of once."""
        best = 0

        def attempt() -> None:
            moved = 0

            def heard(count: int) -> None:
                nonlocal moved, best
                moved += count
                if advance is not None and moved > best:
                    more, best = moved - best, moved
                    advance(Spared(more) if isinstance(count, Spared) else more)

            move(heard if advance is not None else None)

        self._retries.call(attempt)


def _resumed(retries: Retries, begin: Callable[[], Iterator[T]]) -> Iterator[T]:
    """Everything that `begin` gives; after a failure it is called again, and goes on behind what was handed over."""
    failures = 0
    started = retries.clock()
    while True:
        try:
            for item in begin():
                failures, started = 0, retries.clock()
                yield item
            return
        except RemoteBusy as error:
            failures += 1
            wait = retries.wait(failures, error.retry_after)
            if failures >= retries.tries or retries.clock() - started + wait > retries.patience:
                raise
            retries.sleep(wait)
