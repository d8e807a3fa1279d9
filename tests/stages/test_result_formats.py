"""Which format keeps which result: what comes back is equal, and what would not be is refused with a way out."""

from __future__ import annotations

import datetime
import subprocess
import sys
from collections.abc import Callable
from decimal import Decimal

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from results import read, there_and_back, written

from datatool.errors import LocalError, ReadFailed, UsageError
from datatool.model.result import Encoding, Library, ResultFormat
from datatool.stages.result_formats import encoding_of, libraries, read_result

F = ResultFormat
TABLE_FORMATS = [F.PARQUET, F.ARROW]


@pytest.mark.parametrize(
    ("value", "form", "library"),
    [
        (None, F.JSON, Library.PLAIN),
        (True, F.JSON, Library.PLAIN),
        (3, F.JSON, Library.PLAIN),
        (-0.0, F.JSON, Library.PLAIN),
        ([1, {"a": [None, "é"]}], F.JSON, Library.PLAIN),
        ({}, F.JSON, Library.PLAIN),
        ("a\r\né", F.TEXT, Library.PLAIN),
        (b"\x00\xff", F.BYTES, Library.PLAIN),
        ((1, 2), F.PICKLE, Library.PLAIN),
        ({1: 2}, F.PICKLE, Library.PLAIN),
        ({"a": {1}}, F.PICKLE, Library.PLAIN),
        (float("inf"), F.PICKLE, Library.PLAIN),
        ("\ud800", F.PICKLE, Library.PLAIN),
        (bytearray(b"a"), F.PICKLE, Library.PLAIN),
        (datetime.date(2026, 1, 1), F.PICKLE, Library.PLAIN),
        (np.float64(1.5), F.NPY, Library.NUMPY),
        (np.datetime64("2026-01-01"), F.NPY, Library.NUMPY),
    ],
    ids=repr,
)
def test_a_value_is_kept_in_the_format_of_its_type(value: object, form: ResultFormat, library: Library) -> None:
    encoding, back = there_and_back(value)
    assert encoding == Encoding(format=form, library=library)
    assert type(back) is type(value)
    assert back == value


@pytest.mark.parametrize(
    "array",
    [
        np.arange(6).reshape(2, 3),
        np.asfortranarray(np.ones((2, 3), dtype=">f4")),
        np.array(["a", "bc"]),
        np.array(["2026-01-01", "NaT"], dtype="datetime64[D]"),
        np.zeros(2, np.dtype([("a", "i1"), ("b", "f8")], align=True)),
        np.zeros((0, 3)),
        np.array([1j, np.nan]),
    ],
    ids=lambda array: str(array.dtype),
)
def test_arrays_keep_type_shape_and_order_and_can_be_written_to(array: np.ndarray) -> None:
    encoding, back = there_and_back(array)
    assert encoding.format is F.NPY
    assert isinstance(back, np.ndarray)
    np.testing.assert_array_equal(back, array)
    assert (back.dtype, back.flags.writeable, back.flags.f_contiguous) == (array.dtype, True, array.flags.f_contiguous)


def test_a_dict_of_arrays_keeps_its_names_and_their_order() -> None:
    arrays = {"z": np.arange(3), "a/b.npy": np.ones((2, 2)), "": np.array("x"), "é": np.zeros(0)}
    encoding, back = there_and_back(arrays)
    assert encoding.format is F.NPZ
    assert isinstance(back, dict)
    assert list(back) == list(arrays)
    for name, array in arrays.items():
        np.testing.assert_array_equal(back[name], array)
        assert back[name].shape == array.shape


def test_a_declared_npz_may_be_empty() -> None:
    assert there_and_back({}, F.NPZ)[1] == {}


