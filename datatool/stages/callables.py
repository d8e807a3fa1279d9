"""Functions, classes and modules in memory: what is behind their wrappers, and whether their names lead to them."""

from __future__ import annotations

import os
import sys
from functools import partial
from pathlib import Path
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
    return str(getattr(value, "__qualname__", None) or getattr(value, "__name__", type(value).__qualname__))


def module_of(value: object) -> str:
    """The module that a function or class is from, by the name under which it is imported: the same where Python has it
    in C (`_operator`), and on another system (`posixpath`)."""
    name = str(getattr(value, "__module__", ""))
    if name == os.path.__name__:
        return "os.path"
    public = name.removeprefix("_")
    return public if public.partition(".")[0] in sys.stdlib_module_names else name


def defined_in(value: object, root: Path) -> str:
    """The file of the project in which a function or class is defined, else the module."""
    live = function_of(value)
    module = str(getattr(live, "__module__", ""))
    code = getattr(live, "__code__", None)
    file = code.co_filename if code is not None else getattr(sys.modules.get(module), "__file__", None)
    path = Path(os.path.realpath(file)) if file else None
    return path.relative_to(root).as_posix() if path is not None and path.is_relative_to(root) else module_of(live)


def held_by(value: object) -> list[tuple[str, object]]:
    """What a partial function or a method of an object has besides its code, each with what it is."""
    if isinstance(value, partial):
        numbered = [(str(number), item) for number, item in enumerate(value.args)]
        return [("func", value.func), *numbered, *value.keywords.items()]
    owner = getattr(value, "__self__", None)
    return [] if owner is None or isinstance(owner, type | ModuleType) else [("object", owner)]


def no_source(live: FunctionType) -> UsageError:
    """The error for a function whose source is nowhere."""
    return UsageError(
        f"{live.__qualname__}: its source can't be read, so it can't be told whether it changed",
        hint="define it in a file of the project or in a notebook",
    )
