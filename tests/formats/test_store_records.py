"""The small JSON files of stores: format files, gc records, the list of shards (formats §4, §5)."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from datatool.errors import FormatError, NewerFormat
from datatool.formats.gc_record import Condemn, Drop, decode_condemn, decode_drop, encode_condemn, encode_drop
from datatool.formats.index_list import IndexList, decode_index_list, encode_index_list
from datatool.formats.json_text import is_store_name
from datatool.formats.remote_format import (
    CacheFormat,
    RemoteFormat,
    decode_cache_format,
    decode_remote_format,
    encode_cache_format,
    encode_remote_format,
)
from datatool.model.oid import ObjectId
from patience import patient

GOLDEN = Path(__file__).parent / "golden" / "json"
HELLO = ObjectId("2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824")
COMMA = ObjectId("52186c933993da4082b3cdc7c40bb4bf735b391ff54a2ef78c037dda6c38a680")
WORLD = ObjectId("a948904f2f0f479b8f8197694b30184b0d2ed1c1cd2a1ec0fb85d299a192a447")
NONCE = "000102030405060708090a0b0c0d0e0f"

CASES: dict[str, tuple[object, Callable[[bytes], object], Callable[..., bytes]]] = {
    "datatool-remote.json": (
        RemoteFormat(id="6f1c1d3e-8a44-4c54-9d3b-0f5f6d2b7a10", loose_min=4194304, pack_target=33554432),
        decode_remote_format,
        encode_remote_format,
    ),
    "FORMAT": (CacheFormat(), decode_cache_format, encode_cache_format),
    "condemn": (
        Condemn(
            nonce=NONCE,
            project="0b5a3c52-5d3e-4a53-8a9e-0e2b7a6a8f11",
            reason="damaged",
            names=(f"objects/2c/{HELLO[2:]}", f"packs/52/{COMMA[2:]}.pack"),
        ),
        decode_condemn,
        encode_condemn,
    ),
    "drop": (
        Drop(
            nonce=NONCE,
            condemn=(WORLD,),
            names=(f"objects/2c/{HELLO[2:]}.0a1b2c3d", f"index/{COMMA}.dti"),
            expired=("push-1",),
        ),
        decode_drop,
        encode_drop,
    ),
    "index.list": (
        IndexList(shards=(COMMA,), dropped=(f"packs/2c/{HELLO[2:]}.pack",)),
        decode_index_list,
        encode_index_list,
    ),
}


@pytest.fixture(params=CASES)
def case(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def golden(name: str) -> bytes:
    return (GOLDEN / name).read_bytes()


def changed(name: str, **change: object) -> bytes:
    return json.dumps({**json.loads(golden(name)), **change}).encode()


def test_the_golden_file_is_read_and_written_byte_for_byte(case: str) -> None:
    value, decode, encode = CASES[case]
    assert decode(golden(case)) == value
    assert encode(value) == golden(case)


def test_a_key_of_a_later_version_is_ignored(case: str) -> None:
    value, decode, _ = CASES[case]
    assert decode(changed(case, later={"x": [1]})) == value


def test_a_later_version_is_told_apart_from_damage(case: str) -> None:
    _, decode, _ = CASES[case]
    with pytest.raises(NewerFormat, match="newer datatool"):
        decode(changed(case, v=2, version=2))


@pytest.mark.parametrize("version", [0, -1, "1", True, None, 1.0])
def test_a_version_that_is_none_is_refused(case: str, version: object) -> None:
    _, decode, _ = CASES[case]
    with pytest.raises(FormatError) as caught:
        decode(changed(case, v=version, version=version))
    assert not isinstance(caught.value, NewerFormat)


@pytest.mark.parametrize(
    "data", [b"", b"{", b"[]", b"null", b'"x"', b"\xff", b"{}", b"[" * 100_000, b"\xff\xfe{\x00}\x00"]
)
@pytest.mark.usefixtures("without_collection")
def test_what_is_no_json_object_is_refused(case: str, data: bytes) -> None:
    _, decode, _ = CASES[case]
    with pytest.raises(FormatError):
        decode(data)


@pytest.mark.parametrize(
    "change",
    [
        {"magic": "datatool-cache"},
        {"magic": None},
        {"hash": "md5"},
        {"id": None},
        {"id": "../../../x"},
        {"id": 7},
        {"features": []},
        {"features": {"read": "x"}},
        {"features": {"gc": [1]}},
        {"defaults": {"loose_min": 0}},
        {"defaults": {"loose_min": (32 << 20) + 1}},
        {"defaults": {"pack_target": 64 << 20}},
        {"defaults": {"pack_target": "1"}},
        {"defaults": {"pack_target": True}},
    ],
)
def test_a_format_file_that_is_not_right_is_refused(change: dict[str, object]) -> None:
    with pytest.raises(FormatError):
        decode_remote_format(changed("datatool-remote.json", **change))


def test_features_of_a_later_version_are_told() -> None:
    features = {"read": ["outlines"], "write": ["recipes"], "gc": ["leases"]}
    value = decode_remote_format(changed("datatool-remote.json", features=features))
    assert (value.features_read, value.features_write, value.features_gc) == (("outlines",), ("recipes",), ("leases",))
    assert decode_remote_format(encode_remote_format(value)) == value


def test_a_cache_of_another_hash_is_refused() -> None:
    for change in ({"hash": "blake3"}, {"magic": "datatool-remote"}):
        with pytest.raises(FormatError):
            decode_cache_format(changed("FORMAT", **change))


@pytest.mark.parametrize("key", ["nonce", "project", "reason"])
def test_a_condemn_record_without_a_part_is_refused(key: str) -> None:
    with pytest.raises(FormatError, match=key):
        decode_condemn(changed("condemn", **{key: None}))


def test_a_condemned_name_is_condemned_for_any_reason() -> None:
    assert decode_condemn(changed("condemn", reason="a later one")).names == CASES["condemn"][0].names  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    "name",
    [
        "../x",
        "/etc/passwd",
        "datatool-remote.json",
        "index.list",
        "objects",
        f"objects/{HELLO}",
        f"objects/2C/{HELLO[2:]}",
        f"objects/2c/{HELLO[2:]}.",
        f"objects/2c/../2c/{HELLO[2:]}",
        f"packs/2c/{HELLO[2:]}",
        f"index/{HELLO}.dti\n",
    ],
)
def test_a_name_that_no_store_gives_is_never_condemned_or_dropped(name: str) -> None:
    assert not is_store_name(name)
    assert decode_condemn(changed("condemn", names=[name])).names == ()
    assert decode_drop(changed("drop", names=[name, f"index/{HELLO}.dti"])).names == (f"index/{HELLO}.dti",)
    assert decode_index_list(changed("index.list", dropped=[name])).dropped == ()


def test_every_name_of_the_layout_is_known() -> None:
    for name in (
        f"objects/2c/{HELLO[2:]}",
        f"objects/2c/{HELLO[2:]}.0123abcd",
        f"packs/2c/{HELLO[2:]}.pack",
        f"index/{HELLO}.dti",
        f"gc/{HELLO}.condemn",
        f"gc/{HELLO}.drop",
        f"runs/2c/{HELLO[2:]}/{WORLD}",
    ):
        assert is_store_name(name)


def test_shards_are_listed_by_whole_ids() -> None:
    for bad in ("x", HELLO[2:], f"{HELLO}.dti"):
        with pytest.raises(FormatError):
            decode_index_list(changed("index.list", shards=[bad]))
        with pytest.raises(FormatError):
            decode_drop(changed("drop", condemn=[bad]))


@patient
@given(st.sampled_from(sorted(CASES)), st.data())
def test_mutated_files_are_refused_or_read(name: str, data: st.DataObject) -> None:
    _, decode, encode = CASES[name]
    mutated = bytearray(golden(name))
    for _ in range(data.draw(st.integers(1, 3))):
        at = data.draw(st.integers(0, len(mutated)))
        mutated[at : at + data.draw(st.integers(0, 3))] = data.draw(st.binary(max_size=3))
    try:
        value = decode(bytes(mutated))
    except FormatError:
        return
    assert decode(encode(value)) == value


_json = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=5)),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=5), inner, max_size=3)),
    max_leaves=6,
)


@patient
@given(st.sampled_from(sorted(CASES)), st.data())
def test_a_file_with_any_value_under_any_key_is_refused_or_read(name: str, data: st.DataObject) -> None:
    _, decode, encode = CASES[name]
    key = data.draw(st.sampled_from(sorted(json.loads(golden(name)))))
    try:
        value = decode(changed(name, **{key: data.draw(_json)}))
    except FormatError:
        return
    assert decode(encode(value)) == value
