"""From code that is loaded to the syntax tree that it was made from."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence
from types import CodeType

from datatool.stages.loaded import all_codes, says
from datatool.stages.modules import CodeNode, Module, leaves
from datatool.stages.scopes import names_of
from datatool.stages.syntax import FunctionNode


def nodes_of(module: Module, code: CodeType) -> list[CodeNode]:
    """The syntax of a code object: by its name and the line where it, or its first decorator, begins; of several, as
    lambdas in one line, by the columns, and then by what they do."""
    found = [
        node
        for node in module.code_nodes.get(code.co_name, ())
        if module.by_name or code.co_firstlineno in _first_lines(node)
    ]
    if len(found) > 1:
        found = _nearest(found, code) or found
    if len(found) > 1:
        found = [node for node in found if _does(module, node, code)] or found
    return found


def assigned(module: Module, inner: ast.AST, name: str) -> list[ast.stmt]:
    """The statements that bind a name in the functions around a node, the innermost that has any."""
    around = [
        node
        for node in ast.walk(module.source.tree)
        if isinstance(node, FunctionNode) and node is not inner and any(part is inner for part in ast.walk(node))
    ]
    for function in reversed(around):
        found = [
            leaf
            for statement in function.body
            for leaf in leaves(statement)
            if name in names_of([leaf]).values and not isinstance(leaf, FunctionNode)
        ]
        if found:
            return found
    return []


def _first_lines(node: CodeNode) -> set[int]:
    decorators = node.decorator_list if isinstance(node, FunctionNode) else []
    return {node.lineno, *(decorator.lineno for decorator in decorators)}


def _nearest(found: Sequence[CodeNode], code: CodeType) -> list[CodeNode]:
    """Those with the smallest body around all that the code says of its places."""
    places = [place for place in code.co_positions() if None not in place and place[2:] != (0, 0)]
    around = [node for node in found if places and all(_is_in(place, node) for place in places)]
    smallest = min(map(_size, around), default=None)
    return [node for node in around if _size(node) == smallest]


def _is_in(place: tuple[int | None, ...], node: CodeNode) -> bool:
    line, last, column, end = (value or 0 for value in place)
    first, final, left, right = _span(node)
    return (first, left) <= (line, column) and (last, end) <= (final, right)


def _size(node: CodeNode) -> tuple[int, int]:
    first, final, left, right = _span(node)
    return final - first, right - left


def _span(node: CodeNode) -> tuple[int, int, int, int]:
    """Where the body is: a lambda in the body of another is in both."""
    body = node.body if isinstance(node, ast.Lambda) else node
    return body.lineno, body.end_lineno or 0, body.col_offset, body.end_col_offset or 0


def _does(module: Module, node: CodeNode, code: CodeType) -> bool:
    """Whether a code object may be what a node is compiled to, in the statement around it."""
    return any(says(made, code) for made in _made(module, node))


def _made(module: Module, node: CodeNode) -> Iterator[CodeType]:
    around = next(top for top in module.source.tree.body if any(part is node for part in ast.walk(top)))
    name = node.name if isinstance(node, FunctionNode) else "<lambda>"
    inside = [part for part in ast.walk(around) if isinstance(part, type(node))]
    for made in all_codes(ast.Module(body=[around], type_ignores=[]), str(module.path)):
        if made.co_name == name and made.co_firstlineno in _first_lines(node) and node in _nearest(inside, made):
            yield made