FRAMES = {
    "text and missing text": pd.DataFrame({"a": ["x", None, ""]}),
    "floats": pd.DataFrame({"a": [1.5, np.nan, np.inf, -0.0]}),
    "half floats": pd.DataFrame({"a": np.array([1, 2], dtype="float16")}),
    "nullable": pd.DataFrame({"a": pd.array([1, None], dtype="Int64"), "b": pd.array([None, True], dtype="boolean")}),
    "categories": pd.DataFrame({"a": pd.Categorical(["b", None], categories=["z", "b"], ordered=True)}),
    "categories that are numbers": pd.DataFrame({"a": pd.Categorical([2, 1], categories=[5, 2, 1])}),
    "no rows of categories": pd.DataFrame({"a": pd.Categorical([], categories=["x"])}),
    "bins": pd.DataFrame({"a": pd.cut([1, 2, 3], 2)}),
    "an index of categories": pd.DataFrame({"a": [1]}, index=pd.CategoricalIndex(["x"], categories=["y", "x"])),
    "zones": pd.DataFrame({"a": pd.date_range("2026", periods=2, tz="Europe/Paris")}),
    "periods": pd.DataFrame({"a": pd.period_range("2026", periods=2, freq="M"), "b": pd.interval_range(0, 2)}),
    "an index": pd.DataFrame({"a": [1, 2]}, index=pd.Index(["x", "y"], name="k")),
    "an index 0, 1": pd.DataFrame({"a": [1, 2]}, index=pd.Index([0, 1])),
    "an index with steps": pd.DataFrame({"a": [1, 2]}, index=pd.RangeIndex(3, 9, 3, name="k")),
    "an index of days": pd.DataFrame({"a": [1, 2]}, index=pd.date_range("2026", periods=2)),
    "an index of levels": pd.DataFrame({"a": [1]}, index=pd.MultiIndex.from_tuples([("a", 1)], names=["p", None])),
    "an index of nullable numbers": pd.DataFrame(
        {"a": [1, 2]}, index=pd.Index([2**62 + 1, None], dtype="Int64", name="k")
    ),
    "an index of levels of categories": pd.DataFrame(
        {"a": [1, 2], "g": pd.Categorical(["x", "y"]), "i": [3, 4]}
    ).set_index(["g", "i"]),
    "numbers for columns": pd.DataFrame(np.ones((2, 2))),
    "levels of columns": pd.DataFrame([[1]], columns=pd.MultiIndex.from_tuples([("a", 1)], names=["p", "q"])),
    "a name for the columns": pd.DataFrame({"a": [1]}).rename_axis(columns="n"),
    "a column like an index": pd.DataFrame({"__index_level_0__": [1]}, index=[7]),
    "bytes": pd.DataFrame({"a": pd.Series([b"x", None], dtype=object)}),
    "dates": pd.DataFrame({"a": pd.Series([datetime.date(2026, 1, 1), None], dtype=object)}),
    "decimals": pd.DataFrame({"a": pd.Series([Decimal("1.50"), Decimal("2.25")], dtype=object)}),
    "nothing": pd.DataFrame(),
}


@pytest.mark.parametrize("form", TABLE_FORMATS)
@pytest.mark.parametrize("name", FRAMES)
def test_a_pandas_frame_keeps_index_labels_and_types(name: str, form: ResultFormat) -> None:
    frame = FRAMES[name]
    before = frame.copy()
    encoding, back = there_and_back(frame, form)
    assert encoding == Encoding(format=form, library=Library.PANDAS)
    assert isinstance(back, pd.DataFrame)
    pd.testing.assert_frame_equal(back, frame, check_freq=True)
    pd.testing.assert_frame_equal(frame, before, check_freq=True)
    assert encoding_of(frame, None).format is F.PARQUET


@pytest.mark.parametrize("form", TABLE_FORMATS)
@pytest.mark.parametrize(
    "series",
    [
        pd.Series([1, 2], name="a"),
        pd.Series([1, 2], index=["x", "y"]),
        pd.Series(["x"], dtype="category", name="value"),
    ],
    ids=["named", "unnamed", "categories"],
)
def test_a_pandas_series_stays_a_series(series: pd.Series, form: ResultFormat) -> None:
    _, back = there_and_back(series, form)
    assert isinstance(back, pd.Series)
    pd.testing.assert_series_equal(back, series)


UNFIT = {
    "lists": pd.DataFrame({"a": [[1]]}),
    "mixed": pd.DataFrame({"a": pd.Series([1, "x"], dtype=object)}),
    "complex": pd.DataFrame({"a": [1j]}),
    "labels of two types": pd.DataFrame({0: [1], "a": [2]}),
    "labels twice": pd.DataFrame([[1, 2]], columns=["a", "a"]),
    "rows only": pd.DataFrame(index=range(3)),
    "a series named by a number": pd.Series([1], name=3),
    "decimals of two precisions": pd.DataFrame({"a": pd.Series([Decimal("1.0"), Decimal("1.00")], dtype=object)}),
}


@pytest.mark.parametrize("name", UNFIT)
def test_what_a_table_would_change_is_refused_when_declared_and_pickled_when_not(name: str) -> None:
    value = UNFIT[name]
    assert there_and_back(value)[0] == Encoding(format=F.PICKLE, library=Library.PANDAS)
    for form in TABLE_FORMATS:
        with pytest.raises(UsageError, match=f"pandas.* can't be kept as {form}"):
            encoding_of(value, form)


