"""Index shards: where objects lie in a store, and which roots were pushed (formats §5).

    "DTIDX001" | header_len u32 | header JSON | zeros to a multiple of 8 | n × record sorted by oid, little endian
    record: oid 32 | place u32 (kind in its highest 8 bits, ordinal in the other 24) | off u32 | clen u32 | ulen u64

All of it is a hint: what is read by it is always checked against its oid. So single records that can't be right
are left out, and so is, where one object is looked for, what only a later version can read.
"""

from __future__ import annotations

import mmap
import os
from bisect import bisect_left
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from functools import partial
from itertools import compress, count
from struct import Struct
from struct import error as StructError
from typing import Final, NamedTuple, cast

from datatool.errors import FormatError, NewerFormat
from datatool.formats.pack import MAX_PACK, RAW, ZSTD
from datatool.formats.shard_header import PushRecord, Root, ShardHeader, decode_header, encode_header
from datatool.model.oid import ObjectId, to_digest

__all__ = [
    "LOOSE",
    "MAX_SHARD",
    "RECIPE",
    "PushRecord",
    "Root",
    "Shard",
    "ShardHeader",
    "ShardRecord",
    "encode_shard",
    "shard_path",
]

RECIPE: Final = 2
"""The kind of a record that tells how to put an object together from parts of others; reserved."""
LOOSE: Final = 3
"""The kind of a record for an object that is a file of its own; RAW and ZSTD, as in packs, are the others."""

MAX_SHARD: Final = 64 << 20
"""No shard has more bytes than this."""

_MAGIC = b"DTIDX001"
_LENGTH = Struct("<I")
_RECORD = Struct("<32sIIIQ")
_START = len(_MAGIC) + _LENGTH.size
_ORDINAL = (1 << 24) - 1
_BLOCK = _RECORD.size << 13  # so many bytes are unpacked at a time where all records are looked through
_MAX_OBJECT = (1 << 63) - 1
_FIRST_PAYLOAD = 8
_MAX_PACKED = (1 << 32) - 1
_SCAN_WORTH = 60
"""Looking at this many records in a row costs as much as finding one by bisection."""


class ShardRecord(NamedTuple):
    """Where an object lies. RAW, ZSTD: `clen` bytes at `off` of the header's pack number `ordinal`. LOOSE: the whole
    file under its base name (ordinal 0) or with the header's suffix number `ordinal - 1`; `off` and `clen` are 0.
    `ulen` is the object's own length."""

    oid: ObjectId
    kind: int
    ordinal: int
    off: int
    clen: int
    ulen: int


# Skips the named tuple's own constructor, which costs three times as much.
_make_record = cast("Callable[[tuple[object, ...]], ShardRecord]", partial(tuple.__new__, ShardRecord))


def shard_path(oid: str) -> str:
    """Where a shard lies: `index/<64>.dti`; its id is the sha256 of its bytes."""
    return f"index/{oid}.dti"


