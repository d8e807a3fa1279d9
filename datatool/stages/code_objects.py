"""From code that is loaded to the syntax tree that it was made from."""

from __future__ import annotations

import ast
from types import CodeType

from datatool.stages.modules import CodeNode, Module, leaves
from datatool.stages.scopes import names_of
from datatool.stages.syntax import FunctionNode


def nodes_of(module: Module, code: CodeType) -> list[CodeNode]:
    """The syntax of a code object: by its name and the line where it, or its first decorator, begins."""
    return [
        node
        for node in module.code_nodes.get(code.co_name, ())
        if module.by_name or code.co_firstlineno in _first_lines(node)
    ]


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
