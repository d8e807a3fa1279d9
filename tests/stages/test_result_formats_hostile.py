"""Results from elsewhere: bytes that are not what they should be run no code, and end in one kind of error."""

from __future__ import annotations

import base64
import io
import json
import pickle
import random
import zipfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from results import read, written

from datatool.errors import DamagedResult, UsageError
from datatool.model.result import Encoding, Library, ResultFormat
from datatool.stages.result_formats import encoding_of, read_pickle, read_result
from datatool.stages.result_formats.arrow_files import ROWS

F = ResultFormat
TABLE_FORMATS = [F.PARQUET, F.ARROW]
TABLE_LIBRARIES = [Library.PANDAS, Library.POLARS, Library.PYARROW]
EVIL = "arrow.py_extension_type"


class Creates:
    """When it is unpickled, there is a file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, ...]:
        return Path.touch, (self.path,)


class Unpickles(pa.ExtensionType):
    """What pyarrow's own `arrow.py_extension_type` was: a type that is unpickled from the schema."""

    def __init__(self, payload: bytes = b"", storage: pa.DataType | None = None) -> None:
        self.payload = payload
        super().__init__(storage or pa.int64(), EVIL)

    def __arrow_ext_serialize__(self) -> bytes:
        return self.payload

    @classmethod
    def __arrow_ext_deserialize__(cls, storage: pa.DataType, serialized: bytes) -> Unpickles:
        pickle.loads(serialized)
        return cls(serialized, storage)


@pytest.fixture
def canary(tmp_path: Path) -> Path:
    return tmp_path / "canary"


@pytest.fixture
def _unpickling_type_is_known() -> Iterator[None]:
    pa.register_extension_type(Unpickles())
    yield
    pa.unregister_extension_type(EVIL)


def refused(data: bytes, encoding: Encoding) -> str:
    with pytest.raises(DamagedResult) as caught:
        read(data, encoding)
    assert str(encoding.format) in caught.value.message
    return caught.value.message


def table_bytes(table: pa.Table, form: ResultFormat, **options: object) -> bytes:
    """As pyarrow alone writes it."""
    file = io.BytesIO()
    if form is F.PARQUET:
        pq.write_table(table, file, **options)
    else:
        with pa.ipc.new_file(file, table.schema) as writer:
            writer.write_table(table)
    return file.getvalue()


def evil_schema(payload: bytes, place: str) -> pa.Schema:
    """A schema that names the type, written as its name alone: only who reads it makes the type."""
    names = {"ARROW:extension:name": EVIL, "ARROW:extension:metadata": payload}
    evil = pa.field("evil", pa.int64(), metadata=names)
    inside = {
        "a list": pa.list_(evil),
        "a struct": pa.struct([pa.field("x", pa.struct([evil]))]),
        "a map": pa.map_(pa.string(), evil),
        "a dictionary": pa.dictionary(pa.int8(), pa.struct([evil])),
    }
    return pa.schema([pa.field("a", inside[place]) if place in inside else evil])


@pytest.mark.parametrize("library", TABLE_LIBRARIES)
@pytest.mark.parametrize(
    ("form", "place"),
    [(form, place) for form in TABLE_FORMATS for place in ("a column", "a list", "a struct", "a map")]
    + [(F.ARROW, "a dictionary")],
)
@pytest.mark.usefixtures("_unpickling_type_is_known")
def test_extension_types_that_execute_are_refused_before_they_are_made(
    place: str, form: ResultFormat, library: Library, canary: Path
) -> None:
    data = table_bytes(evil_schema(pickle.dumps(Creates(canary)), place).empty_table(), form)
    message = refused(data, Encoding(format=form, library=library))
    assert not canary.exists()
    assert "extension type" in message


@pytest.mark.usefixtures("_unpickling_type_is_known")
def test_the_canary_would_sing(canary: Path) -> None:
    data = table_bytes(evil_schema(pickle.dumps(Creates(canary)), "a column").empty_table(), F.PARQUET)
    assert not canary.exists()
    pq.read_metadata(io.BytesIO(data))
    assert canary.exists(), "reading no more than the footer makes the type"