class Shard:
    """A shard in memory or mapped from a file, read as it lies there. Raises FormatError if it is no shard.

    Records are not looked at until they are asked for: opening one costs as much as its header is long.
    """

    def __init__(self, buffer: bytes | bytearray | memoryview | mmap.mmap) -> None:
        view = memoryview(buffer)
        self._view = view
        self.size = len(view)
        """How many bytes it has."""
        if bytes(view[: len(_MAGIC)]) != _MAGIC:
            start = bytes(view[: len(_MAGIC)])
            if start.startswith(_MAGIC[:-3]) and len(start) == len(_MAGIC) and start[-3:].isdigit():
                raise NewerFormat("index shard: written by a newer datatool", hint="upgrade datatool")
            raise FormatError("index shard: doesn't start as one does")
        if not _START <= self.size <= MAX_SHARD:
            raise FormatError(f"index shard: can't have {self.size} bytes")
        (length,) = _LENGTH.unpack_from(view, len(_MAGIC))
        if length > self.size - _START:
            raise FormatError("index shard: is cut off")
        self.header: ShardHeader = decode_header(bytes(view[_START : _START + length]))
        """What it says besides its records."""
        self._first = _padded(_START + length)
        if self._first + self.header.n * _RECORD.size != self.size:
            raise FormatError("index shard: its size is not what its header says")
        if any(view[_START + length : self._first]):
            raise FormatError("index shard: no zeros behind its header")

    def __len__(self) -> int:
        return self.header.n

    def find(self, oid: ObjectId) -> list[ShardRecord]:
        """The places of one object that this version can read; none if the shard doesn't list it."""
        return self._find(to_digest(oid), oid)

    def find_many(self, oids: Collection[ObjectId]) -> dict[ObjectId, list[ShardRecord]]:
        """The places of each of many objects; those that the shard doesn't list are left out."""
        found: dict[ObjectId, list[ShardRecord]] = {}
        if len(oids) * _SCAN_WORTH < self.header.n:
            for oid in oids:
                if records := self._find(to_digest(oid), oid):
                    found[oid] = records
            return found
        wanted = dict(zip(map(bytes.fromhex, oids), oids, strict=True))
        starts = frozenset(_starts(memoryview(b"".join(wanted)), 32))
        for start in range(self._first, self.size, _BLOCK):
            block = self._view[start : start + _BLOCK]
            for at in compress(count(0, _RECORD.size), map(starts.__contains__, _starts(block, _RECORD.size))):
                digest, place, off, clen, ulen = _RECORD.unpack_from(block, at)
                known = wanted.get(digest)
                if known is not None and self._readable(place, off, clen, ulen):
                    record = _make_record((known, place >> 24, place & _ORDINAL, off, clen, ulen))
                    if known in found:
                        found[known].append(record)
                    else:
                        found[known] = [record]
        return found

    def records(self) -> Iterator[ShardRecord]:
        """All records, in order, but for those that can't be right; unknown kinds are among them."""
        for block in self._blocks():
            for digest, place, off, clen, ulen in _RECORD.iter_unpack(block):
                if self._readable(place, off, clen, ulen) or place >> 24 not in (RAW, ZSTD, LOOSE):
                    yield _make_record((ObjectId(digest.hex()), place >> 24, place & _ORDINAL, off, clen, ulen))

    def _find(self, digest: bytes, oid: ObjectId) -> list[ShardRecord]:
        low, high = self._bounds(digest)
        at = bisect_left(range(self.header.n), digest, low, high, key=self._digest)
        found = []
        while at < self.header.n:
            read, place, off, clen, ulen = _RECORD.unpack_from(self._view, self._first + at * _RECORD.size)
            if read != digest:
                break
            if self._readable(place, off, clen, ulen):
                found.append(ShardRecord(oid, place >> 24, place & _ORDINAL, off, clen, ulen))
            at += 1
        return found

    def _bounds(self, digest: bytes) -> tuple[int, int]:
        """Records between which an id belongs. Ids are uniform, so it lies near its share of the way."""
        count = self.header.n
        guess = int.from_bytes(digest[:8], "big") * count >> 64
        reach = 2 * int(count**0.5) + 8
        low, high = guess - reach, guess + reach
        if low <= 0 or self._digest(low) >= digest:
            low = 0
        if high >= count or self._digest(high) < digest:
            high = count
        return low, high

    def _digest(self, at: int) -> bytes:
        start = self._first + at * _RECORD.size
        return bytes(self._view[start : start + 32])

    def _blocks(self) -> Iterator[memoryview]:
        for start in range(self._first, self.size, _BLOCK):
            yield self._view[start : start + _BLOCK]

    def _readable(self, place: int, off: int, clen: int, ulen: int) -> bool:
        """Whether a record is of a kind that can be read, and possible."""
        kind = place >> 24
        if kind == LOOSE:
            return place & _ORDINAL <= len(self.header.alt) and off == clen == 0 < ulen <= _MAX_OBJECT
        return (
            kind <= ZSTD
            and place & _ORDINAL < len(self.header.packs)
            and off >= _FIRST_PAYLOAD
            and 0 < clen <= MAX_PACK - off
            and (clen == ulen if kind == RAW else 0 < ulen <= _MAX_PACKED)
        )


def encode_shard(
    records: Iterable[ShardRecord],
    *,
    packs: Sequence[ObjectId],
    alt: Sequence[str] = (),
    pushes: Sequence[PushRecord] = (),
    supersedes: Sequence[ObjectId] = (),
    extra: Mapping[str, object] | None = None,
    nonce: bytes | None = None,
) -> bytes:
    """The bytes of a shard; records are sorted, equal ones written once, `nonce` (16 bytes) is random unless given.

    Raises ValueError for ordinals without a pack or suffix, and for more than a shard can hold.
    """
    pack, digest = _RECORD.pack, bytes.fromhex
    rows: set[bytes] = set()
    places: set[tuple[int, int]] = set()
    try:
        for oid, kind, ordinal, off, clen, ulen in records:
            places.add((kind, ordinal))
            rows.add(pack(digest(oid), kind << 24 | ordinal, off, clen, ulen))
    except StructError as error:
        raise ValueError(f"a record that a shard can't hold: {error}") from error
    limits = {RAW: len(packs) - 1, ZSTD: len(packs) - 1, LOOSE: len(alt)}
    for kind, ordinal in places:
        if not 0 <= kind <= 0xFF or not 0 <= ordinal <= limits.get(kind, _ORDINAL):
            raise ValueError(f"a record of kind {kind} can't have the ordinal {ordinal} in this shard")
    nonce = os.urandom(16) if nonce is None else nonce
    if len(nonce) != 16:
        raise ValueError("a shard's nonce has 16 bytes")
    header = encode_header(
        ShardHeader(
            n=len(rows),
            nonce=nonce.hex(),
            packs=tuple(packs),
            alt=tuple(alt),
            pushes=tuple(pushes),
            supersedes=tuple(supersedes),
            extra=extra or {},
        )
    )
    start = _START + len(header)
    size = _padded(start) + len(rows) * _RECORD.size
    if size > MAX_SHARD:
        raise ValueError(f"a shard of {size} bytes is more than {MAX_SHARD}")
    return b"".join([_MAGIC, _LENGTH.pack(len(header)), header, bytes(_padded(start) - start), *sorted(rows)])


def _starts(rows: memoryview, size: int) -> list[int]:
    """The first four bytes of each row of some `size`, as numbers: of all that can be compared this is had fastest."""
    return rows.cast("I")[:: size // 4].tolist()


def _padded(size: int) -> int:
    return (size + 7) & ~7
