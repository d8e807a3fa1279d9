"""What a function's result is kept as: in which format, and as whose kind of value."""

from __future__ import annotations

from enum import StrEnum

from msgspec import Struct


class ResultFormat(StrEnum):
    """What the bytes of a result are."""

    PARQUET = "parquet"
    ARROW = "arrow"
    """The file format of Arrow's IPC, also called Feather 2."""
    CSV = "csv"
    JSON = "json"
    NPY = "npy"
    NPZ = "npz"
    TEXT = "text"
    """UTF-8."""
    BYTES = "bytes"
    PICKLE = "pickle"
    """Holds anything and runs code when it is read, so it never leaves this machine."""


class Library(StrEnum):
    """Whose kind of value a result is: a table by pandas is read as pandas', whoever else could read its bytes."""

    PLAIN = "plain"
    """Python's own values, and all that no library below made."""
    PANDAS = "pandas"
    POLARS = "polars"
    PYARROW = "pyarrow"
    NUMPY = "numpy"


_SUFFIXES = {ResultFormat.TEXT: ".txt", ResultFormat.BYTES: ".bin"}


class Encoding(Struct, frozen=True, kw_only=True):
    """How a result becomes bytes and a value again. It is told by the stage and its value, never by the bytes."""

    format: ResultFormat
    library: Library

    @property
    def suffix(self) -> str:
        """The end of a file's name.

        >>> Encoding(format=ResultFormat.TEXT, library=Library.PLAIN).suffix
        '.txt'
        """
        return _SUFFIXES.get(self.format, f".{self.format}")
