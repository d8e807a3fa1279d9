"""Whether what a name means in memory is still what the statement says that gave it to the name."""

from __future__ import annotations

import ast
from collections.abc import Sequence


def differs(name: str, value: object, nodes: Sequence[ast.AST]) -> bool:
    """Whether a value is provably not what the only statement that binds its name says."""
    written = _given(name, nodes)
    if written is None:
        return False
    try:
        return isinstance(value, list | dict | set | tuple) and bool(ast.literal_eval(written) != value)
    except (ValueError, TypeError, RecursionError, MemoryError):
        return False


def _given(name: str, nodes: Sequence[ast.AST]) -> ast.expr | None:
    """What stands behind the `=` of `name = …`, where that is all that is said of it."""
    if len(nodes) != 1:
        return None
    node = nodes[0]
    targets = node.targets if isinstance(node, ast.Assign) else [node.target] if isinstance(node, ast.AnnAssign) else []
    given = any(isinstance(target, ast.Name) and target.id == name for target in targets)
    return node.value if given and isinstance(node, ast.Assign | ast.AnnAssign) else None
