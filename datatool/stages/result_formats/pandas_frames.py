"""pandas' frames and series, in Parquet and Arrow files.

pyarrow keeps the index, the labels and most types by a description in the file's schema. What it would lose (a series'
name, an index's frequency, categories in Parquet) is in a second description of our own.
"""

from __future__ import annotations

import base64
import io
import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, time
from decimal import Decimal
from typing import TYPE_CHECKING, BinaryIO, Final, cast

from datatool.model.result import ResultFormat
from datatool.stages.result_formats.arrow_files import read_table, write_table
from datatool.stages.result_formats.codec import CannotHold, Codec
from datatool.stages.result_formats.libraries import load
from datatool.stages.result_formats.plain_values import json_holds

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

_NOTES: Final = b"datatool"
"""The key of our description in a schema."""
_UNNAMED: Final = "value"
_OBJECTS: Final = frozenset({type(None), str, bytes, date, time, Decimal})
"""What a column of Python's objects may consist of."""
_OR_PICKLE: Final = "change it, or use format='pickle', which stays on this machine"
_CONVERT: Final = "convert the columns of type object, or use format='pickle', which stays on this machine"


def _codec(form: ResultFormat) -> Codec:
    def check(value: object) -> None:
        _check(value, form)

    def write(value: object, file: BinaryIO) -> None:
        with _refusals():
            table = _to_table(value)
        write_table(table, file, form)

    def read(file: BinaryIO) -> object:
        return _from_table(read_table(file, form))

    return Codec(check=check, write=write, read=read)


def _check(value: object, form: ResultFormat) -> None:
    """Types and labels are tried on the value without its rows; columns of objects are tried as they are."""
    frame = _frame(value)
    _check_labels(frame)
    _check_objects(frame)
    with _refusals():
        file = io.BytesIO()
        write_table(_to_table(value, rows=0), file, form)
        file.seek(0)
        back = _from_table(read_table(file, form))
    if type(back) is not type(value):
        raise CannotHold("it would come back as something else")
    _require_same(frame.iloc[:0], _frame(back))


@contextmanager
def _refusals() -> Iterator[None]:
    """What pyarrow can't convert is the value's fault."""
    wrong = (ValueError, TypeError, KeyError, AttributeError, ArithmeticError, NotImplementedError, OSError)
    try:
        yield
    except (load("pyarrow").ArrowException, *wrong) as error:
        said = (str(error).splitlines() or [type(error).__name__])[0]
        raise CannotHold(f"the table does not fit: {said}", _OR_PICKLE) from error


def _frame(value: object) -> pd.DataFrame:
    pandas = load("pandas")
    if type(value) is pandas.DataFrame:
        return cast("pd.DataFrame", value)
    if type(value) is not pandas.Series:
        raise CannotHold("it holds a pandas DataFrame or Series")
    series = cast("pd.Series", value)
    if series.name is not None and type(series.name) is not str:
        raise CannotHold(f"a series named {series.name!r} would change its name", "name it by text: series.rename('…')")
    frame: pd.DataFrame = series.to_frame(_UNNAMED if series.name is None else series.name)
    return frame


def _check_labels(frame: pd.DataFrame) -> None:
    if not len(frame.columns) and len(frame):
        raise CannotHold("rows without columns would be lost")
    if frame.columns.inferred_type.startswith("mixed") and frame.columns.nlevels == 1:
        raise CannotHold("labels of columns of several types would all become text", "frame.rename(columns=str)")
    if getattr(frame.columns, "freq", None) is not None:
        raise CannotHold("the frequency of the columns would be lost", "frame.columns.freq = None")
    if not frame.flags.allows_duplicate_labels:
        raise CannotHold("the flag allows_duplicate_labels would be lost")
    if json_holds(frame.attrs):
        raise CannotHold("what attrs holds would change")


def _check_objects(frame: pd.DataFrame) -> None:
    """Columns and index levels of Python's objects come back as the same objects."""
    pandas = load("pandas")
    levels = [frame.index.get_level_values(number) for number in range(frame.index.nlevels)]
    columns = [frame.iloc[:, number] for number in range(len(frame.columns))]
    objects = [list(column) for column in [*columns, *levels] if column.dtype.name == "object"]
    for items in objects:
        if strange := sorted(kind.__name__ for kind in set(map(type, items)) - _OBJECTS):
            raise CannotHold(f"a column of objects holds {', '.join(strange)}", _CONVERT)
        with _refusals():
            given = pandas.DataFrame({_UNNAMED: pandas.Series(items, dtype=object)})
            back = load("pyarrow").Table.from_pandas(given, preserve_index=False).to_pandas()[_UNNAMED]
        if back.dtype.name != "object" or list(map(_exact, back)) != list(map(_exact, items)):
            raise CannotHold("a column of objects would come back as another type", _CONVERT)


def _exact(item: object) -> tuple[type, object]:
    return type(item), str(item) if isinstance(item, Decimal) else item  # 1.0 and 1.00 are equal and not the same