@pytest.mark.parametrize("form", TABLE_FORMATS)
@pytest.mark.usefixtures("_unpickling_type_is_known")
def test_a_second_name_behind_a_harmless_one_makes_no_type(form: ResultFormat, canary: Path) -> None:
    """The first of two equal keys is what counts, for pyarrow as for the look that is taken beforehand."""
    keys = [("ARROW:extension:name", "arrow.opaque"), ("ARROW:extension:name", EVIL)]
    metadata = pa.KeyValueMetadata([*keys, ("ARROW:extension:metadata", pickle.dumps(Creates(canary)))])
    for names in (metadata, pa.KeyValueMetadata([keys[1], keys[0], ("ARROW:extension:metadata", b"x")])):
        data = table_bytes(pa.schema([pa.field("a", pa.int64(), metadata=names)]).empty_table(), form)
        refused(data, Encoding(format=form, library=Library.PYARROW))
    assert not canary.exists()


@pytest.mark.usefixtures("_unpickling_type_is_known")
def test_categories_are_looked_at_like_any_table(canary: Path) -> None:
    inner = table_bytes(evil_schema(pickle.dumps(Creates(canary)), "a column").empty_table(), F.ARROW)
    notes = {"categories": {"0": [False, base64.b64encode(inner).decode()]}}
    table = pa.table({"a": [1]}).replace_schema_metadata({"datatool": json.dumps(notes)})
    for form in TABLE_FORMATS:
        refused(table_bytes(table, form), Encoding(format=form, library=Library.PANDAS))
    assert not canary.exists()


@pytest.mark.parametrize(
    "notes",
    [
        *("", "[]", "{", "1", '{"freq": "no such"}', '{"freq": 3}', '{"freq": "D"}', '{"series": true}'),
        *('{"categories": {"0": [false, "AAAA"]}}', '{"categories": {"7": [false, ""]}}', '{"categories": [1]}'),
        *('{"levels": ["x"]}', '{"levels": []}', '{"levels": 3}'),
        "[" * 100_000,
    ],
    ids=lambda notes: notes[:40],
)
@pytest.mark.parametrize("form", TABLE_FORMATS)
def test_absurd_notes_are_damage(notes: str, form: ResultFormat) -> None:
    table = pa.table({"a": [1], "b": [2]}).replace_schema_metadata({"datatool": notes})
    refused(table_bytes(table, form), Encoding(format=form, library=Library.PANDAS))


COLUMN = {"name": "a", "field_name": "a", "pandas_type": "int64", "numpy_type": "int64", "metadata": None}
INDEX = {"kind": "range", "name": None, "start": 0, "stop": 10**18, "step": 1}


@pytest.mark.parametrize(
    "described",
    [
        *("\xff", "null", "[]", "3", "{}", "[" * 100_000),
        json.dumps({"columns": 3, "index_columns": []}),
        json.dumps({"columns": [COLUMN | {"numpy_type": "__import__('os').system"}], "index_columns": ["a"]}),
        json.dumps({"columns": [COLUMN], "index_columns": [INDEX], "column_indexes": []}),
        json.dumps({"columns": [COLUMN], "index_columns": [INDEX | {"step": 0}], "column_indexes": []}),
        json.dumps({"columns": [COLUMN | {"metadata": {"timezone": "../../etc"}}], "index_columns": []}),
        json.dumps({"columns": [COLUMN], "index_columns": ["no such"], "column_indexes": [COLUMN] * 3}),
    ],
    ids=lambda text: text[:60],
)
@pytest.mark.parametrize("form", TABLE_FORMATS)
def test_an_absurd_description_for_pandas_is_damage_or_ignored(described: str, form: ResultFormat) -> None:
    table = pa.table({"a": [1]}).replace_schema_metadata({"pandas": described.encode("latin-1")})
    try:
        found = read(table_bytes(table, form), Encoding(format=form, library=Library.PANDAS))
    except DamagedResult:
        return
    assert isinstance(found, pd.DataFrame)
    assert len(found) == 1


@pytest.mark.parametrize("library", [Library.PANDAS, Library.PYARROW])
@pytest.mark.parametrize("form", TABLE_FORMATS)
def test_more_rows_than_are_ever_written_together_are_damage(form: ResultFormat, library: Library) -> None:
    data = table_bytes(pa.table({"a": pa.nulls(ROWS + 1)}), form, row_group_size=ROWS + 1)
    assert "more rows" in refused(data, Encoding(format=form, library=library))


