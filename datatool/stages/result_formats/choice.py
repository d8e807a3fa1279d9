"""Which format holds a result, and the way there and back."""

from __future__ import annotations

import errno
from types import MappingProxyType
from typing import BinaryIO, Final

from datatool.errors import DamagedResult, DatatoolError, ReadFailed, UsageError
from datatool.model.paths import show
from datatool.model.result import Encoding, Library, ResultFormat
from datatool.stages.result_formats import (
    arrays,
    arrow_tables,
    csv_tables,
    pandas_frames,
    pickled,
    plain_values,
    polars_frames,
)
from datatool.stages.result_formats.codec import CannotHold, Codec
from datatool.stages.result_formats.libraries import library_of

_CODECS: Final = MappingProxyType(
    {
        Library.PLAIN: {
            ResultFormat.TEXT: plain_values.TEXT,
            ResultFormat.BYTES: plain_values.BYTES,
            ResultFormat.JSON: plain_values.JSON,
        },
        Library.PANDAS: {
            ResultFormat.PARQUET: pandas_frames.PARQUET,
            ResultFormat.ARROW: pandas_frames.ARROW,
            ResultFormat.CSV: csv_tables.PANDAS,
        },
        Library.POLARS: {
            ResultFormat.PARQUET: polars_frames.PARQUET,
            ResultFormat.ARROW: polars_frames.ARROW,
            ResultFormat.CSV: csv_tables.POLARS,
        },
        Library.PYARROW: {
            ResultFormat.ARROW: arrow_tables.ARROW,
            ResultFormat.PARQUET: arrow_tables.PARQUET,
            ResultFormat.CSV: csv_tables.PYARROW,
        },
        Library.NUMPY: {ResultFormat.NPY: arrays.NPY, ResultFormat.NPZ: arrays.NPZ},
    }
)
"""What can be kept of each library's, the format that is tried first at first."""
_BY_ITSELF: Final = frozenset(ResultFormat) - {ResultFormat.CSV}
"""A format that nobody asked for changes no type."""


def encoding_of(value: object, declared: ResultFormat | None) -> Encoding:
    """How to keep a result: in the format that its stage declares, or else in the first that gives back an equal value
    of equal types. Pickle holds what no other does.

    Raises UsageError where the declared format would give back something else; LocalError where a library is missing.

    >>> encoding_of({"loss": 0.25}, None).format.value
    'json'
    """
    library = library_of(value)
    if declared is not None:
        return _declared(value, library, declared)
    for form, codec in _CODECS[library].items():
        if form in _BY_ITSELF and _holds(codec, value):
            return Encoding(format=form, library=library)
    return Encoding(format=ResultFormat.PICKLE, library=library)


def why_no_format(value: object) -> str | None:
    """Why only pickle holds a value, by the first format that was tried; None where another one does."""
    first = next(iter(_CODECS[library_of(value)].values()))
    try:
        first.check(value)
    except CannotHold as error:
        return str(error)
    return None


def write_result(value: object, encoding: Encoding, file: BinaryIO) -> None:
    """Write a result as `encoding_of` said. Equal values are equal bytes, but for pickle, and for what lies in an Arrow
    file where a value is missing. Raises UsageError for what only turns out now not to fit."""
    try:
        _codec(encoding).write(value, file)
    except CannotHold as error:
        raise _refusal(value, encoding.format, error) from error


def read_result(file: BinaryIO, encoding: Encoding, *, name: str) -> object:
    """A new value, from an open file that may come from anywhere: no byte of it is executed. `name` is what errors say.

    Raises DamagedResult for bytes that are no such value, UsageError for pickle (see `read_pickle`), ReadFailed,
    LocalError where a library is missing.
    """
    if encoding.format is ResultFormat.PICKLE:
        raise UsageError(f"{name}: a pickle is read only where it was made", path=name)
    codec = _codec(encoding)
    try:
        return codec.read(file)
    except DatatoolError:
        raise
    except BaseException as error:
        if isinstance(error, OSError) and error.errno not in (None, errno.EINVAL):  # a place before the file's start
            raise ReadFailed(f"{name}: {error.strerror}", path=name) from error
        if not isinstance(error, Exception) and type(error).__name__ != "PanicException":  # polars' own mistake
            raise
        said = (str(error).splitlines() or [""])[0]
        raise DamagedResult(
            f"{name}: does not read as {encoding.format}: {show(said) or type(error).__name__}", path=name
        ) from error


def _declared(value: object, library: Library, declared: ResultFormat) -> Encoding:
    if declared is ResultFormat.NPZ and type(value) is dict:
        library = Library.NUMPY  # a dict of arrays may be empty
    encoding = Encoding(format=declared, library=library)
    if declared is ResultFormat.PICKLE:
        return encoding
    codec = _CODECS[library].get(declared)
    if codec is None:
        fitting = [*_CODECS[library], ResultFormat.PICKLE]
        raise UsageError(
            f"a stage's result can't be kept as {declared}: it is {_kind(value)}",
            hint=f"leave out format=, or use one of: {', '.join(fitting)}",
        )
    try:
        codec.check(value)
    except CannotHold as error:
        raise _refusal(value, declared, error) from error
    return encoding


def _refusal(value: object, form: ResultFormat, error: CannotHold) -> UsageError:
    return UsageError(f"a stage's result ({_kind(value)}) can't be kept as {form}: {error}", hint=error.hint)


def _kind(value: object) -> str:
    kind = type(value)
    package = kind.__module__.partition(".")[0]
    return kind.__qualname__ if package == "builtins" else f"{package}.{kind.__qualname__}"


def _holds(codec: Codec, value: object) -> bool:
    try:
        codec.check(value)
    except CannotHold:
        return False
    return True


def _codec(encoding: Encoding) -> Codec:
    if encoding.format is ResultFormat.PICKLE:
        return pickled.PICKLE
    codec = _CODECS[encoding.library].get(encoding.format)
    if codec is None:
        raise DamagedResult(f"{encoding.library} has no results that are kept as {encoding.format}")
    return codec
