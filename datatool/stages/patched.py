"""Whether what is in memory is what an edited file says now, though nobody loaded it again: `%autoreload` puts new code
into the functions and classes that are there."""

from __future__ import annotations

import ast
import sys
from collections.abc import Mapping, Sequence
from types import FunctionType

from datatool.stages.callables import function_of
from datatool.stages.edits import STAR, given_names
from datatool.stages.loaded import codes_in_file
from datatool.stages.modules import Definer, Module
from datatool.stages.scopes import Imported, names_of
from datatool.stages.source import Source
from datatool.stages.syntax import FunctionNode, digest_of, without_docstring

_MISSING = object()
_PLAIN = (
    ast.Call,
    ast.Constant,
    ast.Tuple,
    ast.List,
    ast.Set,
    ast.Dict,
    ast.UnaryOp,
    ast.BinOp,
    ast.unaryop,
    ast.operator,
    ast.Load,
)
_HUGE = (ast.Pow, ast.LShift)
_MAKING = {
    kind.__name__: kind
    for kind in (
        abs,
        bool,
        bytes,
        complex,
        dict,
        float,
        frozenset,
        int,
        len,
        list,
        max,
        min,
        round,
        set,
        str,
        sum,
        tuple,
    )
}
"""Functions of Python that give the same whenever they are called."""


def is_as_written(name: str, names: Mapping[str, object], text: ast.Module, module: Module) -> bool:
    """Whether a name means in memory what a file says now; `text` is what was loaded from it. Only where that can be
    proved: for functions, classes, literals and imports."""
    old = Module(module.name, module.file, module.path, Source(tree=text)).bindings.get(name)
    new = module.bindings.get(name)
    value = names.get(name, _MISSING)
    if name == STAR or ((old or new) and name in given_names(text, module.source.tree)):
        return False
    if new is None:
        return value is _MISSING
    if old is not None and [digest_of(part) for part in old.tests] != [digest_of(part) for part in new.tests]:
        return False
    if new.saying:
        return len(new.saying) == 1 and not new.definitions and not new.imports and _is_literal(new.saying[0], value)
    if len(new.definitions) + len(new.imports) != 1:
        return False
    if new.imports:
        return _is_imported(new.imports[0], value)
    before = old.definitions[0] if old is not None and len(old.definitions) == 1 else None
    return _is_defined(value, before, new.definitions[0], module)


def _is_literal(statement: ast.stmt, value: object) -> bool:
    given = statement.value if isinstance(statement, ast.Assign | ast.AnnAssign) else None
    return given is not None and _is_equal(given, value)


def _is_equal(node: ast.expr, value: object) -> bool:
    """Whether an expression of literals and plain functions of them gives a value."""
    if not _is_plain(node):
        return False
    try:
        code = compile(ast.Expression(node), "<code>", "eval")
        written = eval(code, {"__builtins__": {}, **_MAKING})  # noqa: S307 - nothing but literals and these functions
    except Exception:  # noqa: BLE001 - whatever it raises, nothing is proved
        return False
    return type(written) is type(value) and repr(written) == repr(value)


def _is_plain(node: ast.expr) -> bool:
    called = {id(part.func): part.func for part in ast.walk(node) if isinstance(part, ast.Call) and not part.keywords}
    for part in ast.walk(node):
        makes = isinstance(part, ast.Name) and id(part) in called and part.id in _MAKING
        if isinstance(part, _HUGE) or not (makes or isinstance(part, _PLAIN)):
            return False
    return True


def _is_imported(imported: Imported, value: object) -> bool:
    place = sys.modules.get(imported.module) if not imported.level else None
    if place is None:
        return False
    return value is (place if imported.name is None else getattr(place, imported.name, _MISSING))


def _is_defined(value: object, old: Definer | None, new: Definer, module: Module) -> bool:
    if isinstance(new, ast.ClassDef):
        before = old if isinstance(old, ast.ClassDef) else ast.ClassDef(new.name, [], [], [], [])
        return isinstance(value, type) and _is_class(value, before, new, module)
    live = function_of(value.fget if isinstance(value, property) else value)
    return isinstance(live, FunctionType) and _is_function(live, old, new, module)


def _is_function(live: FunctionType, old: Definer | None, new: FunctionNode, module: Module) -> bool:
    """Its code and defaults; decorators and annotations have to be those that were loaded."""
    before = old if isinstance(old, FunctionNode) else None
    if _outside(new) != (_outside(before) if before is not None else ([], [])):
        return False
    given = new.args.defaults, live.__defaults__ or ()
    named = [(live.__kwdefaults__ or {}).get(item.arg, _MISSING) for item in new.args.kwonlyargs]
    defaults = [*zip(*given, strict=False), *zip(new.args.kw_defaults, named, strict=True)]
    if len(given[0]) != len(given[1]) or not all(_is_default(node, value) for node, value in defaults):
        return False
    found = codes_in_file(module, live.__code__, live.__globals__)
    lines = {new.lineno, *(decorator.lineno for decorator in new.decorator_list)}
    return any(code.co_firstlineno in lines for code in found)


def _is_default(node: ast.expr | None, value: object) -> bool:
    return value is _MISSING if node is None else _is_equal(node, value)


def _outside(node: FunctionNode) -> tuple[list[str], list[str]]:
    """What stands around its body, without defaults."""
    arguments = [part for part in ast.walk(node.args) if isinstance(part, ast.arg) and part.annotation is not None]
    annotations = [f"{part.arg} {digest_of(part.annotation)}" for part in arguments if part.annotation is not None]
    if node.returns is not None:
        annotations.append(digest_of(node.returns))
    return [digest_of(part) for part in node.decorator_list], annotations


def _is_class(made: type, old: ast.ClassDef, new: ast.ClassDef, module: Module) -> bool:
    """Its methods and literal attributes; all else has to be what was loaded."""
    if _around(old) != _around(new):
        return False
    before, after = _parts(old), _parts(new)
    if any(name in vars(made) for name in before.keys() - after.keys()):
        return False
    for name, parts in after.items():
        earlier = before.get(name, [])
        if [digest_of(part) for part in parts] == [digest_of(part) for part in earlier]:
            continue
        value = vars(made).get(name, _MISSING)
        if len(parts) != 1 or len(earlier) > 1:
            return False
        part, was = parts[0], earlier[0] if earlier else None
        if isinstance(part, Definer):
            if not _is_defined(value, was if isinstance(was, Definer) else None, part, module):
                return False
        elif not _is_literal(part, value):
            return False
    return True


def _around(node: ast.ClassDef) -> list[str]:
    """Its bases and decorators, and the statements in it that bind no name."""
    nameless = [
        part for part in without_docstring(node) if not names_of([part]).bound and not isinstance(part, ast.Pass)
    ]
    return [digest_of(part) for part in (*node.bases, *node.keywords, *node.decorator_list, *nameless)]


def _parts(node: ast.ClassDef) -> dict[str, Sequence[ast.stmt]]:
    """The statements of its body by the names that they bind."""
    found: dict[str, list[ast.stmt]] = {}
    for part in node.body:
        for name in names_of([part]).bound:
            found.setdefault(name, []).append(part)
    return dict(found)