def test_more_rows_than_a_file_has_room_for_are_damage() -> None:
    data = table_bytes(pa.table({"a": pa.nulls(ROWS * 100)}), F.ARROW)
    assert "more rows" in refused(data, Encoding(format=F.ARROW, library=Library.POLARS))


@pytest.mark.parametrize("library", TABLE_LIBRARIES)
def test_offsets_outside_their_buffer_are_damage(library: Library) -> None:
    data = table_bytes(pa.table({"a": pa.array(["abcde", "f"])}), F.ARROW)
    tame, wild = (np.array([0, 5, end], "i4").tobytes() for end in (6, 10**6))
    assert data.count(tame) == 1
    refused(data.replace(tame, wild), Encoding(format=F.ARROW, library=library))


def npy(array: np.ndarray, **options: bool) -> bytes:
    file = io.BytesIO()
    np.save(file, array, **options)
    return file.getvalue()


def npy_header(text: str) -> bytes:
    return b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text.encode()


def test_arrays_of_objects_are_not_unpickled(canary: Path) -> None:
    data = npy(np.array([Creates(canary)]), allow_pickle=True)
    refused(data, Encoding(format=F.NPY, library=Library.NUMPY))
    refused(npz({"a.npy": data}), Encoding(format=F.NPZ, library=Library.NUMPY))
    assert not canary.exists()


@pytest.mark.parametrize(
    "header",
    [
        "{'descr': '<f8', 'fortran_order': False, 'shape': (1000000000000, 1000000), }",
        "{'descr': '|V0', 'fortran_order': False, 'shape': (1000000000000,), }",
        "{'descr': '<f8', 'fortran_order': False, 'shape': (-1, -1), }",
        "{'descr': '<f8', 'fortran_order': False, 'shape': (0, 'x'), }",
        "{'descr': [('a', 'O')], 'fortran_order': False, 'shape': (1,), }",
        "__import__('os').abort()",
        "(" * 5000,
    ],
    ids=lambda text: text[:60],
)
def test_absurd_headers_of_arrays_are_damage(header: str) -> None:
    data = npy_header(header) + b"\0" * 8
    refused(data, Encoding(format=F.NPY, library=Library.NUMPY))
    refused(npz({"a.npy": data}), Encoding(format=F.NPZ, library=Library.NUMPY))


def test_text_that_is_no_unicode_is_damage() -> None:
    data = npy(np.array(["a"])).replace(b"a\0\0\0", b"\xff\xff\xff\x7f")
    refused(data, Encoding(format=F.NPY, library=Library.NUMPY))


def npz(members: dict[str, bytes], compression: int = zipfile.ZIP_STORED) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", compression) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return file.getvalue()


@pytest.mark.parametrize(
    "data",
    [
        npz({"a.npy": npy(np.zeros(10**6))}, zipfile.ZIP_DEFLATED),
        npz({"a.txt": b"x"}),
        npz({"a.npy": npy(np.zeros(1)) + b"x"}),
        npz({"a.npy": npy(np.zeros(1)), "b.npy": npy(np.ones(1))}).replace(b"b.npy", b"a.npy"),
        npz({"a.npy": npy(np.zeros(1))})[10:],
    ],
    ids=["a bomb", "no array", "more than an array", "one name twice", "cut off"],
)
def test_archives_that_are_never_written_are_damage(data: bytes) -> None:
    refused(data, Encoding(format=F.NPZ, library=Library.NUMPY))


