"""Packs: golden bytes, building, strict reading (formats §5)."""

from __future__ import annotations

import struct
import zlib
from hashlib import sha256
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from datatool.errors import FormatError, NewerFormat
from datatool.formats import pack as pack_module
from datatool.formats.pack import (
    MAX_PACK,
    RAW,
    ZSTD,
    PackBuilder,
    PackRecord,
    encode_footer,
    footer_start,
    is_metadata,
    object_path,
    pack_path,
    parse_footer,
    read_pack,
)
from datatool.formats.zstd import decompress
from datatool.model.oid import ObjectId
from hexfile import read_hex
from patience import patient

GOLDEN = read_hex(Path(__file__).parent / "golden" / "binary" / "pack.hex")
HELLO = ObjectId("2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824")
WORLD = ObjectId("a948904f2f0f479b8f8197694b30184b0d2ed1c1cd2a1ec0fb85d299a192a447")
RECORDS = [PackRecord(HELLO, RAW, 8, 5, 5), PackRecord(WORLD, RAW, 13, 12, 12)]
NONCE = bytes(range(16))


def oid_of(data: bytes) -> ObjectId:
    return ObjectId(sha256(data).hexdigest())


def test_the_golden_pack_is_read_and_written_byte_for_byte() -> None:
    assert read_pack(GOLDEN) == RECORDS
    assert is_metadata(GOLDEN)
    builder = PackBuilder(metadata=True, nonce=NONCE)
    builder.add(HELLO, b"hello")
    builder.add(WORLD, b"hello world\n")
    assert (builder.count, builder.size) == (2, len(GOLDEN))
    pieces: list[bytes] = []
    built = builder.build(pieces.append)
    assert b"".join(pieces) == GOLDEN
    assert GOLDEN.endswith(built.footer)
    assert (built.id, built.size, built.records) == (oid_of(GOLDEN), len(GOLDEN), RECORDS)


def test_the_records_can_be_read_from_the_end_alone() -> None:
    size = len(GOLDEN)
    assert footer_start(GOLDEN[-28:], size) == 25
    for start in (0, 7, 25):
        assert parse_footer(GOLDEN[start:], size) == RECORDS
    with pytest.raises(FormatError, match="1 bytes before"):
        parse_footer(GOLDEN[26:], size)


def test_equal_content_makes_different_packs() -> None:
    ids = set()
    for _ in range(2):
        builder = PackBuilder()
        builder.add(HELLO, b"hello")
        ids.add(builder.build(bytes).id)
    assert len(ids) == 2


def test_an_object_is_packed_once_and_an_empty_one_never() -> None:
    builder = PackBuilder()
    builder.add(HELLO, b"hello")
    builder.add(HELLO, b"hello")
    assert builder.count == 1
    with pytest.raises(ValueError):
        builder.add(oid_of(b""), b"")
    with pytest.raises(ValueError):
        PackBuilder().build(bytes)


def test_a_pack_never_grows_beyond_its_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pack_module, "MAX_PACK", 8 + 44 + 2 * 48 + 20)
    builder = PackBuilder()
    builder.add(HELLO, bytes(10))
    assert builder.fits(10) and not builder.fits(11)
    with pytest.raises(ValueError):
        builder.add(WORLD, bytes(11))
    builder.add(WORLD, bytes(10))
    assert builder.build(bytes).size == builder.size == 8 + 44 + 2 * 48 + 20


def test_a_pack_is_given_in_pieces_of_many_objects_not_one_for_each() -> None:
    builder = PackBuilder()
    for number in range(1000):
        content = b"%04d" % number * 100
        builder.add(oid_of(content), content)
    pieces: list[bytes] = []
    built = builder.build(pieces.append, piece=100_000)
    assert [len(piece) >= 100_000 for piece in pieces] == [True] * (len(pieces) - 1) + [False]
    assert oid_of(b"".join(pieces)) == built.id