def test_a_type_that_parquet_changes_goes_to_arrow_unless_parquet_was_declared() -> None:
    frame = pd.DataFrame({"a": np.array([1, 2], dtype="datetime64[s]")})
    assert there_and_back(frame)[0].format is F.ARROW
    with pytest.raises(UsageError, match=r"datetime64\[s\] would come back as datetime64\[ms\]"):
        encoding_of(frame, F.PARQUET)


def test_attrs_come_back_where_they_can() -> None:
    frame = pd.DataFrame({"a": [1]})
    frame.attrs = {"unit": "m"}
    back = there_and_back(frame)[1]
    assert isinstance(back, pd.DataFrame)
    assert back.attrs == {"unit": "m"}
    series = pd.Series([1])
    series.attrs = {"unit": "m"}
    back = there_and_back(series)[1]
    assert isinstance(back, pd.Series)
    assert back.attrs == {"unit": "m"}
    frame.attrs = {"unit": ("m", "s")}
    assert encoding_of(frame, None).format is F.PICKLE


POLARS = pl.DataFrame(
    {
        "i": [1, None],
        "t": ["x", ""],
        "f": [1.5, float("nan")],
        "c": pl.Series(["u", "v"], dtype=pl.Categorical),
        "e": pl.Series(["u", "v"], dtype=pl.Enum(["v", "u"])),
        "l": [[1], None],
        "s": [{"x": 1}, {"x": None}],
        "d": [datetime.date(2026, 1, 1), None],
        "z": pl.Series([datetime.datetime(2026, 1, 1), None], dtype=pl.Datetime("ms", "Europe/Paris")),
        "n": [None, None],
    }
)


@pytest.mark.parametrize("form", TABLE_FORMATS)
def test_a_polars_frame_keeps_its_types(form: ResultFormat) -> None:
    for frame in (POLARS, POLARS.clear(), pl.concat([POLARS, POLARS], rechunk=False), pl.DataFrame()):
        encoding, back = there_and_back(frame, form)
        assert encoding.library is Library.POLARS
        assert isinstance(back, pl.DataFrame)
        assert back.equals(frame)
        assert back.schema == frame.schema


def test_polars_objects_fit_no_format() -> None:
    frame = pl.DataFrame({"a": [object()]})
    with pytest.raises(UsageError, match=r"polars.DataFrame.* can't be kept as parquet"):
        encoding_of(frame, F.PARQUET)
    with pytest.raises(UsageError, match="can't be pickled"):
        written(frame, encoding_of(frame, None))


TABLE = pa.table(
    {
        "i": pa.array([1, None], pa.int8()),
        "t": pa.array(["x", None], pa.large_string()),
        "z": pa.array([1, 2], pa.timestamp("us", "UTC")),
        "l": pa.array([[1], []], pa.list_(pa.int32())),
        "u": pa.array([b"0" * 16, None], pa.uuid()),
    },
    metadata={"k": "v"},
)


@pytest.mark.parametrize("form", TABLE_FORMATS)
def test_a_pyarrow_table_keeps_its_types_and_metadata(form: ResultFormat) -> None:
    encoding, back = there_and_back(TABLE, form)
    assert encoding.library is Library.PYARROW
    assert isinstance(back, pa.Table)
    assert back.equals(TABLE, check_metadata=True)
    assert encoding_of(TABLE, None).format is F.ARROW


def test_chunks_do_not_count() -> None:
    words = pa.table({"a": pa.array(["x", "y"]).dictionary_encode()})
    parts = pa.concat_tables([words.slice(0, 1), words.slice(1)])
    encoding = encoding_of(words, None)
    assert parts.column("a").num_chunks == 2
    assert written(parts, encoding) == written(words, encoding)


def test_two_libraries_do_not_get_each_others_tables() -> None:
    data = {"a": [1, 2]}
    for table, kind in (
        (pd.DataFrame(data), pd.DataFrame),
        (pl.DataFrame(data), pl.DataFrame),
        (pa.table(data), pa.Table),
    ):
        for form in (F.PARQUET, F.ARROW, F.CSV):
            assert type(there_and_back(table, form)[1]) is kind


