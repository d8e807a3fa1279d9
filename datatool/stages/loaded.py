"""Whether a file still says what was loaded from it: what runs is what was loaded, and nothing else may count.

Nobody tells us what a file was when Python loaded it, so that is noted as early as can be: when a stage is defined, of
all modules loaded by then, and of later ones when some code is looked at. Python's own cache of a module, which names
the file that it was made from, tells of an edit before that.
"""

from __future__ import annotations

import ast
import os
import sys
import sysconfig
import time
import weakref
from collections.abc import Iterator, Mapping
from functools import cache
from importlib.machinery import SourceFileLoader
from inspect import CO_ASYNC_GENERATOR, CO_COROUTINE, CO_GENERATOR, CO_VARARGS, CO_VARKEYWORDS
from pathlib import Path
from types import CodeType, FunctionType

from msgspec import Struct

from datatool.errors import UsageError
from datatool.stages.edits import touched_names
from datatool.stages.modules import Module
from datatool.stages.source import parse

_LARGEST = 1 << 20
"""Bytes: of a larger file the text is not kept, so that any edit counts."""
_KEPT = 4
"""Notes on one file: it may be loaded under several names."""
_SLACK = 1.0
"""Seconds by which clocks of files and processes may differ."""
_HEADER = 16
"""Bytes before the code in Python's cache: a magic number, flags, time and size of the source."""

_CALLED = CO_VARARGS | CO_VARKEYWORDS | CO_GENERATOR | CO_COROUTINE | CO_ASYNC_GENERATOR
"""The flags of a code object that say what a call of it is."""

ANY = frozenset({"*"})
"""An edit that may have changed anything."""

_imported = time.time()
_Stamp = tuple[int, int, int]


class _Note(Struct, frozen=True):
    """What a file was when a module was loaded from it. No stamp: nobody knows, but that it was edited."""

    load: object
    stamp: _Stamp | None
    text: bytes | None


_notes: dict[str, list[_Note]] = {}
"""By real path, newest last."""
_seen: dict[str, object] = {}
"""The modules that were looked at, by name."""
_last: list[object] = []
"""How many there were, and the one that was loaded last."""


class EditedCode(UsageError):
    """A file says something else of what counts than when it was loaded; `path` is the file's, from the root."""

    def __init__(self, file: str) -> None:
        super().__init__(
            f"{file}: was edited after it was loaded, so what runs is not what it says",
            hint="start the program again, or load the module again with importlib.reload; if that changes nothing,"
            " save the file again, as Python may run its older copy in __pycache__",
            path=file,
        )


def note_loaded(names: Mapping[str, object]) -> None:
    """Note what the files of all modules are that were loaded since the last time; `names` are those of the module that
    is being loaded just now."""
    file = names.get("__file__")
    if isinstance(file, str) and _is_own(file):
        _noted(os.path.realpath(file), _load_of(names))
    note_modules()


def note_modules() -> None:
    """Note what the files of modules are that were loaded since the last time."""
    newest = next(reversed(sys.modules))
    here = [len(sys.modules), newest, sys.modules.get(newest)]
    if here == _last:
        return
    _last[:] = here
    for name, module in [item for item in list(sys.modules.items()) if _seen.get(item[0]) is not item[1]]:
        _seen[name] = module
        file = getattr(module, "__file__", None)
        if isinstance(file, str) and _is_own(file):
            _noted(os.path.realpath(file), _load_of(getattr(module, "__dict__", {})))


def edited_names(module: Module, names: Mapping[str, object]) -> frozenset[str]:
    """The names that may mean something else in a file than in the module `names` that was loaded from it."""
    real = os.fspath(module.path)
    note = _noted(real, _load_of(names))
    if note is None or _stamp(real) == note.stamp:
        return frozenset()
    if note.stamp is None or note.text is None:
        return ANY
    now = _text(real)
    if now == note.text:
        return frozenset()
    old, new = parse(note.text), parse(now) if now is not None else ""
    return ANY if isinstance(old, str) or isinstance(new, str) else frozenset(touched_names(old, new))


def text_as_loaded(module: Module, names: Mapping[str, object]) -> ast.Module | None:
    """What a file said when the module `names` was loaded from it; None where nobody knows."""
    note = _noted(os.fspath(module.path), _load_of(names))
    tree = parse(note.text) if note is not None and note.stamp is not None and note.text is not None else ""
    return tree if isinstance(tree, ast.Module) else None


def _is_untouched(module: Module, names: Mapping[str, object]) -> bool:
    """Whether a file has the very text that the module `names` was loaded from."""
    real = os.fspath(module.path)
    note = _noted(real, _load_of(names))
    if note is None or note.stamp is None:
        return False
    return _stamp(real) == note.stamp or (note.text is not None and _text(real) == note.text)


def last_load(module: Module) -> object:
    """What stands for the last time that a file was loaded; None if it never was."""
    note_modules()
    notes = _notes.get(os.fspath(module.path))
    return notes[-1] if notes else None


