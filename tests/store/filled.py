"""A store that can only be read, filled past it: so that the conformance suite reads through it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from datatool.model.oid import ObjectId
from datatool.store.protocol import Advance, ByteRange, Capabilities, Leftover, Listed, Store


class Filled:
    """What `reader` reads of the place that `writer` writes, lists and deletes in."""

    def __init__(self, reader: Store, writer: Store) -> None:
        self._reader = reader
        self._writer = writer

    @property
    def label(self) -> str:
        return self._reader.label

    @property
    def capabilities(self) -> Capabilities:
        return self._writer.capabilities

    def list(self, prefix: str) -> Iterator[Listed]:
        return self._writer.list(prefix)

    def get(self, name: str, start: int = 0, length: int | None = None) -> bytes:
        return self._reader.get(name, start, length)

    def get_many(self, ranges: Sequence[ByteRange]) -> Iterator[bytes]:
        return self._reader.get_many(ranges)

    def put(self, name: str, data: bytes, *, exclusive: bool = False) -> None:
        self._writer.put(name, data, exclusive=exclusive)

    def put_file(self, name: str, source: Path, sha256: ObjectId, *, advance: Advance | None = None) -> None:
        self._writer.put_file(name, source, sha256, advance=advance)

    def get_file(
        self, name: str, target: int, sha256: ObjectId, size: int, *, have: int = 0, advance: Advance | None = None
    ) -> None:
        self._reader.get_file(name, target, sha256, size, have=have, advance=advance)

    def delete_many(self, names: Iterable[str]) -> None:
        self._writer.delete_many(names)

    def server_time(self) -> float:
        return self._writer.server_time()

    def leftovers(self) -> Iterator[Leftover]:
        return self._reader.leftovers()

    def discard(self, leftover: Leftover) -> None:
        self._reader.discard(leftover)
