"""Tables as CSV, each by its own library.

CSV has no types: what comes back has those that the library reads from the text. Rows, columns and their names stay,
and what came back once comes back unchanged from then on. So only values are taken that are one text each.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from datetime import date, time
from decimal import Decimal
from typing import TYPE_CHECKING, BinaryIO, Final, cast

from datatool.stages.result_formats.codec import CannotHold, Codec
from datatool.stages.result_formats.libraries import load
from datatool.stages.result_formats.polars_frames import require_frame

if TYPE_CHECKING:
    import pandas as pd
    import polars as pl
    import pyarrow as pa

_OTHER: Final = "use format='parquet'"
_OBJECTS: Final = frozenset({type(None), bool, int, float, str, date, time, Decimal})


def _check_names(names: list[object]) -> None:
    if not names:
        raise CannotHold("a table without columns has no text", _OTHER)
    if any(type(name) is not str or not name for name in names) or len(set(names)) != len(names):
        raise CannotHold("its columns need different names, all text", "frame.rename(columns=str)")


def _check_pandas(value: object) -> None:
    pandas = load("pandas")
    if type(value) is not pandas.DataFrame:
        raise CannotHold("it holds a DataFrame", "return series.to_frame('…')")
    frame = cast("pd.DataFrame", value)
    index = frame.index
    if type(index) is not pandas.RangeIndex or (index.start, index.step, index.name) != (0, 1, None):
        raise CannotHold("the index would be lost", "return frame.reset_index(), or use format='parquet'")
    _check_names(list(frame.columns))
    if frame.columns.name is not None or frame.attrs:
        raise CannotHold("attrs and the name of the columns would be lost", _OTHER)
    for number, name in enumerate(frame.columns):
        _check_pandas_column(name, frame.iloc[:, number])
    back = _read_pandas(_written(_write_pandas, frame.iloc[:0]))
    if list(back.columns) != list(frame.columns):
        raise CannotHold("the names of some columns would change", "rename them")


def _check_pandas_column(name: str, column: pd.Series) -> None:
    pandas = load("pandas")
    kind = column.dtype.categories.dtype if isinstance(column.dtype, pandas.CategoricalDtype) else column.dtype
    strange = set(map(type, column)) - _OBJECTS if kind.name == "object" else set()
    if strange or not (kind.name == "object" or kind.kind in "biufMm" or isinstance(kind, pandas.StringDtype)):
        what = ", ".join(sorted(kind.__name__ for kind in strange)) or str(kind)
        raise CannotHold(f"the column {name!r} holds {what}, which is not one text", _OTHER)


def _write_pandas(value: object, file: BinaryIO) -> None:
    """All text in quotes: a carriage return without them would end a row."""
    cast("pd.DataFrame", value).to_csv(
        file, mode="wb", index=False, lineterminator="\n", encoding="utf-8", quoting=csv.QUOTE_NONNUMERIC
    )


def _read_pandas(file: BinaryIO) -> pd.DataFrame:
    """Nothing but an empty field is missing: `NA` is a text."""
    pandas = load("pandas")
    recent = [int(part) for part in pandas.__version__.split(".")[:2]] >= [
        3,
        1,
    ]  # where numbers are always read exactly
    frame: pd.DataFrame = pandas.read_csv(
        file,
        encoding="utf-8",
        lineterminator="\n",
        **({} if recent else {"float_precision": "round_trip"}),
        keep_default_na=False,
        na_values=[""],
        index_col=False,
        low_memory=False,
    )
    return frame


def _check_polars(value: object) -> None:
    frame = require_frame(value)
    _check_names(list(frame.columns))
    polars = load("polars")
    for name, kind in frame.schema.items():
        if kind.is_nested() or kind in (polars.Object, polars.Binary):
            raise CannotHold(f"the column {name!r} holds {kind}, which is not one text", _OTHER)
    _try(_write_polars, frame.clear(1), load("polars.exceptions").PolarsError)


def _write_polars(value: object, file: BinaryIO) -> None:
    cast("pl.DataFrame", value).write_csv(file)


def _read_polars(file: BinaryIO) -> pl.DataFrame:
    frame: pl.DataFrame = load("polars").read_csv(file.read(), infer_schema_length=None, glob=False)
    return frame


def _check_pyarrow(value: object) -> None:
    if type(value) is not load("pyarrow").Table:
        raise CannotHold("it holds a pyarrow.Table")
    table = cast("pa.Table", value)
    _check_names(list(table.column_names))
    types = load("pyarrow").types
    for field in table.schema:
        kind = field.type
        text = types.is_string(kind) or types.is_large_string(kind) or types.is_string_view(kind)
        if not (text or types.is_primitive(kind) or types.is_decimal(kind) or types.is_null(kind)):
            raise CannotHold(f"the column {field.name!r} holds {kind}, which is not one text", _OTHER)
    arrow = load("pyarrow")
    row = arrow.table([arrow.nulls(1, kind) for kind in table.schema.types], names=table.column_names)
    _try(_write_pyarrow, row, arrow.ArrowException)


def _write_pyarrow(value: object, file: BinaryIO) -> None:
    load("pyarrow.csv").write_csv(cast("pa.Table", value), file)


def _read_pyarrow(file: BinaryIO) -> pa.Table:
    """In one block, as types are told by the first."""
    reader = load("pyarrow.csv")
    data = file.read()
    table: pa.Table = reader.read_csv(
        load("pyarrow").BufferReader(data),
        read_options=reader.ReadOptions(use_threads=False, block_size=max(len(data), 1) + 1),
        parse_options=reader.ParseOptions(newlines_in_values=True, ignore_empty_lines=False),
        convert_options=reader.ConvertOptions(
            null_values=[""], strings_can_be_null=True, quoted_strings_can_be_null=False
        ),
    )
    str(table.schema)  # names that are no Unicode fail here, not in the caller's hands
    table.validate(full=True)
    return table


def _try(write: Callable[[object, BinaryIO], None], row: object, refusal: type[Exception]) -> None:
    """Write one row without values, as the library may not know a type."""
    try:
        _written(write, row)
    except refusal as error:
        raise CannotHold(str(error).splitlines()[0], _OTHER) from error


def _written(write: Callable[[object, BinaryIO], None], value: object) -> BinaryIO:
    file = io.BytesIO()
    write(value, file)
    file.seek(0)
    return file


PANDAS: Final = Codec(check=_check_pandas, write=_write_pandas, read=_read_pandas)
POLARS: Final = Codec(check=_check_polars, write=_write_polars, read=_read_polars)
PYARROW: Final = Codec(check=_check_pyarrow, write=_write_pyarrow, read=_read_pyarrow)
