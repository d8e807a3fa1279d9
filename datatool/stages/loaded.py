"""Whether a file still says what was loaded from it: what runs is what was loaded, and nothing else may count."""

from __future__ import annotations

import ast
import os
import time
from collections.abc import Iterator
from functools import cache
from types import CodeType, FunctionType

from datatool.stages.modules import Module

_imported = time.time()


def code_in_file(module: Module, loaded: CodeType) -> CodeType | None:
    """The code object that a file gives now for one that was loaded from it, perhaps at another line; None where it
    says something else by now. Without a look where the file is older than the process."""
    if module.by_name or not _is_younger(module):
        return loaded
    return next((code for code in _codes(module) if says(code, loaded)), None)


def was_edited(module: Module, value: object) -> bool:
    """Whether a function that was loaded from a file is no longer what it says there."""
    if not isinstance(value, FunctionType) or os.path.realpath(value.__code__.co_filename) != os.fspath(module.path):
        return False
    return code_in_file(module, value.__code__) is None


def _is_younger(module: Module) -> bool:
    try:
        return os.stat(module.path).st_mtime >= _started()
    except OSError:
        return False


@cache
def _started() -> float:
    """When this process was started, in seconds since 1970; where nobody can tell, when it loaded this."""
    try:
        with open("/proc/self/stat", encoding="ascii", errors="replace") as file:
            ticks = int(file.read().rpartition(")")[2].split()[19])
        return time.time() - time.clock_gettime(time.CLOCK_BOOTTIME) + ticks / os.sysconf("SC_CLK_TCK") - 1
    except (OSError, ValueError, IndexError, AttributeError):
        return _imported


_compiled: dict[int, tuple[Module, list[CodeType]]] = {}


def _codes(module: Module) -> list[CodeType]:
    """All code objects that a file gives."""
    key = id(module.source)
    if key not in _compiled:
        codes = all_codes(module.source.tree, os.fspath(module.path))
        _compiled[key] = module, codes  # with the module, so that the id stays its own
    return _compiled[key][1]


def all_codes(tree: ast.Module, file: str) -> list[CodeType]:
    """All code objects that a tree is compiled to."""
    return list(_inside(compile(tree, file, "exec", dont_inherit=True)))


def _inside(code: CodeType) -> Iterator[CodeType]:
    yield code
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _inside(constant)


def says(one: CodeType, other: CodeType) -> bool:
    """Whether two code objects do the same, but for docstrings and lines."""
    if (one.co_qualname, one.co_code, one.co_names) != (other.co_qualname, other.co_code, other.co_names):
        return False
    pairs = list(zip(one.co_consts, other.co_consts, strict=False))
    if len(one.co_consts) != len(other.co_consts):
        return False
    return all(
        says(left, right)
        if isinstance(left, CodeType) and isinstance(right, CodeType)
        else (type(left) is type(right) and repr(left) == repr(right)) or (at == 0 and _may_be_docstring(left, right))
        for at, (left, right) in enumerate(pairs)
    )


def _may_be_docstring(*values: object) -> bool:
    return all(value is None or isinstance(value, str) for value in values)
