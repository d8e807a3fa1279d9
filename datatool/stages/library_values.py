"""Tables, arrays, numbers and times of libraries, counted by content."""

from __future__ import annotations

from typing import Final

from datatool.errors import UsageError
from datatool.model.result import Library, ResultFormat
from datatool.stages.result_formats import encoding_of, why_no_format, write_result
from datatool.stages.sink import Sink

_LIBRARIES: Final = frozenset({"numpy", "pandas", "polars", "pyarrow"})
_TIMES: Final = frozenset({"Timestamp", "Timedelta", "NaTType", "NAType"})


def is_of_library(value: object) -> bool:
    """Whether a value is by a library that is known here."""
    return type(value).__module__.partition(".")[0] in _LIBRARIES


def library_bytes(value: object, place: str) -> bytes | None:
    """Bytes that two values share only if they are equal and of one type: of a table or an array a hash of its content.
    None for what is no table, array, number or time. Raises UsageError for a table that no format holds exactly."""
    kind = type(value)
    name = f"{kind.__module__}.{kind.__qualname__}"
    if kind.__module__.partition(".")[0] == "pandas" and kind.__qualname__ in _TIMES:
        return f"{name} {value!r} {getattr(value, 'unit', '')}".encode()
    if not hasattr(value, "shape") or getattr(value, "shape", None) == ():
        single = _single(value)
        if single is not None:
            return name.encode() + single
    encoding = encoding_of(value, None)
    if encoding.format is ResultFormat.PICKLE:
        reason = why_no_format(value)
        if encoding.library is Library.PLAIN or reason is None:
            return None
        raise UsageError(
            f"argument {place:.80}: {kind.__module__.partition('.')[0]}.{kind.__qualname__} can't be counted: {reason}",
            hint="change that, or write it to a file and pass File(…)",
        )
    sink = Sink()
    write_result(value, encoding, sink)  # type: ignore[arg-type]
    return f"{encoding.library} {encoding.format} ".encode() + sink.digest()


def _single(value: object) -> bytes | None:
    """A number, text or time of numpy's, or an array of no dimension."""
    dtype, whole = getattr(value, "dtype", None), getattr(value, "tobytes", None)
    if dtype is None or not callable(whole) or getattr(dtype, "hasobject", True) is not False:
        return None
    data = whole()
    return f" {dtype.str} ".encode() + data if isinstance(data, bytes) else None
