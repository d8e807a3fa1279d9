"""Index shards: golden bytes, look-up, hints that can't be right (formats §5)."""

from __future__ import annotations

import mmap
import struct
from hashlib import sha256
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs

from datatool.errors import FormatError, NewerFormat
from datatool.formats.pack import MAX_PACK, RAW, ZSTD
from datatool.formats.shard import (
    LOOSE,
    MAX_SHARD,
    RECIPE,
    PushRecord,
    Root,
    Shard,
    ShardHeader,
    ShardRecord,
    encode_shard,
    shard_path,
)
from datatool.model.oid import ObjectId
from hexfile import read_hex
from patience import patient

GOLDEN = read_hex(Path(__file__).parent / "golden" / "binary" / "shard.hex")
HELLO = ObjectId("2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824")
COMMA = ObjectId("52186c933993da4082b3cdc7c40bb4bf735b391ff54a2ef78c037dda6c38a680")
WORLD = ObjectId("a948904f2f0f479b8f8197694b30184b0d2ed1c1cd2a1ec0fb85d299a192a447")
NONCE = bytes(range(16))
RECORDS = [
    ShardRecord(HELLO, RAW, 0, 8, 5, 5),
    ShardRecord(COMMA, ZSTD, 0, 13, 12, 1 << 20),
    ShardRecord(WORLD, LOOSE, 0, 0, 0, 5 << 30),
    ShardRecord(WORLD, LOOSE, 1, 0, 0, 5 << 30),
]
PUSH = PushRecord(
    id="push-1",
    time=1700000000.5,
    checked=1699999990,
    project="0b5a3c52-5d3e-4a53-8a9e-0e2b7a6a8f11",
    commit=None,
    roots=(Root("tree", WORLD, 2, 17),),
    extra={"mood": "kept"},
)
HEADER = ShardHeader(
    n=4,
    nonce=NONCE.hex(),
    packs=(COMMA,),
    alt=("0a1b2c3d",),
    pushes=(PUSH,),
    supersedes=(HELLO,),
    extra={"later": {"kept": [1, None]}},
)


def oid_of(number: int) -> ObjectId:
    return ObjectId(sha256(b"%d" % number).hexdigest())


def shard_of(*records: ShardRecord, packs: int = 1) -> Shard:
    return Shard(encode_shard(records, packs=[oid_of(-number) for number in range(1, packs + 1)]))


def test_the_golden_shard_is_read_and_written_byte_for_byte(tmp_path: Path) -> None:
    path = tmp_path / "shard"
    path.write_bytes(GOLDEN)
    with path.open("rb") as file:
        mapped = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    for shard in (Shard(GOLDEN), Shard(mapped), Shard(memoryview(GOLDEN))):
        assert shard.header == HEADER
        assert (len(shard), shard.size) == (4, len(GOLDEN))
        assert list(shard.records()) == RECORDS
        assert [shard.find(oid) for oid in (HELLO, COMMA, WORLD)] == [RECORDS[:1], RECORDS[1:2], RECORDS[2:]]
        assert shard.find_many([WORLD, oid_of(1), HELLO]) == {HELLO: RECORDS[:1], WORLD: RECORDS[2:]}
    data = encode_shard(
        reversed(RECORDS),
        packs=HEADER.packs,
        alt=HEADER.alt,
        pushes=HEADER.pushes,
        supersedes=HEADER.supersedes,
        extra=HEADER.extra,
        nonce=NONCE,
    )
    assert data == GOLDEN


def test_a_shard_lies_under_its_id() -> None:
    assert shard_path(HELLO) == f"index/{HELLO}.dti"


def test_equal_content_makes_different_shards() -> None:
    assert encode_shard([], packs=()) != encode_shard([], packs=())


def test_equal_records_are_written_once() -> None:
    assert len(shard_of(RECORDS[0], RECORDS[0], RECORDS[0]._replace(off=9))) == 2


