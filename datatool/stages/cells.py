"""What was typed into a notebook or a console so far, as one module: of every name only its newest definition."""

from __future__ import annotations

import ast
import linecache
from pathlib import Path
from types import FunctionType

from datatool.stages.modules import Module, leaves
from datatool.stages.notebook import readings
from datatool.stages.scopes import Import, imports_of, names_of
from datatool.stages.source import Source, parse

NAME = "notebook"


def cells_module(live: FunctionType, start: Path) -> Module | None:
    """The module that a function without a file belongs to, or None if nobody kept its source. IPython keeps all cells
    in the variable `In`, any console what it ran last in `linecache`."""
    history = live.__globals__.get("In")
    texts = [text for text in history if isinstance(text, str)] if isinstance(history, list) else []
    texts.append("".join(linecache.getlines(live.__code__.co_filename)))
    bodies = [tree.body for text in texts if (tree := _read(text)) is not None]
    if not bodies or not any(bodies):
        return None
    kept: list[ast.stmt] = []
    bound: set[str] = set()
    for statement in reversed([statement for body in bodies for statement in body]):
        names = _binds(statement)
        if names - bound:  # an older definition of the same names is gone, and what binds none did its work
            kept.insert(0, statement)
        bound |= names
    tree = ast.Module(body=kept, type_ignores=[])
    return Module(NAME, NAME, start / f"{NAME}.ipynb", Source(tree=tree), by_name=True)


def _read(text: str) -> ast.Module | None:
    for reading in readings(text):
        tree = parse(reading)
        if isinstance(tree, ast.Module):
            return tree
    return None


def _binds(statement: ast.stmt) -> set[str]:
    names = set(names_of([statement]).bound)
    for leaf in leaves(statement):
        if isinstance(leaf, Import):
            names |= {name for name, _ in imports_of(leaf)}
            names |= {"*" + str(leaf.lineno)} if any(alias.name == "*" for alias in leaf.names) else set()
    return names