def _load_of(names: Mapping[str, object]) -> object:
    """What stands for one load of a module: its spec, which Python makes anew each time; without one, as that of a
    script, the module itself, which need not be kept for it. None for names of no module."""
    spec = names.get("__spec__")
    if spec is not None:
        return spec
    module = sys.modules.get(str(names.get("__name__")))
    return weakref.ref(module) if module is not None and getattr(module, "__dict__", None) is names else None


def _noted(real: str, load: object) -> _Note | None:
    """What is known of a file as it was loaded; noted now, if that was not done before."""
    if load is None:
        return None
    notes = _notes.setdefault(real, [])
    for note in notes:
        if note.load is load:
            return note
    stamp = _stamp(real)
    if stamp is None:
        return None
    made = _Note(load, None if _was_edited_before(real, load) else stamp, _text(real))
    notes.append(made)
    del notes[:-_KEPT]
    return made


def _was_edited_before(real: str, spec: object) -> bool:
    """Whether Python's cache of a module was made from the file when it was another than now."""
    cached = getattr(spec, "cached", None)
    plain = type(getattr(spec, "loader", None)) is SourceFileLoader
    if not plain or not isinstance(cached, str) or sys.dont_write_bytecode or not _is_younger(real):
        return False
    try:
        with open(cached, "rb") as file:
            header = file.read(_HEADER)
        found = os.stat(real)
    except OSError:
        return False
    if len(header) < _HEADER or any(header[4:8]) or not os.access(os.path.dirname(cached), os.W_OK):
        return False  # made by hash, or an old one that could not be replaced
    made_from = int.from_bytes(header[8:12], "little"), int.from_bytes(header[12:16], "little")
    return made_from != (int(found.st_mtime) & 0xFFFFFFFF, found.st_size & 0xFFFFFFFF)


@cache
def _elsewhere() -> tuple[str, ...]:
    """Where Python's own modules lie."""
    return tuple(os.path.join(sysconfig.get_path(name), "") for name in ("stdlib", "platstdlib"))


def _is_own(file: str) -> bool:
    """Whether a file may be a project's: no package's, and not Python's own."""
    if not file.endswith(".py") or "site-packages" in file or "dist-packages" in file:
        return False
    return not file.startswith(_elsewhere())


def _stamp(path: str) -> _Stamp | None:
    try:
        found = os.stat(path)
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size, found.st_ino


def _text(path: str) -> bytes | None:
    try:
        with open(path, "rb") as file:
            text = file.read(_LARGEST + 1)
    except OSError:
        return None
    return text if len(text) <= _LARGEST else None


def _is_younger(path: str | Path) -> bool:
    """Whether a file was changed after this process started, whatever time it was given."""
    try:
        found = os.stat(path)
    except OSError:
        return False
    return max(found.st_mtime, found.st_ctime) >= _started()


@cache
def _started() -> float:
    """When this process was started, in seconds since 1970; where nobody can tell, when it loaded this."""
    try:
        with open("/proc/self/stat", encoding="ascii", errors="replace") as file:
            ticks = int(file.read().rpartition(")")[2].split()[19])
        booted = time.time() - time.clock_gettime(time.CLOCK_BOOTTIME)
        return min(_imported, booted + ticks / os.sysconf("SC_CLK_TCK")) - _SLACK
    except (OSError, ValueError, IndexError, AttributeError):
        return _imported - _SLACK


# By the code itself, for what was edited before anybody noted anything


def codes_in_file(module: Module, loaded: CodeType, names: Mapping[str, object]) -> list[CodeType]:
    """The code objects that a file gives now for one that was loaded from it, perhaps at another line: none where it
    says something else by now, several that do the same where the file was edited, as then the place does not tell
    them apart. `names` are the module's. Without a look where the file is older than the process."""
    if module.by_name or not _is_younger(module.path):
        return [loaded]
    found = [code for code in _codes(module) if says(code, loaded)]
    here = [code for code in found if list(code.co_positions()) == list(loaded.co_positions())]
    return here if len(found) > 1 and here and _is_untouched(module, names) else found


def was_edited(module: Module, value: object) -> bool:
    """Whether a function that was loaded from a file is no longer what it says there."""
    if not isinstance(value, FunctionType) or os.path.realpath(value.__code__.co_filename) != os.fspath(module.path):
        return False
    return not codes_in_file(module, value.__code__, value.__globals__)


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
    """Whether two code objects do the same with the same parameters, but for docstrings and lines."""
    if _shape(one) != _shape(other):
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


def _shape(code: CodeType) -> tuple[object, ...]:
    """All of a code object but for its constants; of its flags those that say how it is called."""
    return (
        code.co_name,
        code.co_code,
        code.co_exceptiontable,
        code.co_names,
        code.co_varnames,
        code.co_cellvars,
        code.co_freevars,
        code.co_argcount,
        code.co_posonlyargcount,
        code.co_kwonlyargcount,
        code.co_flags & _CALLED,
    )


def _may_be_docstring(*values: object) -> bool:
    return all(value is None or isinstance(value, str) for value in values)