def test_compressible_objects_are_compressed_one_by_one_where_asked_for() -> None:
    text, noise = b"year,title\n" * 500, bytes(sha256(b"%d" % number).digest()[0] for number in range(3000))
    builder = PackBuilder(compress=True)
    builder.add(oid_of(text), text)
    builder.add(oid_of(noise), memoryview(noise))
    pieces: list[bytes] = []
    builder.build(pieces.append)
    data = b"".join(pieces)
    first, second = read_pack(data)
    assert (first.kind, first.ulen, second.kind) == (ZSTD, len(text), RAW)
    assert decompress(data[first.off : first.off + first.clen], limit=first.ulen) == text
    assert data[second.off : second.off + second.clen] == noise


def test_names_are_split_after_two_digits() -> None:
    assert object_path(HELLO) == "objects/2c/f24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824"
    assert pack_path(HELLO) == "packs/2c/f24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824.pack"


def with_record(**change: int) -> bytes:
    """The golden pack with its second record changed, and a checksum that fits."""
    record = RECORDS[1]._replace(**change)
    return GOLDEN[:25] + encode_footer([RECORDS[0], record], 25, flags=0, nonce=NONCE)


@pytest.mark.parametrize(
    "change",
    [{"off": 7}, {"off": 14}, {"clen": 0, "ulen": 0}, {"clen": 13, "ulen": 13}, {"ulen": 13}, {"off": 1 << 31}],
)
def test_a_record_that_points_outside_is_refused(change: dict[str, int]) -> None:
    assert read_pack(with_record()) == RECORDS
    with pytest.raises(FormatError):
        read_pack(with_record(**change))


def test_an_object_listed_twice_is_refused() -> None:
    with pytest.raises(FormatError, match="twice"):
        read_pack(GOLDEN[:25] + encode_footer([RECORDS[0], RECORDS[0]], 25, flags=0, nonce=NONCE))


def test_a_pack_of_a_later_version_is_told_apart_from_damage() -> None:
    for newer in (b"DTPACK02" + GOLDEN[8:], GOLDEN[:-1] + b"2", with_record(kind=2)):
        with pytest.raises(NewerFormat):
            read_pack(newer)


def test_a_pack_larger_than_the_limit_is_refused() -> None:
    tail = struct.pack("<QIII8s", MAX_PACK, 1, zlib.crc32(b""), 0, b"DTPKEND1")
    with pytest.raises(FormatError, match="more than"):
        footer_start(tail, MAX_PACK + 48 + 44)


@pytest.mark.parametrize("length", range(0, len(GOLDEN), 7))
def test_a_pack_that_is_cut_off_is_refused(length: int) -> None:
    with pytest.raises(FormatError):
        read_pack(GOLDEN[:length])


@patient
@given(st.lists(st.binary(min_size=1, max_size=300), min_size=1, max_size=20, unique=True), st.booleans())
def test_every_pack_reads_as_it_was_written(contents: list[bytes], compress: bool) -> None:
    builder = PackBuilder(compress=compress)
    for content in contents:
        builder.add(oid_of(content), content)
    pieces: list[bytes] = []
    built = builder.build(pieces.append)
    data = b"".join(pieces)
    assert (len(data), oid_of(data)) == (built.size, built.id)
    records = read_pack(data)
    assert records == built.records
    assert [record.oid for record in records] == [oid_of(content) for content in contents]
    for record, content in zip(records, contents, strict=True):
        payload = data[record.off : record.off + record.clen]
        assert (decompress(payload, limit=record.ulen) if record.kind == ZSTD else payload) == content


@patient
@given(st.integers(0, len(GOLDEN) - 1), st.integers(1, 255))
def test_damage_behind_the_payloads_is_found(at: int, flip: int) -> None:
    mutated = bytearray(GOLDEN)
    mutated[at] ^= flip
    payload, nonce, flags = range(8, 25), range(25 + 96, 25 + 96 + 16), range(len(GOLDEN) - 12, len(GOLDEN) - 8)
    if at in payload or at in nonce or at in flags:  # what the ids of objects and pack cover
        assert read_pack(bytes(mutated)) == RECORDS
    else:
        with pytest.raises(FormatError):
            read_pack(bytes(mutated))


@patient
@given(st.binary(max_size=200), st.integers(0, 1 << 40))
def test_arbitrary_bytes_are_refused_and_nothing_else(data: bytes, size: int) -> None:
    for call in (read_pack, lambda data: parse_footer(data, size), lambda data: parse_footer(data + b"DTPKEND1", size)):
        with pytest.raises(FormatError):
            call(data)
