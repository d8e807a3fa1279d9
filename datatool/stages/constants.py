"""Whether what a name means in memory is still what the statement says that gave it to the name: such a value counts by
its statement, so a change of it is told."""

from __future__ import annotations

import ast
import sys
from collections import Counter, OrderedDict, defaultdict, deque
from collections.abc import Sequence
from dataclasses import MISSING, fields, is_dataclass
from types import FunctionType, ModuleType, SimpleNamespace
from typing import Any

from datatool.stages.modules import Module, leaves
from datatool.stages.scopes import names_of
from datatool.stages.syntax import FunctionNode
from datatool.stages.top_level import changed_by
from datatool.stages.values import value_digest

_MADE = (dict, list, set, bytearray, deque, OrderedDict, Counter, SimpleNamespace)
_ARRAYS = frozenset({"array", "asarray", "zeros", "ones", "full", "arange", "linspace", "eye"})
_OUTSIDE = frozenset({"parse_args", "parse_known_args", "open", "environ", "getenv", "argv", "input", "fromfile"})
_READING = ("read_", "safe_load", "loadtxt", "genfromtxt")
_LARGEST = 1 << 20
_CHANGED = "{} was changed since; it counts by this statement"
_UNKNOWN = "{} counts by the statement that makes it, not by what is in it"


def told_of(name: str, value: object, module: Module, nodes: Sequence[ast.AST]) -> str | None:
    """What to tell of a value that counts by its statement: that it is provably not what that says any more, or that
    nobody can know, as it came from outside or a function changes it. None where all is well."""
    if value is None or value_digest(value) is not None or isinstance(value, type | ModuleType | FunctionType):
        return None
    written = _given(name, nodes)
    try:
        same = None if written is None else _is_as_written(value, written)
    except Exception:  # noqa: BLE001 - whatever a constructor or a comparison of somebody else raises: nothing is proved
        same = None
    if same is not None:
        return None if same else _CHANGED.format(name)
    return _UNKNOWN.format(name) if _is_from_outside(name, nodes) or _is_changed_in(module, name) else None


def told_of_class(name: str, made: object, nodes: Sequence[ast.AST]) -> str | None:
    """What to tell of a class whose plain attributes are not what its body says."""
    if not isinstance(made, type) or len(nodes) != 1 or not isinstance(node := nodes[0], ast.ClassDef):
        return None
    for key, given in names_of(node.body).values.items():
        value = vars(made).get(key)
        try:
            changed = type(value) in (bool, int, float, str) and ast.literal_eval(given[-1]) != value
        except (ValueError, TypeError, RecursionError, MemoryError):
            continue
        if changed:
            return f"{name}.{key} was set since; it counts by what the class says"
    return None


def _given(name: str, nodes: Sequence[ast.AST]) -> ast.expr | None:
    """What stands behind the `=` of `name = …`, where that is all that is said of it."""
    if len(nodes) != 1:
        return None
    node = nodes[0]
    targets = node.targets if isinstance(node, ast.Assign) else [node.target] if isinstance(node, ast.AnnAssign) else []
    given = any(isinstance(target, ast.Name) and target.id == name for target in targets)
    return node.value if given and isinstance(node, ast.Assign | ast.AnnAssign) else None


def _is_as_written(value: Any, written: ast.expr) -> bool | None:
    """Whether a value is what a literal, or a plain constructor with literals, gives; None where it is neither."""
    if not isinstance(written, ast.Call):
        return bool(ast.literal_eval(written) == value) if isinstance(value, list | dict | set | tuple) else None
    kind = type(value)
    called = written.func.attr if isinstance(written.func, ast.Attribute) else getattr(written.func, "id", "")
    if isinstance(value, defaultdict):
        rest = [ast.literal_eval(item) for item in written.args[1:]]
        return called == "defaultdict" and bool(dict(*rest, **_keywords(written)) == dict(value))
    args, named = [ast.literal_eval(item) for item in written.args], _keywords(written)
    if kind in _MADE and called == kind.__name__:
        return bool(kind(*args, **named) == value)
    if is_dataclass(value) and called == kind.__name__ and not hasattr(kind, "__post_init__"):
        given = {field.name: field.default for field in fields(value) if field.default is not MISSING}
        given |= dict(zip((field.name for field in fields(value) if field.init), args, strict=False)) | named
        return None if all(getattr(value, key) == item for key, item in given.items()) else False
    return _is_table_as_written(value, called, args, named)


def _is_table_as_written(value: Any, called: str, args: list[object], named: dict[str, object]) -> bool | None:
    """The same for an array or a table of a size that can be made once more."""
    top = type(value).__module__.partition(".")[0]
    if top == "numpy" and called in _ARRAYS and value.nbytes <= _LARGEST:
        made = getattr(sys.modules["numpy"], called)(*args, **named)
        return bool((made.shape, made.dtype, made.tobytes()) == (value.shape, value.dtype, value.tobytes()))
    if top == "pandas" and called in ("DataFrame", "Series") and called == type(value).__name__:
        return bool(type(value)(*args, **named).equals(value))
    return None


def _keywords(call: ast.Call) -> dict[str, object]:
    return {str(item.arg): ast.literal_eval(item.value) for item in call.keywords}


def _is_from_outside(name: str, nodes: Sequence[ast.AST]) -> bool:
    """Whether the command line, the environment or a file gave it, so that its statement does not say what it is."""
    for leaf in (leaf for node in nodes if isinstance(node, ast.stmt) for leaf in leaves(node)):
        value = getattr(leaf, "value", None)
        if value is None or name not in names_of([leaf]).bound:
            continue
        for part in ast.walk(value):
            said = part.attr if isinstance(part, ast.Attribute) else part.id if isinstance(part, ast.Name) else ""
            if said in _OUTSIDE or said.startswith(_READING):
                return True
    return False


def _is_changed_in(module: Module, name: str) -> bool:
    """Whether a function of its module sets a part of it."""
    for function in ast.walk(module.source.tree):
        if isinstance(function, FunctionNode) and name not in names_of(function.body).bound:
            own = [item.arg for item in ast.walk(function.args) if isinstance(item, ast.arg)]
            for leaf in (leaf for statement in function.body for leaf in leaves(statement)):
                if (name, False) in changed_by(leaf) and name not in own:
                    return True
    return False
