"""Results that only pickle holds. Reading one can run any code: it is for bytes that this machine wrote itself."""

from __future__ import annotations

import copyreg
import pickle
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, BinaryIO, Final, NoReturn

from datatool.errors import DamagedResult
from datatool.stages.result_formats.codec import CannotHold, Codec

if TYPE_CHECKING:
    import pyarrow as pa

_PROTOCOL: Final = 5


def read_pickle(file: BinaryIO, *, name: str) -> object:
    """The value in an open file; `name` is what errors say. The caller has proved that this machine wrote these bytes:
    whoever made them decides what runs here.

    Raises DamagedResult, also where the code has gone that the value needs.
    """
    try:
        return pickle.load(file)  # noqa: S301 - the caller's promise, see above
    except Exception as error:
        raise DamagedResult(f"{name}: can't be unpickled: {type(error).__name__}: {error}", path=name) from error


def _check(value: object) -> None:
    """Only trying tells, so it is tried once, when it is written."""


def _write(value: object, file: BinaryIO) -> None:
    pickler = pickle.Pickler(file, protocol=_PROTOCOL)
    pickler.dispatch_table = {**copyreg.dispatch_table, **_of_pyarrow()}
    try:
        pickler.dump(value)
    except (OSError, CannotHold):
        raise
    except Exception as error:
        raise CannotHold(
            f"it can't be pickled: {error}", "return data, not something that is open, running or local to a function"
        ) from error


def _of_pyarrow() -> dict[type, Callable[[Any], Any]]:
    """How its tables are taken, wherever in a value they stand."""
    arrow = sys.modules.get("pyarrow")
    return {kind: _table for name in ("Table", "RecordBatch") if (kind := getattr(arrow, name, None)) is not None}


def _table(table: pa.Table | pa.RecordBatch) -> object:
    """pyarrow pickles columns only."""
    if table.num_rows and not table.num_columns:
        raise CannotHold("rows without columns would be lost", "return how many there are: table.num_rows")
    return table.__reduce__()


def _never(file: BinaryIO) -> NoReturn:
    raise AssertionError("a pickle is read by read_pickle() only")


PICKLE: Final = Codec(check=_check, write=_write, read=_never)