def _require_same(given: pd.DataFrame, back: pd.DataFrame) -> None:
    if not _same_index(given.columns, back.columns) or not given.columns.equals(back.columns):
        raise CannotHold("the labels of the columns would change", "frame.rename(columns=str)")
    for name, one, other in zip(given.columns, given.dtypes, back.dtypes, strict=True):
        if not _same_dtype(one, other):
            raise CannotHold(f"the column {name!r} of type {one} would come back as {other}", "convert it")
    if not _same_index(given.index, back.index):
        raise CannotHold("the index would change", "frame.reset_index()")
    if given.attrs != back.attrs:
        raise CannotHold("what attrs holds would change")


def _same_index(one: pd.Index, other: pd.Index) -> bool:
    """A range of numbers and the numbers are one."""
    ends = [[index.get_level_values(number).dtype for number in range(index.nlevels)] for index in (one, other)]
    return (
        list(one.names) == list(other.names)
        and len(ends[0]) == len(ends[1])
        and all(map(_same_dtype, *ends))
        and getattr(one, "freq", None) == getattr(other, "freq", None)
    )


def _same_dtype(one: object, other: object) -> bool:
    if isinstance(one, load("pandas").CategoricalDtype):
        mine, theirs = cast("pd.CategoricalDtype", one), cast("pd.CategoricalDtype", other)
        return (
            type(one) is type(other)
            and mine.ordered == theirs.ordered
            and mine.categories.dtype == theirs.categories.dtype
            and mine.categories.equals(theirs.categories)
        )
    return one == other


def _to_table(value: object, rows: int | None = None) -> pa.Table:
    """The frame's first rows, or all, with what pyarrow would lose written into the schema."""
    pandas, arrow = load("pandas"), load("pyarrow")
    frame = _frame(value).iloc[:rows]
    notes: dict[str, object] = {}
    if type(value) is pandas.Series:
        notes["series"] = cast("pd.Series", value).name is not None
    if frame.index.dtype.kind in "mM" and frame.index.freq is not None:
        notes["freq"] = frame.index.freqstr
    dtypes = {"index": frame.index.dtype} | {str(number): dtype for number, dtype in enumerate(frame.dtypes)}
    categories = {key: dtype for key, dtype in dtypes.items() if isinstance(dtype, pandas.CategoricalDtype)}
    for key in categories.keys() - {"index"}:
        if _as_codes(categories[key]):
            frame = frame.copy(deep=False)
            frame.isetitem(int(key), frame.iloc[:, int(key)].cat.codes)
    if categories:
        notes["categories"] = {key: _write_categories(dtype) for key, dtype in categories.items()}
    table = arrow.Table.from_pandas(frame)
    noted: pa.Table = table.replace_schema_metadata({**table.schema.metadata, _NOTES: json.dumps(notes)})
    return noted


def _as_codes(dtype: pd.CategoricalDtype) -> bool:
    """Whether a column is kept as its categories' numbers, since pyarrow has no dictionaries of such categories."""
    return isinstance(dtype.categories.dtype, (load("pandas").IntervalDtype, load("pandas").PeriodDtype))


def _write_categories(dtype: pd.CategoricalDtype) -> list[object]:
    pandas, arrow = load("pandas"), load("pyarrow")
    file = io.BytesIO()
    table = arrow.Table.from_pandas(pandas.DataFrame({_UNNAMED: dtype.categories}), preserve_index=False)
    write_table(table, file, ResultFormat.ARROW)
    return [bool(dtype.ordered), base64.b64encode(file.getvalue()).decode()]


def _from_table(table: pa.Table) -> object:
    frame = table.to_pandas()
    notes = json.loads((table.schema.metadata or {}).get(_NOTES, b"{}"))
    for key, (ordered, text) in notes.get("categories", {}).items():
        _restore_categories(frame, key, _read_categories(text, ordered=ordered))
    if "freq" in notes:
        if frame.index.dtype.kind not in "mM":
            raise ValueError("a frequency of an index that is no time")
        frame.index.freq = notes["freq"]
    if "series" not in notes:
        return cast(object, frame)
    if len(frame.columns) != 1:
        raise ValueError("a series of several columns")
    series = frame.iloc[:, 0]
    return cast(object, series if notes["series"] else series.rename(None))


def _read_categories(text: str, *, ordered: bool) -> pd.CategoricalDtype:
    pandas = load("pandas")
    categories = read_table(io.BytesIO(base64.b64decode(text)), ResultFormat.ARROW).to_pandas()[_UNNAMED]
    return pandas.CategoricalDtype(pandas.Index(categories).rename(None), ordered=ordered)


def _restore_categories(frame: pd.DataFrame, key: str, dtype: pd.CategoricalDtype) -> None:
    pandas = load("pandas")
    if key == "index":
        frame.index = pandas.CategoricalIndex(frame.index, dtype=dtype, name=frame.index.name)
        return
    column = frame.iloc[:, int(key)]
    if _as_codes(dtype):
        column = pandas.Series(pandas.Categorical.from_codes(column, dtype=dtype), index=frame.index, name=column.name)
    frame.isetitem(int(key), column.astype(dtype))


PARQUET: Final = _codec(ResultFormat.PARQUET)
ARROW: Final = _codec(ResultFormat.ARROW)