SAMPLES = {
    "json": ([1, {"a": [None, "é", 1.5e30]}], F.JSON),
    "text": ("é" * 50, F.TEXT),
    "npy": (np.array(["a", "bc"]), F.NPY),
    "npz": ({"a": np.arange(5), "b": np.ones((2, 2))}, F.NPZ),
}
FRAME = {"a": list(range(50)), "t": [f"text {number % 7}" for number in range(50)]}
PANDAS_FRAME = pd.DataFrame(FRAME)
PANDAS_FRAME["c"] = PANDAS_FRAME["t"].astype("category")
PANDAS_FRAME["b"] = pd.cut(PANDAS_FRAME["a"], 3)
POLARS_FRAME = pl.DataFrame(FRAME).with_columns(c=pl.col("t").cast(pl.Categorical), s=pl.struct("a", "t"))
for _form in TABLE_FORMATS:
    SAMPLES[f"pandas {_form}"] = (PANDAS_FRAME.set_index(pd.date_range("2026", periods=50)), _form)
    SAMPLES[f"polars {_form}"] = (POLARS_FRAME, _form)
    SAMPLES[f"pyarrow {_form}"] = (pa.table(FRAME | {"l": [[number, None] for number in range(50)]}), _form)
SAMPLES["pandas csv"] = (pd.DataFrame(FRAME), F.CSV)
SAMPLES["polars csv"] = (pl.DataFrame(FRAME), F.CSV)
SAMPLES["pyarrow csv"] = (pa.table(FRAME), F.CSV)


def damages(data: bytes, count: int) -> Iterator[bytes]:
    """Cut off, without a piece, with one that is strange, with wrong bytes: most of them near the end, where the
    formats keep what the rest is."""
    chance = random.Random(7)
    for _ in range(count):
        damaged = bytearray(data)
        place = chance.randrange(len(data))
        if chance.random() < 0.5:
            place = max(0, len(data) - 1 - int(chance.expovariate(1 / 200)))
        match chance.randrange(5):
            case 0:
                del damaged[place:]
            case 1:
                del damaged[place : place + chance.randrange(1, 20)]
            case 2:
                damaged[place:place] = chance.randbytes(chance.randrange(1, 9))
            case _:
                damaged[place] = chance.choice([damaged[place] ^ 1, 0, 127, 255])
        yield bytes(damaged)


@pytest.mark.parametrize("sample", SAMPLES)
def test_damage_is_told_or_gives_a_value_of_the_same_type(sample: str) -> None:
    value, form = SAMPLES[sample]
    encoding = encoding_of(value, form)
    for data in damages(written(value, encoding), 60):
        try:
            found = read(data, encoding)
        except DamagedResult:
            continue
        assert type(found) is type(value)


@pytest.mark.parametrize("data", [b"", b"\0", b"PAR1", b"ARROW1", b"PAR1PAR1PAR1", b"ARROW1ARROW1ARROW1", b"\x93NUMPY"])
@pytest.mark.parametrize("library", Library)
def test_nothing_much_is_damage(library: Library, data: bytes) -> None:
    for form in {F.PARQUET, F.ARROW, F.NPY, F.NPZ, F.JSON}:
        refused(data, Encoding(format=form, library=library))


@pytest.mark.parametrize("sample", [sample for sample in SAMPLES if sample != "text" and "csv" not in sample])
def test_a_pickle_under_another_name_is_damage(sample: str, canary: Path) -> None:
    value, form = SAMPLES[sample]
    for protocol in (0, 2, 5):
        refused(pickle.dumps(Creates(canary), protocol), encoding_of(value, form))
    assert not canary.exists()


@pytest.mark.parametrize("sample", ["text", "pandas csv", "polars csv", "pyarrow csv"])
def test_a_pickle_that_passes_for_text_stays_text(sample: str, canary: Path) -> None:
    value, form = SAMPLES[sample]
    try:
        assert type(read(pickle.dumps(Creates(canary), 0), encoding_of(value, form))) is type(value)
    except DamagedResult:
        pass
    assert not canary.exists()


def test_a_pickle_is_not_read_by_the_reader_of_results(canary: Path) -> None:
    file = io.BytesIO(pickle.dumps(Creates(canary)))
    for library in Library:
        with pytest.raises(UsageError, match="only where it was made"):
            read_result(file, Encoding(format=F.PICKLE, library=library), name="result")
    assert not canary.exists()


@pytest.mark.parametrize("data", [b"", b"junk", b"cno_such_module\nname\n."])
def test_a_pickle_whose_code_or_bytes_have_gone_is_damage(data: bytes) -> None:
    with pytest.raises(DamagedResult, match="can't be unpickled"):
        read_pickle(io.BytesIO(data), name="result")