@pytest.mark.parametrize(
    "record",
    [
        RECORDS[0]._replace(ordinal=1),
        RECORDS[1]._replace(ordinal=1),
        RECORDS[2]._replace(ordinal=1),
        RECORDS[2]._replace(ordinal=-1),
        RECORDS[2]._replace(kind=256),
        RECORDS[2]._replace(kind=4, ordinal=1 << 24),
    ],
)
def test_a_record_without_its_pack_or_suffix_is_not_written(record: ShardRecord) -> None:
    with pytest.raises(ValueError):
        encode_shard([record], packs=[HELLO])


def test_a_shard_has_a_largest_size() -> None:
    with pytest.raises(ValueError):
        encode_shard([], packs=(), extra={"x": "y" * MAX_SHARD})


def raw(oid: ObjectId, place: int, off: int, clen: int, ulen: int) -> Shard:
    """A shard of one pack and one suffix with a record of any content."""
    data = encode_shard([RECORDS[0]], packs=[HELLO], alt=["0a1b2c3d"])
    return Shard(data[:-52] + struct.pack("<32sIIIQ", bytes.fromhex(oid), place, off, clen, ulen))


@pytest.mark.parametrize(
    ("place", "off", "clen", "ulen"),
    [
        (1, 8, 5, 5),  # a pack that the header doesn't name
        (1 << 24 | 1, 8, 5, 5),
        (0, 7, 5, 5),
        (0, 8, 0, 0),
        (0, 8, 5, 6),
        (0, 8, MAX_PACK, MAX_PACK),
        (0, MAX_PACK, 5, 5),
        (1 << 24, 8, 5, 1 << 32),
        (3 << 24 | 2, 0, 0, 5),
        (3 << 24, 8, 0, 5),
        (3 << 24, 0, 5, 5),
        (3 << 24, 0, 0, 0),
        (3 << 24, 0, 0, 1 << 63),
    ],
)
def test_a_record_that_can_not_be_right_is_left_out(place: int, off: int, clen: int, ulen: int) -> None:
    shard = raw(COMMA, place, off, clen, ulen)
    assert shard.find(COMMA) == []
    assert shard.find_many([COMMA]) == {}
    assert list(shard.records()) == []


@pytest.mark.parametrize("kind", [RECIPE, 4, 255])
def test_a_kind_of_a_later_version_is_kept_but_not_offered(kind: int) -> None:
    shard = raw(COMMA, kind << 24 | 7, 1, 2, 3)
    assert shard.find(COMMA) == []
    assert shard.find_many([COMMA]) == {}
    assert list(shard.records()) == [ShardRecord(COMMA, kind, 7, 1, 2, 3)]


