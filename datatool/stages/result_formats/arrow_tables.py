"""pyarrow's own tables, in Parquet and Arrow files."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, BinaryIO, Final, cast

from datatool.model.result import ResultFormat
from datatool.stages.result_formats.arrow_files import read_table, write_table
from datatool.stages.result_formats.codec import CannotHold, Codec
from datatool.stages.result_formats.libraries import load

if TYPE_CHECKING:
    import pyarrow as pa

_USE_ARROW: Final = "use format='arrow'"


def _codec(form: ResultFormat) -> Codec:
    def check(value: object) -> None:
        _check(value, form)

    def write(value: object, file: BinaryIO) -> None:
        write_table(cast("pa.Table", value), file, form)

    def read(file: BinaryIO) -> object:
        return read_table(file, form)

    return Codec(check=check, write=write, read=read)


def _check(value: object, form: ResultFormat) -> None:
    """The types are tried on the table without its rows, which costs no time."""
    arrow = load("pyarrow")
    if type(value) is not arrow.Table:
        raise CannotHold("it holds a pyarrow.Table")
    table = cast("pa.Table", value)
    if not table.num_columns and table.num_rows:
        raise CannotHold("rows without columns would be lost")
    if form is ResultFormat.PARQUET and any(_has_dictionary(field.type) for field in table.schema):
        raise CannotHold("it keeps no dictionaries", _USE_ARROW)
    file = io.BytesIO()
    try:
        write_table(table.slice(0, 0), file, form)
        file.seek(0)
        back = read_table(file, form)
    except (arrow.ArrowException, ValueError, TypeError, KeyError, OSError) as error:
        raise CannotHold(f"its types don't fit: {error}", _USE_ARROW) from error
    if not back.schema.equals(table.schema, check_metadata=True):
        raise CannotHold("it would change the types of some columns", _USE_ARROW)


def _has_dictionary(kind: pa.DataType) -> bool:
    if load("pyarrow").types.is_dictionary(kind):
        return True
    return any(_has_dictionary(kind.field(number).type) for number in range(kind.num_fields))


PARQUET: Final = _codec(ResultFormat.PARQUET)
ARROW: Final = _codec(ResultFormat.ARROW)
