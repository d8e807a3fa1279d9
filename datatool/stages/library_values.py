"""Tables, columns, arrays, numbers and times of libraries, counted by content."""

from __future__ import annotations

import sys
from typing import Any, Final

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
    """Bytes that two values share only if they are equal and of one type: of a table, column or array a hash of its
    content. None for anything else. Raises UsageError for a table that no format holds exactly."""
    kind = type(value)
    name = f"{kind.__module__}.{kind.__qualname__}"
    if kind.__module__.partition(".")[0] == "pandas" and kind.__qualname__ in _TIMES:
        return f"{name} {value!r} {getattr(value, 'unit', '')}".encode()
    if not hasattr(value, "shape") or getattr(value, "shape", None) == ():
        single = _single(value)
        if single is not None:
            return name.encode() + single
    table, label = _as_table(value, name)
    encoding = encoding_of(table, None)
    if encoding.format is ResultFormat.PICKLE:
        reason = why_no_format(table)
        if encoding.library is Library.PLAIN or reason is None:
            return None
        raise UsageError(
            f"argument {place:.80}: {kind.__module__.partition('.')[0]}.{kind.__qualname__} can't be counted: {reason}",
            hint="change that, or write it to a file and pass File(…)",
        )
    sink = Sink()
    write_result(table, encoding, sink)  # type: ignore[arg-type]
    return f"{label}{encoding.library} {encoding.format} ".encode() + sink.digest()


def _as_table(value: Any, name: str) -> tuple[Any, str]:
    """A column that is no table by itself as the table that holds it, and what else it is; anything else as it is."""
    library = name.partition(".")[0]
    if library == "polars" and name.endswith(".Series"):
        return value.to_frame(), f"{name} "
    if library == "pyarrow" and name.endswith("Array"):
        return sys.modules[library].table([value], names=["values"]), f"{name} "
    if library == "pandas" and (name.endswith(".Categorical") or hasattr(value, "get_level_values")):
        label = f"{name} {getattr(value, 'names', None)!r} {getattr(value, 'freqstr', None)} "
        if getattr(value, "nlevels", 1) == 1:
            return sys.modules[library].Series(value), label
        return value.to_frame(index=False, name=[str(level) for level in range(value.nlevels)]), label
    return value, ""


def _single(value: object) -> bytes | None:
    """A number, text or time of numpy's, or an array of no dimension."""
    dtype, whole = getattr(value, "dtype", None), getattr(value, "tobytes", None)
    if dtype is None or not callable(whole) or getattr(dtype, "hasobject", True) is not False:
        return None
    data = whole()
    return f" {dtype.str} ".encode() + data if isinstance(data, bytes) else None
