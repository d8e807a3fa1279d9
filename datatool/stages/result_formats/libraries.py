"""Door 8 of 8 for imports at first use: the libraries whose tables and arrays a result may be.

A library is loaded to read one of its values, or to write one. To tell whose a value is needs none of them: a pandas
frame exists only where pandas is loaded.
"""

from __future__ import annotations

import sys
from types import ModuleType
from typing import Final

from datatool.errors import LocalError
from datatool.forks import load_module
from datatool.model.result import Library

_DOOR: Final = {
    "numpy": "numpy",
    "pandas": "pandas",
    "polars": "polars",
    "polars.exceptions": "polars",
    "pyarrow": "pyarrow",
    "pyarrow.csv": "pyarrow",
    "pyarrow.parquet": "pyarrow",
}
"""Module → the package that has it."""
_EXTRA: Final = frozenset({"pandas", "pyarrow"})
"""The packages of our extra `pandas`."""
_TYPES: Final = (
    ("pandas", ("DataFrame", "Series"), Library.PANDAS),
    ("polars", ("DataFrame", "Series"), Library.POLARS),
    ("pyarrow", ("Table",), Library.PYARROW),
    ("numpy", ("ndarray",), Library.NUMPY),
)


def load(name: str) -> ModuleType:
    """A module of the door. Raises LocalError where its package is not installed."""
    package = _DOOR[name]
    try:
        return load_module(name)
    except ImportError as error:
        way = "in datatool's repository: pip install '.[pandas]'" if package in _EXTRA else f"pip install {package}"
        raise LocalError(
            f"a result of this kind needs {package}, which can't be imported: {error}", hint=way
        ) from error


def library_of(value: object) -> Library:
    """Whose kind of value it is. A class derived from a library's counts as plain: what it adds would be lost."""
    kind = type(value)
    for package, names, library in _TYPES:
        module = sys.modules.get(package)
        if module is not None and any(kind is getattr(module, name, None) for name in names):
            return library
    if is_array_scalar(value) or _holds_arrays(value):
        return Library.NUMPY
    return Library.PLAIN


def is_array_scalar(value: object) -> bool:
    """Whether it is a single number, text or time of numpy's."""
    numpy = sys.modules.get("numpy")
    generic = getattr(numpy, "generic", None)
    return generic is not None and isinstance(value, generic) and type(value).__module__ == "numpy"


def _holds_arrays(value: object) -> bool:
    array = getattr(sys.modules.get("numpy"), "ndarray", None)
    return array is not None and type(value) is dict and bool(value) and set(map(type, value.values())) == {array}
