"""The records of a remote - index shards and gc records - by name: what they are called, how they are read."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from datatool.errors import FormatError, NewerFormat
from datatool.formats.gc_record import Condemn, Drop, decode_condemn, decode_drop
from datatool.formats.shard import Shard
from datatool.hashing import digest
from datatool.store.protocol import ByteRange, Listed, NameMissing, Store

LARGEST: Final = 64 << 20
"""More than any record has, where a listing did not tell its size."""

_HEX: Final = frozenset("0123456789abcdef")


def is_record(name: str, part: str, suffixes: tuple[str, ...]) -> bool:
    """Whether a listed name is that of a record in `part` (`index/`, `gc/`).

    >>> is_record("index/" + "0" * 64 + ".dti", "index/", (".dti",))
    True
    """
    stem, dot, suffix = name[len(part) :].partition(".")
    return name.startswith(part) and dot + suffix in suffixes and len(stem) == 64 and set(stem) <= _HEX


def id_of(name: str) -> str:
    """The sha256 in the name of a record."""
    return name.partition("/")[2].partition(".")[0]


def parse_gc(name: str, data: bytes) -> Condemn | Drop:
    """A gc record. Raises FormatError."""
    return decode_condemn(data) if name.endswith(".condemn") else decode_drop(data)


def parse_shard(name: str, data: bytes) -> Shard | None:
    """An index shard; None if its bytes are not what its name says. Raises NewerFormat."""
    if digest(data) != id_of(name):
        return None
    try:
        return Shard(data)
    except NewerFormat:
        raise
    except FormatError:
        return None


def read_records(store: Store, items: Sequence[Listed], gone: list[str]) -> Iterator[tuple[str, bytes]]:
    """The bytes of each record, several at a time; the names of those that are not there are added to `gone`."""
    done = 0
    while done < len(items):
        todo = items[done:]
        found = store.get_many([ByteRange(item.name, 0, item.size or LARGEST) for item in todo])
        try:
            for item, data in zip(todo, found, strict=True):
                done += 1
                yield item.name, data
        except NameMissing:
            gone.append(items[done].name)
            done += 1
