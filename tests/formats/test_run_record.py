"""Run records: one spelling for one record, nothing of a stranger's believed (formats §5)."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from datatool.errors import FormatError, NewerFormat
from datatool.formats.run_record import LIMIT, decode_run, encode_run
from datatool.model.oid import ObjectId
from datatool.model.paths import PathRefused, check_escape
from datatool.model.pointer import ArtifactKind
from datatool.model.run import RunCode, RunEnvironment, RunFile, RunKind, RunRecord
from patience import patient

GOLDEN = Path(__file__).parent / "golden" / "json" / "run"
HELLO = ObjectId("2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824")
COMMA = ObjectId("52186c933993da4082b3cdc7c40bb4bf735b391ff54a2ef78c037dda6c38a680")
WORLD = ObjectId("a948904f2f0f479b8f8197694b30184b0d2ed1c1cd2a1ec0fb85d299a192a447")

RECORD = RunRecord(
    fingerprint=WORLD,
    project="0b5a3c52-5d3e-4a53-8a9e-0e2b7a6a8f11",
    kind=RunKind.COMMAND,
    name="train",
    code=RunCode(
        commit="8f94139338f9404f26296befa88755fc2598c289",
        diff=COMMA,
        entry="src/train.py",
        functions={"src/train.py:fit": HELLO},
    ),
    command=("python", "src/train.py", "--token", "***"),
    directory="src",
    parameters={"epochs": 3, "layers": [64, 32]},
    secrets="486ea46224d1bb4fb680f34f7c9ad96a8f24ec88be73ea8e5a6c65260e9cb8a7",
    inputs=(
        RunFile(path=b"data/raw", kind=ArtifactKind.DIRECTORY, oid=HELLO, size=99, files=3),
        RunFile(path=b"m\xc3\xbcll-\xff.csv", kind=ArtifactKind.FILE, oid=COMMA, size=7, noted=True),
    ),
    outputs=(RunFile(path=b"model.bin", kind=ArtifactKind.FILE, oid=WORLD, size=4, executable=True),),
    metrics={"accuracy": 0.97},
    started="2026-03-01T09:30:00Z",
    duration=12.5,
    host="box",
    user="ann",
    environment=RunEnvironment(python="3.12.4", platform="Linux-6.1-x86_64", packages={"numpy": "2.1.0"}),
    more={"weather": "fair"},
)


def test_a_record_is_read_as_written_by_hand() -> None:
    assert decode_run(GOLDEN.read_bytes()) == RECORD


def test_a_record_is_written_as_by_hand_with_the_keys_of_a_later_version() -> None:
    assert encode_run(RECORD) == GOLDEN.read_bytes()


TEXTS = st.text(max_size=12)
SCALARS = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | TEXTS
JSON = st.recursive(SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3))
MAPPINGS = st.dictionaries(TEXTS, JSON, max_size=4)
HASHES = st.dictionaries(TEXTS, st.text(min_size=1, max_size=5), max_size=3)
OIDS = st.sampled_from([HELLO, COMMA, WORLD])


def _allowed(path: bytes) -> bool:
    try:
        check_escape(path)
    except PathRefused:
        return False
    return True


PATHS = st.lists(st.binary(min_size=1, max_size=6), min_size=1, max_size=3).map(b"/".join).filter(_allowed)
FILES = st.builds(
    RunFile,
    path=PATHS,
    kind=st.sampled_from(ArtifactKind),
    oid=OIDS,
    size=st.integers(0, (1 << 63) - 1),
    files=st.none() | st.integers(0, 1 << 40),
    executable=st.booleans(),
    noted=st.booleans(),
)
RECORDS = st.builds(
    RunRecord,
    fingerprint=OIDS,
    project=TEXTS,
    kind=st.sampled_from(RunKind),
    name=TEXTS,
    code=st.builds(
        RunCode,
        commit=st.none() | TEXTS,
        diff=st.none() | TEXTS,
        entry=st.none() | PATHS.map(lambda path: path.decode("utf-8", "surrogateescape")),
        functions=HASHES,
    ),
    command=st.none() | st.lists(TEXTS, max_size=3).map(tuple),
    directory=st.none() | st.just("") | PATHS.map(lambda path: path.decode("utf-8", "surrogateescape")),
    parameters=MAPPINGS,
    noted_parameters=MAPPINGS,
    inputs=st.lists(FILES, max_size=3).map(tuple),
    outputs=st.lists(FILES, max_size=3).map(tuple),
    around=st.lists(FILES, max_size=3).map(tuple),
    more_around=st.integers(0, (1 << 63) - 1),
    metrics=MAPPINGS,
    started=TEXTS,
    duration=st.floats(0, 1e9),
    host=TEXTS,
    user=TEXTS,
    environment=st.builds(RunEnvironment, python=TEXTS, platform=TEXTS, packages=HASHES),
    more=st.dictionaries(TEXTS.map("x-".__add__), JSON.filter(lambda value: value is not None and value != {})),
)


@patient
@given(RECORDS)
def test_any_record_comes_back_as_it_was_and_has_one_spelling(record: RunRecord) -> None:
    data = encode_run(record)
    assert decode_run(data) == record
    assert encode_run(decode_run(data)) == data
    assert data.isascii()


@patient
@given(st.binary(max_size=60) | st.dictionaries(TEXTS, JSON).map(lambda found: json.dumps(found).encode()))
def test_whatever_bytes_there_are_a_record_is_read_or_refused(data: bytes) -> None:
    with pytest.raises(FormatError):
        decode_run(data)


def changed(**change: object) -> bytes:
    return json.dumps({**json.loads(GOLDEN.read_bytes()), **change}).encode()


def with_path(path: str, key: str) -> bytes:
    found = json.loads(GOLDEN.read_bytes())
    found[key] = [{**found["outputs"][0], "path": path}]
    return json.dumps(found).encode()


@pytest.mark.parametrize(
    "path",
    ["/etc/passwd", "../x", "a/../b", "", ".git/hooks/post-checkout", "a\x00b", "C:\\x", "\ud800", "\udcc3\udca9"],
)
@pytest.mark.parametrize("key", ["inputs", "outputs", "around"])
def test_a_path_that_leads_elsewhere_is_refused(path: str, key: str) -> None:
    with pytest.raises(FormatError, match=rf"{key}\[0\]\.path"):
        decode_run(with_path(path, key))


def test_no_record_is_written_that_names_a_path_elsewhere_around_it() -> None:
    with pytest.raises(FormatError, match="can't name it"):
        encode_run(replace(RECORD, around=(replace(RECORD.outputs[0], path=b".git/config"),)))


def test_directory_and_entry_are_paths_too() -> None:
    with pytest.raises(FormatError, match="directory"):
        decode_run(changed(directory="../elsewhere"))
    with pytest.raises(FormatError, match=r"code\.entry"):
        decode_run(changed(code={"entry": "/tmp/evil.py"}))


@pytest.mark.parametrize(
    "change",
    [
        {"fingerprint": "../../x"},
        {"fingerprint": None},
        {"kind": "wish"},
        {"inputs": {"path": "a"}},
        {"outputs": [{"path": "a", "kind": "file", "oid": "sha256:0", "size": 1}]},
        {"outputs": [{"path": "a", "kind": "file", "oid": f"sha256:{HELLO}", "size": 1 << 70}]},
        {"outputs": [{"path": "a", "kind": "file", "oid": f"sha256:{HELLO}", "size": -1}]},
        {"around": {"path": "a"}},
        {"around": ["a"]},
        {"around": [{"path": "a", "kind": "file", "oid": f"sha256:{HELLO}", "size": -1}]},
        {"more_around": -1},
        {"more_around": 1 << 70},
        {"more_around": "many"},
        {"duration": -1},
        {"duration": 10**400},
        {"duration": True},
        {"command": "rm -rf /"},
        {"parameters": [1]},
        {"code": "x"},
    ],
)
def test_a_value_that_can_not_be_is_refused(change: dict[str, object]) -> None:
    with pytest.raises(FormatError):
        decode_run(changed(**change))


def test_a_later_version_is_named_and_a_huge_record_is_not_even_parsed() -> None:
    with pytest.raises(NewerFormat, match="newer datatool"):
        decode_run(changed(datatool_run=2))
    with pytest.raises(FormatError, match="too large"):
        decode_run(b" " * (LIMIT + 1))


def test_what_json_has_not_can_not_be_recorded() -> None:
    for value in (float("nan"), object(), {1: 2, "a": 3}):
        with pytest.raises(FormatError):
            encode_run(replace(RECORD, parameters={"x": value}))
    with pytest.raises(FormatError, match="too large"):
        encode_run(replace(RECORD, parameters={"x": "y" * (LIMIT + 1)}))
