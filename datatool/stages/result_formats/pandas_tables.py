"""pandas' frames and series as Arrow tables, and back.

pyarrow keeps the index, the labels and most types by a description in the table's schema. What it would lose (a series'
name, an index's frequency or nullable type, categories without rows) is in a second description, of our own.
"""

from __future__ import annotations

import base64
import io
import json
from typing import TYPE_CHECKING, Final, cast

from datatool.model.result import ResultFormat
from datatool.stages.result_formats.arrow_files import read_table, write_table
from datatool.stages.result_formats.codec import CannotHold
from datatool.stages.result_formats.libraries import load

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

_NOTES: Final = b"datatool"
"""The key of our description in a schema."""
UNNAMED: Final = "value"
_LEVEL: Final = "__datatool_level_"
"""A column that is a level of the index, and its number."""


def to_table(value: object, rows: int | None = None) -> pa.Table:
    """The frame's first rows, or all, with what pyarrow would lose written into the schema."""
    pandas, arrow = load("pandas"), load("pyarrow")
    frame = frame_of(value).iloc[:rows]
    notes: dict[str, object] = {}
    if type(value) is pandas.Series:
        notes["series"] = cast("pd.Series", value).name is not None
    if frame.index.dtype.kind in "mM" and frame.index.freq is not None:
        notes["freq"] = frame.index.freqstr
    if any(_loses_type(level.dtype) for level in levels_of(frame)):
        notes["levels"] = list(frame.index.names)
        frame = _levels_as_columns(frame)
    columns = enumerate(frame.dtypes)
    categories = {number: dtype for number, dtype in columns if isinstance(dtype, pandas.CategoricalDtype)}
    for number, dtype in categories.items():
        if _as_codes(dtype):
            frame = frame.copy(deep=False)
            frame.isetitem(number, frame.iloc[:, number].cat.codes)
    if categories:
        notes["categories"] = {str(number): _write_categories(dtype) for number, dtype in categories.items()}
    table = arrow.Table.from_pandas(frame)
    noted: pa.Table = table.replace_schema_metadata({**table.schema.metadata, _NOTES: json.dumps(notes)})
    return noted


def from_table(table: pa.Table) -> object:
    """The frame or series in a table from anywhere. Raises whatever pandas does for notes that are absurd."""
    frame = table.to_pandas()
    notes = json.loads((table.schema.metadata or {}).get(_NOTES, b"{}"))
    for number, (ordered, text) in notes.get("categories", {}).items():
        _restore_categories(frame, int(number), _read_categories(text, ordered=ordered))
    if "levels" in notes:
        _levels_from_columns(frame, notes["levels"])
    if "freq" in notes:
        if frame.index.dtype.kind not in "mM":
            raise ValueError("a frequency of an index that is no time")
        frame.index.freq = notes["freq"]
    if "series" not in notes:
        return cast(object, frame)
    if len(frame.columns) != 1:
        raise ValueError("a series of several columns")
    series = frame.iloc[:, 0]
    if not notes["series"]:
        series.name = None
    return cast(object, series)


def frame_of(value: object) -> pd.DataFrame:
    """The frame, or a series as one of a single column. Raises CannotHold for what is neither."""
    pandas = load("pandas")
    if type(value) is pandas.DataFrame:
        return cast("pd.DataFrame", value)
    if type(value) is not pandas.Series:
        raise CannotHold("it holds a pandas DataFrame or Series")
    series = cast("pd.Series", value)
    if series.name is not None and type(series.name) is not str:
        raise CannotHold(f"a series named {series.name!r} would change its name", "name it by text: series.rename('…')")
    frame: pd.DataFrame = series.to_frame(UNNAMED if series.name is None else series.name)
    return frame


def levels_of(frame: pd.DataFrame) -> list[pd.Index]:
    """The index, level by level; most have one."""
    return [frame.index.get_level_values(number) for number in range(frame.index.nlevels)]


def _loses_type(dtype: object) -> bool:
    """Whether pyarrow would make an index of another type of it: nullable numbers and texts, categories."""
    pandas = load("pandas")
    kept = (pandas.DatetimeTZDtype, pandas.PeriodDtype, pandas.IntervalDtype)
    return (
        isinstance(dtype, pandas.api.extensions.ExtensionDtype) and dtype.name != "str" and not isinstance(dtype, kept)
    )


def _levels_as_columns(frame: pd.DataFrame) -> pd.DataFrame:
    if not all(name is None or type(name) is str for name in frame.index.names):
        raise CannotHold("the names of the index would change", "frame.rename_axis(…)")
    if not all(type(label) is str for label in frame.columns):
        raise CannotHold("the index would change, as its type fits only columns named by text", "frame.reset_index()")
    flat = frame.reset_index(drop=True)
    for number, level in enumerate(levels_of(frame)):
        flat.insert(len(flat.columns), f"{_LEVEL}{number}", level.array)
    return cast("pd.DataFrame", flat)


def _levels_from_columns(frame: pd.DataFrame, names: list[object]) -> None:
    pandas = load("pandas")
    levels = [frame.pop(f"{_LEVEL}{number}") for number in range(len(names))]
    single = len(levels) == 1
    frame.index = pandas.Index(levels[0]) if single else pandas.MultiIndex.from_arrays(levels)
    frame.index.names = names


def _as_codes(dtype: pd.CategoricalDtype) -> bool:
    """Whether a column is kept as its categories' numbers, since pyarrow has no dictionaries of such categories."""
    return isinstance(dtype.categories.dtype, (load("pandas").IntervalDtype, load("pandas").PeriodDtype))


def _write_categories(dtype: pd.CategoricalDtype) -> list[object]:
    pandas, arrow = load("pandas"), load("pyarrow")
    file = io.BytesIO()
    table = arrow.Table.from_pandas(pandas.DataFrame({UNNAMED: dtype.categories}), preserve_index=False)
    write_table(table, file, ResultFormat.ARROW)
    return [bool(dtype.ordered), base64.b64encode(file.getvalue()).decode()]


def _read_categories(text: str, *, ordered: bool) -> pd.CategoricalDtype:
    pandas = load("pandas")
    categories = pandas.Index(read_table(io.BytesIO(base64.b64decode(text)), ResultFormat.ARROW).to_pandas()[UNNAMED])
    categories.name = None
    return pandas.CategoricalDtype(categories, ordered=ordered)


def _restore_categories(frame: pd.DataFrame, number: int, dtype: pd.CategoricalDtype) -> None:
    pandas = load("pandas")
    column = frame.iloc[:, number]
    if _as_codes(dtype):
        column = pandas.Series(pandas.Categorical.from_codes(column, dtype=dtype), index=frame.index, name=column.name)
    frame.isetitem(number, column.astype(dtype))
