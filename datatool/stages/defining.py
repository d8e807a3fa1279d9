"""What of a function or class waits until it is used, while the rest runs as soon as it is defined."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from datatool.stages.modules import Definer, Module, leaves


def left_for_later(module: Module, node: Definer) -> Iterator[ast.AST]:
    """The parts of a function or class, and of those in a class, that don't run when the module is loaded: bodies of
    functions, and annotations that are never evaluated. To name a base, a default or a type without a call in it runs
    nothing either."""
    evaluated = not _postpones_annotations(module)
    if isinstance(node, ast.ClassDef):
        yield from (base for base in node.bases if not _calls(base))
        for leaf in (leaf for statement in node.body for leaf in leaves(statement)):
            if isinstance(leaf, Definer):
                yield from left_for_later(module, leaf)
            elif isinstance(leaf, ast.AnnAssign) and not (evaluated and _calls(leaf.annotation)):
                yield leaf.annotation
        return
    yield from node.body
    defaults = [*node.args.defaults, *node.args.kw_defaults]
    yield from (default for default in defaults if default is not None and not _calls(default))
    annotations = [part.annotation for part in ast.walk(node.args) if isinstance(part, ast.arg)]
    for annotation in (*annotations, node.returns):
        if annotation is not None and not (evaluated and _calls(annotation)):
            yield annotation


def _calls(node: ast.AST) -> bool:
    return any(isinstance(part, ast.Call) for part in ast.walk(node))


def _postpones_annotations(module: Module) -> bool:
    """Whether it has `from __future__ import annotations`."""
    return any(
        isinstance(statement, ast.ImportFrom)
        and statement.module == "__future__"
        and any(alias.name == "annotations" for alias in statement.names)
        for statement in module.source.tree.body
    )
