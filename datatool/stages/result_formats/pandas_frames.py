"""pandas' frames and series, in Parquet and Arrow files: what comes back equal, and what is refused."""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, time
from decimal import Decimal
from typing import TYPE_CHECKING, BinaryIO, Final, cast

from datatool.model.result import ResultFormat
from datatool.stages.result_formats.arrow_files import read_table, write_table
from datatool.stages.result_formats.codec import CannotHold, Codec
from datatool.stages.result_formats.libraries import load
from datatool.stages.result_formats.pandas_tables import UNNAMED, frame_of, from_table, levels_of, to_table
from datatool.stages.result_formats.plain_values import json_holds

if TYPE_CHECKING:
    import pandas as pd

_OBJECTS: Final = frozenset({type(None), str, bytes, date, time, Decimal})
"""What a column of Python's objects may consist of."""
_OR_PICKLE: Final = "change it, or use format='pickle', which stays on this machine"
_CONVERT: Final = "convert the columns of type object, or use format='pickle', which stays on this machine"


def _codec(form: ResultFormat) -> Codec:
    def check(value: object) -> None:
        _check(value, form)

    def write(value: object, file: BinaryIO) -> None:
        with _refusals():
            table = to_table(value)
        write_table(table, file, form)

    def read(file: BinaryIO) -> object:
        return from_table(read_table(file, form))

    return Codec(check=check, write=write, read=read)


def _check(value: object, form: ResultFormat) -> None:
    """Types and labels are tried on the value without its rows; columns of objects are tried as they are."""
    frame = frame_of(value)
    _check_labels(frame)
    _check_objects(frame)
    with _refusals():
        file = io.BytesIO()
        write_table(to_table(value, rows=0), file, form)
        file.seek(0)
        back = from_table(read_table(file, form))
    if type(back) is not type(value) or cast("pd.Series", back).attrs != cast("pd.Series", value).attrs:
        raise CannotHold("it would lose what attrs holds")
    _require_same(frame.iloc[:0], frame_of(back))


@contextmanager
def _refusals() -> Iterator[None]:
    """What pyarrow can't convert is the value's fault."""
    wrong = (ValueError, TypeError, KeyError, AttributeError, ArithmeticError, NotImplementedError, OSError)
    try:
        yield
    except (load("pyarrow").ArrowException, *wrong) as error:
        said = (str(error).splitlines() or [type(error).__name__])[0]
        raise CannotHold(f"the table does not fit: {said}", _OR_PICKLE) from error


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
    columns = [frame.iloc[:, number] for number in range(len(frame.columns))]
    objects = [list(column) for column in [*columns, *levels_of(frame)] if column.dtype.name == "object"]
    for items in objects:
        if strange := sorted(kind.__name__ for kind in set(map(type, items)) - _OBJECTS):
            raise CannotHold(f"a column of objects holds {', '.join(strange)}", _CONVERT)
        with _refusals():
            given = pandas.DataFrame({UNNAMED: pandas.Series(items, dtype=object)})
            back = load("pyarrow").Table.from_pandas(given, preserve_index=False).to_pandas()[UNNAMED]
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


PARQUET: Final = _codec(ResultFormat.PARQUET)
ARROW: Final = _codec(ResultFormat.ARROW)
