"""Packs: many small objects in one file, and where each of them lies in it (formats §5).

    "DTPACK01" · payloads · n × record · nonce 16 · trailer, little endian
    record: oid 32 | kind u8 | 3 zero | off u32 | clen u32 | ulen u32
    trailer: footer_off u64 | n u32 | crc32(records) u32 | flags u32 | "DTPKEND1"

Payloads have no headers: whoever knows `off` and `clen` reads an object without reading anything else.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from hashlib import sha256
from struct import Struct
from typing import Final, NamedTuple
from zlib import crc32

from datatool.errors import FormatError, NewerFormat
from datatool.formats.zstd import compress_if_worth
from datatool.model.oid import ObjectId

MAGIC: Final = b"DTPACK01"
"""How a pack starts."""
RAW: Final = 0
"""A payload that is the object's bytes."""
ZSTD: Final = 1
"""A payload that is the object's bytes, compressed with zstd on their own."""

TARGET: Final = 32 << 20
"""A pack is closed when it has reached about this many bytes."""
MAX_PACK: Final = 64 << 20
"""No pack has more bytes than this."""
PIECE: Final = 1 << 20
"""So many bytes of a pack are hashed and written at a time: few enough to be in the processor's cache for both."""
METADATA: Final = 1
"""The flag of a pack that holds tree pages and run records only."""

_END = b"DTPKEND1"
_RECORD = Struct("<32sB3sIII")
_TRAILER = Struct("<QIII8s")
_NONCE = 16
_TAIL = _NONCE + _TRAILER.size
_NO_PADDING = bytes(3)


class PackRecord(NamedTuple):
    """Where an object lies: `clen` bytes at `off` of the pack; `ulen` is its own length, before compression."""

    oid: ObjectId
    kind: int
    off: int
    clen: int
    ulen: int


class BuiltPack(NamedTuple):
    """A finished pack: its id is the sha256 of its bytes, which end with `footer`."""

    id: ObjectId
    footer: bytes
    size: int
    records: list[PackRecord]


def object_path(oid: ObjectId) -> str:
    """Where an object lies as a file of its own, in the cache as in a remote: `objects/<2>/<62>`."""
    return f"objects/{oid[:2]}/{oid[2:]}"


def pack_path(oid: ObjectId) -> str:
    """Where a pack lies: `packs/<2>/<62>.pack`."""
    return f"packs/{oid[:2]}/{oid[2:]}.pack"


class PackBuilder:
    """Takes objects, in tree path order, and makes a pack of them; the bytes are kept, not copied.

    >>> builder = PackBuilder()
    >>> builder.add(ObjectId("2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824"), b"hello")
    >>> builder.build(lambda piece: None).records[0].off
    8
    """

    def __init__(self, *, metadata: bool = False, compress: bool = False, nonce: bytes | None = None) -> None:
        """`nonce` (16 bytes) makes packs of equal content differ; random unless a test says otherwise."""
        self._flags = METADATA if metadata else 0
        self._compress = compress
        self._nonce = os.urandom(_NONCE) if nonce is None else nonce
        self._parts: list[bytes | memoryview] = [MAGIC]
        self._records: dict[ObjectId, PackRecord] = {}
        self._end = len(MAGIC)
        self.size = len(MAGIC) + _TAIL
        """How many bytes the pack would have now."""

    @property
    def count(self) -> int:
        """How many objects were taken."""
        return len(self._records)

    def fits(self, length: int) -> bool:
        """Whether an object of so many bytes can still be taken."""
        return self.size + _RECORD.size + length <= MAX_PACK

    def add(self, oid: ObjectId, data: bytes | memoryview) -> None:
        """Take an object whose bytes were checked; one that was taken before is not taken twice.

        Raises ValueError for an empty object, which is never stored, and for one that does not fit.
        """
        stored = length = len(data)
        records = self._records
        if oid in records:
            return
        if not length or not self.fits(length):
            raise ValueError(f"object {oid} of {length} bytes can't be in this pack")
        kind, payload = RAW, data
        if self._compress and (compressed := compress_if_worth(data)) is not None:
            kind, payload, stored = ZSTD, compressed, len(compressed)
        records[oid] = PackRecord(oid, kind, self._end, stored, length)
        self._parts.append(payload)
        self._end += stored
        self.size += stored + _RECORD.size

    def build(self, take: Callable[[bytes], object], *, piece: int = PIECE) -> BuiltPack:
        """Finish the pack, and give its bytes to `take`, about `piece` at a time. Raises ValueError if it is empty.

        Objects are joined before they are hashed: a thread lets the others run once for each piece it hashes, and
        waits for its turn after that, which for each object would cost as much as the hash.
        """
        if not self._records:
            raise ValueError("a pack without objects")
        records = list(self._records.values())
        footer = encode_footer(records, self._end, flags=self._flags, nonce=self._nonce)
        hashed = sha256()
        for joined in _joined([*self._parts, footer], piece):
            hashed.update(joined)
            take(joined)
        return BuiltPack(ObjectId(hashed.hexdigest()), footer, self._end + len(footer), records)