@pytest.mark.parametrize("count", [1, 2, 7, 100, 20_000])
def test_each_record_is_found_alone_and_with_others(count: int) -> None:
    records = {oid_of(number): ShardRecord(oid_of(number), RAW, 0, 8 + number, 5, 5) for number in range(count)}
    shard = shard_of(*records.values())
    step = max(1, count // 50)
    some = list(records)[::step]
    assert [shard.find(oid) for oid in some] == [[records[oid]] for oid in some]
    absent = [oid_of(number) for number in range(count, count + 50)]
    assert all(shard.find(oid) == [] for oid in absent)
    for wanted in (list(records), some[:3], [*absent, *some], absent):
        assert shard.find_many(wanted) == {oid: [records[oid]] for oid in wanted if oid in records}


def test_ids_that_are_not_spread_evenly_are_found() -> None:
    oids = [ObjectId(f"{number:064x}") for number in range(3000)] + [ObjectId("f" * 64)]
    shard = shard_of(*(ShardRecord(oid, LOOSE, 0, 0, 0, 1) for oid in oids))
    assert all(len(shard.find(oid)) == 1 for oid in (*oids[::100], oids[-1]))
    assert shard.find(ObjectId("8" * 64)) == []


# Headers


def with_header(header: bytes, records: bytes = b"") -> bytes:
    return b"DTIDX001" + struct.pack("<I", len(header)) + header + bytes(-(12 + len(header)) % 8) + records


def test_the_helper_of_these_tests_spells_shards_right() -> None:
    assert Shard(with_header(b'{"v":1,"n":0,"nonce":"%s"}' % NONCE.hex().encode())).header.n == 0


@pytest.mark.parametrize(
    "change",
    [
        b'"v":0',
        b'"v":true',
        b'"v":"1"',
        b'"n":1',
        b'"n":-1',
        b'"n":null',
        b'"n":0.0',
        b'"nonce":"00"',
        b'"nonce":null',
        b'"packs":["ab"]',
        b'"packs":"%s"' % HELLO.encode(),
        b'"packs":[1]',
        b'"alt":["../../x"]',
        b'"alt":["0A1B2C3D"]',
        b'"supersedes":["x"]',
        b'"pushes":[1]',
        b'"pushes":{}',
        b'"pushes":[{}]',
        b'"x":NaN',
        b'"x":1e999',
        b'"x":' + b"[" * 100_000,
        b'"x":' + b"9" * 10_000,
        b'"x":"\xff"',
    ],
    ids=lambda change: repr(change[:30]),
)
@pytest.mark.usefixtures("without_collection")
def test_a_header_that_is_not_right_is_refused(change: bytes) -> None:
    with pytest.raises(FormatError):
        Shard(with_header(b'{"v":1,"n":0,"nonce":"%s",%s}' % (NONCE.hex().encode(), change)))


@pytest.mark.parametrize(
    "change",
    [
        b'"id":1',
        b'"time":-1',
        b'"time":true',
        b'"time":"1"',
        b'"checked":null',
        b'"project":null',
        b'"commit":1',
        b'"roots":null',
        b'"roots":[["tree"]]',
        b'"roots":[["tree","x",1,1]]',
        b'"roots":[["tree","%s",-1,1]]' % HELLO.encode(),
        b'"roots":[["tree","%s",1,true]]' % HELLO.encode(),
        b'"roots":[[1,"%s",1,1]]' % HELLO.encode(),
        b'"roots":[["tree","%s",1,1,1]]' % HELLO.encode(),
    ],
)
def test_a_push_record_that_is_not_right_is_refused(change: bytes) -> None:
    push = b'{"id":"a","time":1,"checked":1,"project":"p","commit":null,"roots":[]%s}'
    header = b'{"v":1,"n":0,"nonce":"%s","pushes":[%%s]}' % NONCE.hex().encode()
    assert Shard(with_header(header % (push % b""))).header.pushes[0].id == "a"
    with pytest.raises(FormatError):
        Shard(with_header(header % (push % (b"," + change))))


def test_a_run_may_be_named_without_sums() -> None:
    push = b'{"id":"a","time":1,"checked":1,"project":"p","roots":[["run","%s"]]}' % HELLO.encode()
    header = b'{"v":1,"n":0,"nonce":"%s","pushes":[%s]}' % (NONCE.hex().encode(), push)
    assert Shard(with_header(header)).header.pushes[0].roots == (Root("run", HELLO, 0, 0),)


def test_a_shard_of_a_later_version_is_told_apart_from_damage() -> None:
    for newer in (b"DTIDX002" + GOLDEN[8:], with_header(b'{"v":2}')):
        with pytest.raises(NewerFormat):
            Shard(newer)


@pytest.mark.parametrize("length", range(0, len(GOLDEN), 37))
def test_a_shard_that_is_cut_off_is_refused(length: int) -> None:
    with pytest.raises(FormatError):
        Shard(GOLDEN[:length])


def test_something_between_header_and_records_is_refused() -> None:
    mutated = bytearray(GOLDEN)
    mutated[-4 * 52 - 1] = 1
    with pytest.raises(FormatError):
        Shard(mutated)


# Properties

_oids = st.sampled_from([HELLO, WORLD, COMMA, *map(oid_of, range(20))])
_lengths = st.integers(1, 1 << 20)
_records = st.one_of(
    st.builds(
        lambda oid, at, off, size: ShardRecord(oid, RAW, at, off, size, size),
        _oids,
        st.integers(0, 2),
        st.integers(8, 1 << 24),
        _lengths,
    ),
    st.builds(ShardRecord, _oids, st.just(ZSTD), st.integers(0, 2), st.integers(8, 1 << 24), _lengths, _lengths),
    st.builds(ShardRecord, _oids, st.just(LOOSE), st.integers(0, 2), st.just(0), st.just(0), st.integers(1, 1 << 62)),
    st.builds(ShardRecord, _oids, st.just(RECIPE), st.integers(0, 9), _lengths, _lengths, _lengths),
)
_text = st.text(max_size=5)
_extra = st.dictionaries(
    _text.map(lambda text: "x-" + text), st.one_of(st.none(), st.integers(), _text, st.lists(_text)), max_size=2
)
_times = st.one_of(st.integers(0, 1 << 40), st.floats(0, 1e12))
_pushes = st.builds(
    PushRecord,
    id=_text,
    time=_times,
    checked=_times,
    project=_text,
    commit=st.one_of(st.none(), _text),
    roots=st.lists(st.builds(Root, _text, _oids, _lengths, _lengths), max_size=3).map(tuple),
    extra=_extra,
)


@patient
@given(st.lists(_records, max_size=30), st.lists(_pushes, max_size=3), st.lists(_oids, max_size=3), _extra, st.data())
def test_every_shard_reads_as_it_was_written(
    records: list[ShardRecord],
    pushes: list[PushRecord],
    supersedes: list[ObjectId],
    extra: dict[str, object],
    data: st.DataObject,
) -> None:
    packs, alt = [HELLO, WORLD, COMMA], ["00000000", "ffffffff"]
    encoded = encode_shard(records, packs=packs, alt=alt, pushes=pushes, supersedes=supersedes, extra=extra)
    shard = Shard(encoded)
    assert (shard.header.packs, shard.header.alt) == (tuple(packs), tuple(alt))
    assert (shard.header.pushes, shard.header.supersedes) == (tuple(pushes), tuple(supersedes))
    assert shard.header.extra == extra
    assert set(shard.records()) == set(records)
    assert [record.oid for record in shard.records()] == sorted(record.oid for record in set(records))
    readable = {oid: {r for r in records if r.oid == oid and r.kind != RECIPE} for oid in {r.oid for r in records}}
    wanted = data.draw(st.lists(_oids, unique=True))
    expected = {oid: readable[oid] for oid in wanted if readable.get(oid)}
    assert {oid: set(places) for oid, places in shard.find_many(wanted).items()} == expected
    assert {oid: set(places) for oid in wanted if (places := shard.find(oid))} == expected


def accepts(data: bytes) -> None:
    """Open a shard and use all of it; anything but FormatError fails the test."""
    try:
        shard = Shard(data)
    except FormatError:
        return
    oids = [HELLO, COMMA, WORLD, *map(oid_of, range(200))]
    shard.find_many(oids)
    for record in [*shard.records(), *(record for oid in oids for record in shard.find(oid))]:
        assert record.kind not in (RAW, ZSTD) or shard.header.packs[record.ordinal]
        assert record.kind != LOOSE or not record.ordinal or shard.header.alt[record.ordinal - 1]
    known = [record for record in shard.records() if record.kind in (RAW, ZSTD, LOOSE)]
    fields = structs.asdict(shard.header)
    del fields["n"], fields["nonce"]
    Shard(encode_shard(known, **fields))


@patient
@given(st.data())
def test_mutated_shards_are_refused_or_still_usable(data: st.DataObject) -> None:
    mutated = bytearray(GOLDEN)
    for _ in range(data.draw(st.integers(1, 4))):
        mutated[data.draw(st.integers(0, len(GOLDEN) - 1))] = data.draw(st.integers(0, 255))
    accepts(bytes(mutated))


@patient
@given(st.binary(max_size=100))
def test_arbitrary_bytes_are_refused_and_nothing_else(data: bytes) -> None:
    accepts(data)
    accepts(b"DTIDX001" + data)
    accepts(with_header(data))