@pytest.mark.parametrize(
    ("value", "declared", "said"),
    [
        ((1, 2), F.JSON, "tuple"),
        ([{"a": (1,)}], F.JSON, "would change a tuple"),
        ({1: 2}, F.JSON, "keys other than text"),
        ([float("nan")], F.JSON, "NaN"),
        (10**4300, F.JSON, "more than 4300 digits"),
        ({"a": 1}, F.TEXT, "holds str only"),
        (bytearray(b"x"), F.BYTES, "holds bytes only"),
        (pd.DataFrame({"a": [1]}), F.JSON, "can't be kept as json"),
        (pd.DataFrame({"a": [1]}, index=[4]), F.CSV, "index would be lost"),
        (pd.DataFrame({0: [1]}), F.CSV, "names"),
        (pd.DataFrame({"a": [[1]]}), F.CSV, "holds list"),
        (pl.DataFrame({"a": [[1]]}), F.CSV, "not one text"),
        (pa.table({"a": [[1]]}), F.CSV, "not one text"),
        (pa.table({"a": pa.array(["x"], pa.string_view())}), F.CSV, "string_view"),
        (pa.table({"a": pa.nulls(0, pa.month_day_nano_interval())}), F.CSV, "interval"),
        (pl.DataFrame({"a": [datetime.timedelta(1)]}), F.CSV, "duration"),
        (pl.DataFrame(schema={"a": pl.Duration}), F.CSV, "duration"),
        (pl.Series([1]), F.PARQUET, "holds a polars DataFrame"),
        (np.array([None]), F.NPY, "object"),
        (np.array(1.0), F.NPY, "without dimensions"),
        (np.ma.array([1]), F.NPY, "MaskedArray"),
        ({"a": np.array([None])}, F.NPZ, "object"),
        ({"a": 1}, F.NPZ, "'a' is no numpy array"),
        ({"a\\b": np.zeros(1)}, F.NPZ, "name"),
        (pa.table({"a": pa.array(["x"]).dictionary_encode()}), F.PARQUET, "dictionaries"),
        (lambda: 1, F.ARROW, "function"),
    ],
    ids=lambda item: type(item).__name__ if not isinstance(item, str) else str(item),
)
def test_a_declared_format_that_would_change_the_value_is_refused(
    value: object, declared: ResultFormat, said: str
) -> None:
    with pytest.raises(UsageError, match=said) as caught:
        encoding_of(value, declared)
    assert str(declared) in caught.value.message


def test_what_cannot_be_pickled_is_refused_when_it_is_written() -> None:
    value = {"run": lambda: 1}
    with pytest.raises(UsageError, match="can't be pickled"):
        written(value, encoding_of(value, None))


@pytest.mark.parametrize("kind", [pa.table, pa.record_batch])
def test_rows_without_columns_are_refused_wherever_they_stand(kind: Callable[..., pa.Table]) -> None:
    rows = kind({"a": [1, 2]})
    for value in (rows.select([]), {"rows": rows.select([])}):
        with pytest.raises(UsageError, match="rows without columns would be lost"):
            written(value, encoding_of(value, None))
    for value in ({"rows": rows}, {"rows": rows.slice(0, 0).select([])}):
        assert there_and_back(value)[1] == value


def test_csv_keeps_rows_columns_and_text_that_looks_missing() -> None:
    frame = pd.DataFrame({"a": ["NA", 'x\r,"y\n', None], "b": [1, 2, 3], "c": [0.1, np.nan, 1e300]})
    _, back = there_and_back(frame, F.CSV)
    assert isinstance(back, pd.DataFrame)
    pd.testing.assert_frame_equal(back, frame)


def test_lists_in_a_circle_are_no_json() -> None:
    circle: list[object] = []
    circle.append(circle)
    assert encoding_of(circle, None).format is F.PICKLE


def test_a_missing_library_is_named_with_the_way_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    frame = pd.DataFrame({"a": [1]})
    encoding = encoding_of(frame, None)
    data = written(frame, encoding)
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    for act in (lambda: encoding_of(frame, None), lambda: read(data, encoding)):
        with pytest.raises(LocalError, match="needs pyarrow") as caught:
            act()
        assert caught.value.hint is not None
        assert ".[pandas]" in caught.value.hint


def test_a_disk_that_can_not_be_read_is_no_damage() -> None:
    with open("/proc/self/mem", "rb") as file, pytest.raises(ReadFailed):  # address 0 is no one's
        read_result(file, Encoding(format=F.JSON, library=Library.PLAIN), name="result")


def test_no_library_is_loaded_for_plain_values() -> None:
    code = (
        "import sys, io, pathlib; from datatool.stages.result_formats import encoding_of, write_result\n"
        "for value in (1, 'x', b'y', [1], {'a': 1}, (1,), {1}):\n"
        "    write_result(value, encoding_of(value, None), io.BytesIO())\n"
        "print(*sys.modules)"
    )
    done = subprocess.run([sys.executable, "-P", "-c", code], capture_output=True, text=True, check=True)
    assert not {name.partition(".")[0] for name in done.stdout.split()} & {"numpy", "pandas", "polars", "pyarrow"}


def test_the_door_names_what_has_an_extra() -> None:
    assert libraries.load("numpy") is np
    assert read(b"null", Encoding(format=F.JSON, library=Library.PLAIN)) is None