def _joined(parts: Sequence[bytes | memoryview], least: int) -> Iterator[bytes]:
    """What many parts are one behind the other, in pieces of at least so many bytes, but for the last one."""
    group: list[bytes | memoryview] = []
    size = 0
    for part in parts:
        group.append(part)
        size += len(part)
        if size >= least:
            yield b"".join(group)
            group, size = [], 0
    if group:
        yield b"".join(group)


def encode_footer(records: Sequence[PackRecord], offset: int, *, flags: int, nonce: bytes) -> bytes:
    """Everything behind the payloads, which end at `offset`."""
    if len(nonce) != _NONCE:
        raise ValueError("a pack's nonce has 16 bytes")
    pack = _RECORD.pack
    table = b"".join(
        [pack(bytes.fromhex(oid), kind, _NO_PADDING, off, clen, ulen) for oid, kind, off, clen, ulen in records]
    )
    return table + nonce + _TRAILER.pack(offset, len(records), crc32(table), flags, _END)


def footer_start(tail: bytes, size: int) -> int:
    """Where the records of a pack of `size` bytes start, read from its last 28 bytes or more. Raises FormatError."""
    offset, count, _, _, end = _trailer(tail)
    if end != _END:
        if end.startswith(_END[:-1]) and end[-1:].isdigit():
            raise NewerFormat("pack: written by a newer datatool", hint="upgrade datatool")
        raise FormatError("pack: doesn't end as a pack does")
    if size > MAX_PACK:
        raise FormatError(f"pack: has {size} bytes, more than {MAX_PACK}")
    if not count or offset < len(MAGIC) or offset + count * _RECORD.size + _TAIL != size:
        raise FormatError("pack: its size is not what its end says")
    return offset


def is_metadata(tail: bytes) -> bool:
    """Whether a pack says, in its last 28 bytes, that it holds tree pages and run records only."""
    return bool(_trailer(tail)[3] & METADATA)


def parse_footer(tail: bytes, size: int) -> list[PackRecord]:
    """The records of a pack of `size` bytes, from its last bytes: at least from `footer_start` on.

    Raises FormatError if they are damaged, or too few, and NewerFormat for what only a later version writes.
    """
    offset = footer_start(tail, size)
    start = len(tail) - (size - offset)
    if start < 0:
        raise FormatError(f"pack: its records start {-start} bytes before what was read")
    table = tail[start : len(tail) - _TAIL]
    if crc32(table) != _trailer(tail)[2]:
        raise FormatError("pack: its list of objects is damaged")
    records = []
    for digest, kind, zero, off, clen, ulen in _RECORD.iter_unpack(table):
        if kind > ZSTD:
            raise NewerFormat("pack: written by a newer datatool", hint="upgrade datatool")
        if (
            zero != _NO_PADDING
            or off < len(MAGIC)
            or off + clen > offset
            or not clen
            or not ulen
            or (kind == RAW and clen != ulen)
        ):
            raise FormatError(f"pack: object {digest.hex()} lies outside it")
        records.append(PackRecord(ObjectId(digest.hex()), kind, off, clen, ulen))
    if len({record.oid for record in records}) != len(records):
        raise FormatError("pack: lists an object twice")
    return records


def read_pack(data: bytes) -> list[PackRecord]:
    """The records of a whole pack. Raises FormatError as `parse_footer` does; the objects are not hashed here."""
    if data[: len(MAGIC)] != MAGIC:
        if data.startswith(MAGIC[:-2]) and data[len(MAGIC) - 2 : len(MAGIC)].isdigit():
            raise NewerFormat("pack: written by a newer datatool", hint="upgrade datatool")
        raise FormatError("pack: doesn't start as a pack does")
    return parse_footer(data, len(data))


def _trailer(tail: bytes) -> tuple[int, int, int, int, bytes]:
    if len(tail) < _TRAILER.size:
        raise FormatError("pack: is cut off")
    offset, count, crc, flags, end = _TRAILER.unpack_from(tail, len(tail) - _TRAILER.size)
    return offset, count, crc, flags, end
