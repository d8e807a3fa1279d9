"""Small projects whose modules are imported anew, and what two looks at them differ in."""

from __future__ import annotations

import importlib
import linecache
import sys
from pathlib import Path
from types import ModuleType

import pytest

from datatool.stages.live import Ingredients

FILES = {
    "pipe.py": """
        import functools
        import json
        import numpy
        import datatool
        from pkg import tools
        from pkg.tools import scale

        RATE = 0.1
        WORDS = {"a": 1}
        NAMES = ["x", "y"]
        SPARE = 3

        def logged(function):
            @functools.wraps(function)
            def wrapper(*args):
                return function(*args)
            return wrapper

        class Model:
            depth = 2
            def fit(self, rows):
                return self.depth * rows

        @logged
        def clean(rows, limit=10):
            return Model().fit(scale(rows) * RATE), WORDS, NAMES, numpy.pi, tools.FACTOR

        def unused():
            return SPARE

        def make(power, words=("a",)):
            table = {"b": 2}
            def inner(x, n=power):
                return x ** power, table, words, scale(x)
            return inner

        squared, cubed = make(2), make(3)
        """,
    "pkg/__init__.py": "",
    "pkg/tools.py": """
        FACTOR = 5
        def scale(rows):
            return helper(rows)
        def helper(rows):
            return rows
        def other():
            return 1
        """,
}


class Loader:
    """Imports modules of small projects, each time anew."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self._patch = patch

    def load(self, top: Path, name: str = "pipe") -> ModuleType:
        self.forget()
        self._patch.syspath_prepend(top)
        return importlib.import_module(name)

    def forget(self) -> None:
        for name in [name for name in sys.modules if name.partition(".")[0] in ("pipe", "pkg")]:
            del sys.modules[name]
        linecache.clearcache()


def digests(found: Ingredients) -> dict[str, tuple[str, str]]:
    return {item.name: (item.kind, item.digest) for item in found.items}


def changed(before: Ingredients, after: Ingredients) -> set[str]:
    one, other = digests(before), digests(after)
    return {name for name in one | other if one.get(name) != other.get(name)}
