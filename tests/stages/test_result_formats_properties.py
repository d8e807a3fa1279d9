"""Whatever a function returns: computed and cached are equal, and equal results are equal bytes."""

from __future__ import annotations

from datetime import timedelta

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as some_numpy
from polars.testing import assert_frame_equal as assert_polars_equal
from polars.testing.parametric import dataframes as polars_frames
from results import read, there_and_back, written

from datatool.model.result import Library, ResultFormat
from datatool.stages.result_formats import encoding_of

F = ResultFormat
TABLE_FORMATS = [F.PARQUET, F.ARROW]
UNICODE = st.characters(exclude_categories=["Cs"])
TEXT = st.text(UNICODE, max_size=8)
NAMES = st.text(UNICODE, min_size=1, max_size=5)

FINITE = st.floats(allow_nan=False, allow_infinity=False)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | FINITE | TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4),
    max_leaves=20,
)
ARRAYS = some_numpy.arrays(
    dtype=some_numpy.scalar_dtypes() | some_numpy.unicode_string_dtypes() | some_numpy.byte_string_dtypes(),
    shape=some_numpy.array_shapes(min_dims=1, max_dims=3, min_side=0, max_side=3),
)

MOMENTS = st.datetimes(min_value=pd.Timestamp(1700, 1, 1), max_value=pd.Timestamp(2200, 1, 1))
CELLS = {
    "int64": st.integers(-(2**63), 2**63 - 1),
    "uint8": st.integers(0, 255),
    "float64": st.floats(),
    "bool": st.booleans(),
    "str": st.none() | TEXT,
    "Int64": st.none() | st.integers(-(2**63), 2**63 - 1),
    "boolean": st.none() | st.booleans(),
    "string": st.none() | TEXT,
    "category": st.none() | st.sampled_from(["x", "y", "z"]),
    "datetime64[us]": st.none() | MOMENTS,
    "datetime64[ns]": st.none() | MOMENTS,
    "timedelta64[us]": st.none() | st.timedeltas(timedelta(-40_000), timedelta(40_000)),
}


@st.composite
def columns(draw: st.DrawFn, size: int, dtypes: list[str]) -> pd.Series:
    dtype = draw(st.sampled_from(dtypes))
    return pd.Series(draw(st.lists(CELLS[dtype], min_size=size, max_size=size)), dtype=dtype)


@st.composite
def pandas_frames(draw: st.DrawFn, dtypes: list[str], *, indexed: bool) -> pd.DataFrame:
    size = draw(st.integers(0, 5))
    names = draw(st.lists(NAMES, min_size=1, max_size=4, unique=True))
    frame = pd.DataFrame({name: draw(columns(size, dtypes)) for name in names})
    if indexed:
        levels = [draw(columns(size, dtypes)) for _ in range(draw(st.integers(0, 2)))]
        labels = draw(st.lists(st.none() | NAMES, min_size=len(levels), max_size=len(levels), unique=True))
        if len(levels) == 1:
            frame.index = pd.Index(levels[0], name=labels[0])
        elif levels:
            frame.index = pd.MultiIndex.from_arrays(levels, names=labels)
    return frame


@given(value=JSON)
def test_plain_values_come_back_from_json(value: object) -> None:
    assert repr(there_and_back(value, F.JSON)[1]) == repr(value), "which tells 1, 1.0 and True apart"


@given(value=st.text(UNICODE))
def test_text_comes_back(value: str) -> None:
    encoding, back = there_and_back(value)
    assert (encoding.format, back) == (F.TEXT, value)


@given(value=st.binary())
def test_bytes_come_back(value: bytes) -> None:
    encoding, back = there_and_back(value)
    assert (encoding.format, back) == (F.BYTES, value)


@given(array=ARRAYS)
def test_arrays_come_back(array: np.ndarray) -> None:
    _, back = there_and_back(array, F.NPY)
    assert isinstance(back, np.ndarray)
    assert (back.dtype, back.shape, back.tobytes()) == (array.dtype, array.shape, array.tobytes())


@given(arrays=st.dictionaries(TEXT.filter(lambda name: "\0" not in name and "\\" not in name), ARRAYS, max_size=3))
def test_dicts_of_arrays_come_back(arrays: dict[str, np.ndarray]) -> None:
    _, back = there_and_back(arrays, F.NPZ)
    assert isinstance(back, dict)
    assert [(name, array.dtype, array.tobytes()) for name, array in back.items()] == [
        (name, array.dtype, array.tobytes()) for name, array in arrays.items()
    ]


