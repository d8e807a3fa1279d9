"""polars' frames, in Parquet and Arrow files.

polars too makes extension types of its own from a schema's names (formerly even Python objects, from their addresses).
No frame that is written has any, so a file that names one is refused before polars sees it.
"""

from __future__ import annotations

import base64
import io
from typing import TYPE_CHECKING, BinaryIO, Final, cast

from datatool.model.result import ResultFormat
from datatool.stages.result_formats.arrow_files import ROWS, footer_of
from datatool.stages.result_formats.codec import CannotHold, Codec
from datatool.stages.result_formats.libraries import load

if TYPE_CHECKING:
    import polars as pl

_EXTENSION: Final = b"ARROW:extension"
_SCHEMA: Final = "ARROW:schema"
_PIECE: Final = 64
"""Bytes that a file needs at least to describe one column of up to `ROWS` rows."""


def _codec(form: ResultFormat) -> Codec:
    def check(value: object) -> None:
        _check(value, form)

    def write(value: object, file: BinaryIO) -> None:
        _write(cast("pl.DataFrame", value), file, form)

    def read(file: BinaryIO) -> object:
        return _read(file.read(), form)

    return Codec(check=check, write=write, read=read)


def require_frame(value: object) -> pl.DataFrame:
    """The value as a frame. Raises CannotHold."""
    if type(value) is not load("polars").DataFrame:
        raise CannotHold("it holds a polars DataFrame", "return series.to_frame(), or lazy.collect()")
    return cast("pl.DataFrame", value)


def _check(value: object, form: ResultFormat) -> None:
    """The types are tried on the frame without its rows, which costs no time."""
    frame = require_frame(value)
    if not frame.width and frame.height:
        raise CannotHold("rows without columns would be lost")
    file = io.BytesIO()
    errors = load("polars.exceptions")
    try:
        _write(frame.clear(), file, form)
        back = _read(file.getvalue(), form)
    except (errors.PolarsError, errors.PanicException, ValueError, TypeError, NotImplementedError) as error:
        raise CannotHold(f"its types don't fit: {error}") from error
    if back.schema != frame.schema:
        raise CannotHold("it would change the types of some columns", "cast them")


def _write(frame: pl.DataFrame, file: BinaryIO, form: ResultFormat) -> None:
    """In one chunk, so that equal frames are equal bytes."""
    if form is ResultFormat.PARQUET:
        frame.rechunk().write_parquet(file, compression="zstd", row_group_size=ROWS)
    else:
        frame.rechunk().write_ipc(file, record_batch_size=ROWS)


def _read(data: bytes, form: ResultFormat) -> pl.DataFrame:
    polars = load("polars")
    footer = footer_of(data, form)
    if form is ResultFormat.PARQUET:
        schema = polars.read_parquet_metadata(io.BytesIO(data)).get(_SCHEMA, "")
        _require_plain(base64.b64decode(schema, validate=True))
        lazy = polars.scan_parquet(io.BytesIO(data), glob=False, hive_partitioning=False)
    else:
        _require_plain(footer)
        lazy = polars.scan_ipc(io.BytesIO(data))
    rows = lazy.select(polars.len()).collect().item()
    if rows > ROWS * (1 + len(data) // _PIECE):
        raise ValueError("more rows than are ever written in so few bytes")
    frame: pl.DataFrame = lazy.collect()
    return frame


def _require_plain(schema: bytes) -> None:
    if _EXTENSION in schema:
        raise ValueError("an extension type, which is not accepted")


PARQUET: Final = _codec(ResultFormat.PARQUET)
ARROW: Final = _codec(ResultFormat.ARROW)
