"""Functions, classes and modules in memory: what is behind their wrappers, and whether their names lead to them."""

from __future__ import annotations

import sys
from types import FunctionType, ModuleType

from datatool.errors import UsageError


def unwrapped(function: object) -> FunctionType:
    """The function behind decorators that say which one they wrap, and behind a method. Raises UsageError."""
    seen: set[int] = set()
    while not isinstance(function, FunctionType) or hasattr(function, "__wrapped__"):
        inner = getattr(function, "__wrapped__", None) or getattr(function, "__func__", None)
        if inner is None or id(inner) in seen:
            name = getattr(function, "__qualname__", type(function).__qualname__)
            raise UsageError(f"{name}: is no function written in Python", hint="wrap it in one: def name(…): …")
        seen.add(id(inner))
        function = inner
    return function


def is_named(value: object) -> bool:
    """Whether a function, class or module is what its own name means in memory: not one that was made in a function, or
    whose name was given to something else since."""
    if isinstance(value, ModuleType) or not callable(value):
        return True
    names = getattr(value, "__globals__", None) or vars(sys.modules.get(getattr(value, "__module__", ""), object))
    first, *rest = getattr(value, "__qualname__", "").split(".")
    found = names.get(first, None)
    for name in rest:
        found = getattr(found, name, None)
    return function_of(found) is function_of(value)


def function_of(value: object) -> object:
    """The function behind a value, or the value itself."""
    try:
        return unwrapped(value)
    except UsageError:
        return value


def name_of(value: object) -> str:
    """The name that a function, class or module has where it is defined."""
    if isinstance(value, ModuleType):
        return value.__name__.rpartition(".")[2]
    return str(getattr(value, "__qualname__", type(value).__qualname__))
