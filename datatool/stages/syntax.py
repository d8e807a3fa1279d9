"""What a piece of code says, whatever it looks like: a hash of its syntax tree.

Comments, formatting, positions, docstrings and `pass` never matter; decorators, defaults and annotations do. The tree
is walked here rather than by `ast.dump`, whose text differs between versions of Python: the same code has the same
hash from 3.11 on.
"""

from __future__ import annotations

import ast
import hashlib
from collections.abc import Collection, Sequence

_SALT = b"datatool syntax 1\n"
"""Goes into every hash; the number changes if the walk ever does."""

_DOCUMENTED = (ast.Module, ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
_IGNORED = frozenset({"ctx", "type_comment", "type_ignores", "kind"})
"""Fields that repeat what stands elsewhere (`ctx`), or that don't matter to the program (`kind`: a `u` before a
string)."""

_SHORT = 10
"""Hex digits: two lines of one function are never mixed up."""

FunctionNode = ast.FunctionDef | ast.AsyncFunctionDef


def digest_of(nodes: ast.AST | Sequence[ast.AST], *, without: Collection[int] = frozenset()) -> str:
    """SHA-256 (64 hex digits) of what one or several nodes say, leaving out nodes whose `id` is in `without`.

    >>> first, second = ast.parse("def f(x): return x + 1"), ast.parse("def f(x):\\n    return (x+1)  # next")
    >>> digest_of(first) == digest_of(second)
    True
    """
    hashed = hashlib.sha256(_SALT)
    pending: list[object] = []
    pending += reversed(_counting([nodes] if isinstance(nodes, ast.AST) else nodes, without))
    while pending:  # not by recursion: generated code is deeper than Python's stack
        item = pending.pop()
        if isinstance(item, bytes):
            hashed.update(item)
        elif isinstance(item, ast.AST):
            pending += reversed(_parts(item, without))
        elif isinstance(item, list):
            hashed.update(b"[")
            pending += [b"]", *reversed(item)]
        else:
            hashed.update(_literal(item))
    return hashed.hexdigest()


def lines_of(nodes: Sequence[ast.AST], *, without: Collection[int] = frozenset()) -> list[tuple[str, ast.AST]]:
    """The statements in some nodes, each with a short hash of what it says without those inside it."""
    found: list[tuple[str, ast.AST]] = []
    pending = [node for node in reversed(nodes) if id(node) not in without]
    while pending:
        node = pending.pop()
        inner = [part for part in _statements(node) if not isinstance(part, ast.Pass) and id(part) not in without]
        found.append((digest_of(node, without={*without, *map(id, inner)})[:_SHORT], node))
        pending += reversed(inner)
    return found


def _statements(node: ast.AST) -> list[ast.stmt]:
    """The statements directly inside one."""
    found: list[ast.stmt] = []
    for part in ast.iter_child_nodes(node):
        if isinstance(part, ast.stmt):
            found.append(part)
        elif isinstance(part, ast.ExceptHandler | ast.match_case):
            found += _statements(part)
    if not isinstance(node, _DOCUMENTED):
        return found
    counting = set(map(id, without_docstring(node)))
    return [part for part in found if id(part) in counting]


def without_docstring(node: ast.AST) -> list[ast.stmt]:
    """The statements in the body of a module, function or class, but for its docstring."""
    body: list[ast.stmt] = getattr(node, "body", [])
    if isinstance(node, _DOCUMENTED) and body and isinstance(body[0], ast.Expr):
        value = body[0].value
        if isinstance(value, ast.Constant) and isinstance(value.value, str):
            return body[1:]
    return body


def _parts(node: ast.AST, without: Collection[int]) -> list[object]:
    """A node as what is hashed of it, in order, beginning with its name: empty fields are left out, because versions
    of Python add new ones."""
    found: list[object] = [f"({type(node).__name__}".encode()]
    for name in sorted(node._fields):
        value = getattr(node, name, None)
        if name in _IGNORED or (value is None and not isinstance(node, ast.Constant)):
            continue
        if name == "body" and isinstance(node, _DOCUMENTED):
            value = without_docstring(node)
        if isinstance(node, ast.JoinedStr):
            value = _joined(node)
        elif isinstance(value, list):
            value = _counting(value, without)
        if value == [] or (name == "format_spec" and isinstance(value, ast.JoinedStr) and not value.values):
            continue
        found += [f" {name}=".encode(), value if isinstance(value, ast.AST | list) else _literal(value)]
    return [*found, b")"]


def _counting(nodes: Sequence[object], without: Collection[int]) -> list[object]:
    return [node for node in nodes if not isinstance(node, ast.Pass) and id(node) not in without]


def _joined(node: ast.JoinedStr) -> list[ast.expr]:
    """The parts of an f-string, neighbouring texts as one: versions of Python cut them differently."""
    found: list[ast.expr] = []
    for part in node.values:
        text = part.value if isinstance(part, ast.Constant) and isinstance(part.value, str) else None
        last = found[-1] if found else None
        if text is not None and isinstance(last, ast.Constant) and isinstance(last.value, str):
            found[-1] = ast.Constant(last.value + text)
        elif text != "":
            found.append(part)
    return found


def _literal(value: object) -> bytes:
    """A constant, or a name in a field, so that no two read alike: with its type, and its length where that varies."""
    if isinstance(value, str):
        data = value.encode("utf-8", "surrogatepass")
    elif isinstance(value, bytes):
        data = value
    elif isinstance(value, int) and not isinstance(value, bool):
        data = hex(value).encode()  # decimal digits are limited by Python, and slow
    else:
        data = repr(value).encode()
    return f"<{type(value).__name__} {len(data)}:".encode() + data + b">"
