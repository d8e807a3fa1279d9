"""What statements at the top of a module do to names besides binding them: choose what they mean, and change it."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from datatool.stages.syntax import FunctionNode

_TELLING = frozenset({"debug", "info", "warning", "error", "exception", "critical", "log", "print", "show", "flush"})
"""Methods that are called for what they write, and leave their object as it is."""

_SETTING = frozenset({"setattr", "delattr"})


def tests_around(statement: ast.stmt) -> dict[int, tuple[ast.expr, ...]]:
    """By the `id` of each statement inside one: what decides whether it runs."""
    found: dict[int, tuple[ast.expr, ...]] = {}
    pending: list[tuple[ast.AST, tuple[ast.expr, ...]]] = [(statement, ())]
    while pending:
        node, tests = pending.pop()
        if isinstance(node, ast.stmt):
            found[id(node)] = tests
        if isinstance(node, ast.If | ast.While) and not _is_of_the_program(node.test):
            tests = (*tests, node.test)
        elif isinstance(node, ast.Match):
            tests = (*tests, node.subject)
        if not isinstance(node, FunctionNode | ast.ClassDef | ast.expr):
            pending += [(part, tests) for part in ast.iter_child_nodes(node)]
    return found


def changed_by(leaf: ast.stmt) -> Iterator[tuple[str, bool]]:
    """The names of objects that a statement changes: by a call of a method (True), or by setting a part of it, as
    `setattr` does, or `register` to a class."""
    call = leaf.value if isinstance(leaf, ast.Expr) and isinstance(leaf.value, ast.Call) else None
    if call is not None and isinstance(call.func, ast.Attribute):
        name = _root(call.func)
        if name is not None and call.func.attr not in _TELLING:
            yield name, call.func.attr != "register"
    elif call is not None and call.args and isinstance(call.func, ast.Name) and call.func.id in _SETTING:
        name = _root(call.args[0])
        if name is not None:
            yield name, False
    targets = leaf.targets if isinstance(leaf, ast.Assign | ast.Delete) else [getattr(leaf, "target", None)]
    for target in targets:
        if isinstance(target, ast.Attribute | ast.Subscript) and (name := _root(target)) is not None:
            yield name, False


def _root(node: ast.expr) -> str | None:
    while isinstance(node, ast.Attribute | ast.Subscript):
        node = node.value
    return node.id if isinstance(node, ast.Name) else None


def _is_of_the_program(test: ast.expr) -> bool:
    """Whether it asks who looks, as `__name__ == "__main__"` and `TYPE_CHECKING` do."""
    names = {part.id for part in ast.walk(test) if isinstance(part, ast.Name)}
    names |= {part.attr for part in ast.walk(test) if isinstance(part, ast.Attribute)}
    return not names.isdisjoint({"__name__", "TYPE_CHECKING"})