@pytest.mark.parametrize("form", TABLE_FORMATS)
@settings(max_examples=50)
@given(frame=pandas_frames(list(CELLS), indexed=True))
def test_pandas_frames_come_back(form: ResultFormat, frame: pd.DataFrame) -> None:
    encoding, back = there_and_back(frame, form)
    assert encoding.library is Library.PANDAS
    assert isinstance(back, pd.DataFrame)
    pd.testing.assert_frame_equal(back, frame, check_exact=True, check_freq=True)


@pytest.mark.parametrize("form", TABLE_FORMATS)
@settings(max_examples=50)
@given(frame=polars_frames(max_cols=4, max_size=5, excluded_dtypes=[pl.Object, pl.Extension]))
def test_polars_frames_come_back(form: ResultFormat, frame: pl.DataFrame) -> None:
    encoding, back = there_and_back(frame, form)
    assert encoding.library is Library.POLARS
    assert isinstance(back, pl.DataFrame)
    assert back.schema == frame.schema
    assert_polars_equal(back, frame, check_exact=True)


ARROW_TYPES = {
    pa.int8(): st.integers(-128, 127),
    pa.uint64(): st.integers(0, 2**64 - 1),
    pa.float32(): st.floats(width=32, allow_nan=False),
    pa.float64(): st.floats(allow_nan=False),
    pa.bool_(): st.booleans(),
    pa.string(): TEXT,
    pa.large_string(): TEXT,
    pa.binary(): st.binary(max_size=5),
    pa.timestamp("us", "UTC"): MOMENTS,
    pa.date32(): st.dates(),
    pa.list_(pa.int16()): st.lists(st.none() | st.integers(-5, 5), max_size=3),
    pa.struct([("x", pa.int64())]): st.fixed_dictionaries({"x": st.none() | st.integers(-5, 5)}),
    pa.null(): st.none(),
}


@st.composite
def arrow_tables(draw: st.DrawFn, types: list[pa.DataType]) -> pa.Table:
    size = draw(st.integers(0, 5))
    names = draw(st.lists(NAMES, min_size=1, max_size=4, unique=True))
    arrays = []
    for _ in names:
        kind = draw(st.sampled_from(types))
        cells = draw(st.lists(st.none() | ARROW_TYPES[kind], min_size=size, max_size=size))
        arrays.append(pa.array(cells, kind))
    return pa.table(arrays, names=names)


@pytest.mark.parametrize("form", TABLE_FORMATS)
@settings(max_examples=50)
@given(table=arrow_tables(list(ARROW_TYPES)))
def test_pyarrow_tables_come_back(form: ResultFormat, table: pa.Table) -> None:
    encoding, back = there_and_back(table, form)
    assert encoding.library is Library.PYARROW
    assert isinstance(back, pa.Table)
    assert back.equals(table, check_metadata=True)


def stays_as_csv(value: object) -> tuple[list[str], int]:
    """Names and rows of what comes back, which comes back unchanged from then on."""
    encoding = encoding_of(value, F.CSV)
    once = read(written(value, encoding), encoding)
    again = read(written(once, encoding_of(once, F.CSV)), encoding)
    if isinstance(once, pd.DataFrame):
        pd.testing.assert_frame_equal(once, again)
    else:
        assert once.equals(again)
        assert once.schema == again.schema
    return list(once.columns) if not isinstance(once, pa.Table) else once.column_names, len(once)


@settings(max_examples=50)
@given(frame=pandas_frames(list(CELLS), indexed=False))
def test_csv_of_pandas_is_stable(frame: pd.DataFrame) -> None:
    assert stays_as_csv(frame) == (list(frame.columns), len(frame))


@settings(max_examples=50)
@given(
    frame=polars_frames(
        max_cols=4, max_size=5, allowed_dtypes=[pl.Int64, pl.Float64, pl.String, pl.Boolean, pl.Date, pl.Datetime]
    ).filter(lambda frame: frame.width)
)
def test_csv_of_polars_is_stable(frame: pl.DataFrame) -> None:
    assert stays_as_csv(frame) == (frame.columns, len(frame))


FLAT = [kind for kind in ARROW_TYPES if pa.types.is_primitive(kind) or pa.types.is_string(kind)]


@settings(max_examples=50)
@given(table=arrow_tables(FLAT))
def test_csv_of_pyarrow_is_stable(table: pa.Table) -> None:
    assert stays_as_csv(table) == (table.column_names, len(table))
