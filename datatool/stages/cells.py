"""What was typed into a notebook or a console so far, as one module: of every name only its newest definition. What is
in memory may be older than that, as cells run in any order."""

from __future__ import annotations

import ast
import linecache
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from pathlib import Path
from types import CodeType, FunctionType

from msgspec import Struct

from datatool.stages.code_objects import nodes_of
from datatool.stages.modules import CodeNode, Module, leaves
from datatool.stages.notebook import readings
from datatool.stages.scopes import Import, Reference, imports_of, names_of, references
from datatool.stages.source import Source, parse
from datatool.stages.syntax import FunctionNode, digest_of

NAME = "notebook"

_MAKING = frozenset({"__new__", "__init__", "__post_init__", "__init_subclass__", "__set_name__"})
"""Methods that run when an object or a class is made."""


class Cells(Struct, frozen=True):
    """All cells that ran. `made` says of each name which statement, counted through all cells, bound it last, `changed`
    which was the last that said something new of it."""

    module: Module
    made: dict[str, int]
    changed: dict[str, int]

    def changed_under(self, name: str, nodes: Iterable[ast.AST], without: frozenset[int]) -> str | None:
        """The name of something that was defined anew after it had served to make what another name stands for."""
        made = self.made.get(name, -1)
        used = _used(self.module, _run_at_once(nodes, without))
        return next((other for other in sorted(used - {name}) if self.changed.get(other, -1) > made), None)


def cells_of(live: FunctionType, start: Path) -> Cells | None:
    """The cells beside a function without a file, or None if nobody kept its source. IPython keeps all cells in the
    variable `In`, any console what it ran last in `linecache`."""
    history = live.__globals__.get("In")
    texts = [text for text in history if isinstance(text, str)] if isinstance(history, list) else []
    own = _text_of(live.__code__)
    if own.strip() not in {text.strip() for text in texts}:
        texts.append(own)
    statements = [statement for text in texts if (tree := _read(text)) is not None for statement in tree.body]
    if not statements:
        return None
    bindings = [_binds(statement) for statement in statements]
    kept: list[ast.stmt] = []
    bound: set[str] = set()
    for statement, names in zip(reversed(statements), reversed(bindings), strict=True):
        if names - bound:  # an older definition of the same names is gone, and what binds none did its work
            kept.append(statement)
        bound |= names
    tree = ast.Module(body=kept[::-1], type_ignores=[])
    module = Module(NAME, NAME, start / f"{NAME}.ipynb", Source(tree=tree), by_name=True)
    return Cells(module, *_times(statements, bindings))


def typed_nodes(code: CodeType) -> list[CodeNode]:
    """The syntax of a code object in the very cell that it was made from; nothing where nobody kept that."""
    cell = _cell(_text_of(code))
    return [] if cell is None else nodes_of(cell, code)


@lru_cache(1024)
def _cell(text: str) -> Module | None:
    tree = _read(text)
    return None if tree is None else Module(NAME, NAME, Path(NAME), Source(tree=tree))


def _times(statements: list[ast.stmt], bindings: list[set[str]]) -> tuple[dict[str, int], dict[str, int]]:
    """When each name was bound last, and when it was last bound to something new."""
    made: dict[str, int] = {}
    changed: dict[str, int] = {}
    for at, names in enumerate(bindings):
        for name in names:
            before = made.get(name)
            if before is not None and digest_of(statements[before]) != digest_of(statements[at]):
                changed[name] = at
            made[name] = at
    return made, changed


def _used(module: Module, found: Iterable[Reference | Import]) -> set[str]:
    """The names at the top of a module that some code needs when it runs: those it reads, and those that the functions
    and classes among them do."""
    used: set[str] = set()
    pending = _names(found)
    while pending:
        name = pending.pop()
        bound = module.bindings.get(name)
        if bound is None or name in used:
            continue
        used.add(name)
        for node in (*bound.definitions, *bound.statements):
            pending |= _names(references([node], without=_left_for_later(node)))
    return used


def _names(found: Iterable[Reference | Import]) -> set[str]:
    return {item.chain[0] for item in found if isinstance(item, Reference) and item.imported is None}


def _left_for_later(node: ast.AST) -> frozenset[int]:
    """What inside a piece of code does not run when it does: methods that make no object, functions that it only binds
    or gives back."""
    if isinstance(node, ast.ClassDef):
        running = _making(node)
        return _bodies([part for part in _methods(node) if part.name not in running])
    if not isinstance(node, FunctionNode):
        return _bodies([getattr(node, "value", None)])
    given = [part.value for part in ast.walk(node) if isinstance(part, ast.Return)]
    names = Counter(part.id for part in given if isinstance(part, ast.Name))
    read = Counter(part.id for part in ast.walk(node) if isinstance(part, ast.Name) and isinstance(part.ctx, ast.Load))
    inner = [part for part in ast.walk(node) if isinstance(part, FunctionNode) and part is not node]
    return _bodies([*given, *(part for part in inner if read[part.name] == names[part.name])])


def _bodies(nodes: Sequence[ast.AST | None]) -> frozenset[int]:
    """The code of functions and lambdas, without decorators and defaults, which run at once."""
    functions = [node for node in nodes if isinstance(node, FunctionNode)]
    lambdas = [node.body for node in nodes if isinstance(node, ast.Lambda)]
    return frozenset(map(id, [*(statement for node in functions for statement in node.body), *lambdas]))


def _methods(node: ast.ClassDef) -> list[FunctionNode]:
    return [part for part in node.body if isinstance(part, FunctionNode)]


def _making(node: ast.ClassDef) -> set[str]:
    """The names of a class's methods that run when an object is made, as one may call another; and more names."""
    methods = {part.name: part for part in _methods(node)}
    running = set(_MAKING)
    pending = [methods[name] for name in _MAKING if name in methods]
    while pending:
        words = {part.attr for part in ast.walk(pending.pop()) if isinstance(part, ast.Attribute)}
        pending += [method for name, method in methods.items() if name in words - running]
        running |= words
    return running


def _run_at_once(nodes: Iterable[ast.AST], without: frozenset[int]) -> Iterator[Reference | Import]:
    """What some code refers to that runs when it binds its names: of a function its decorators and defaults."""
    for node in nodes:
        if isinstance(node, FunctionNode):
            later = _bodies([node])
        elif isinstance(node, ast.ClassDef):
            later = _bodies(_methods(node))
        else:
            later = _left_for_later(node)
        yield from references([node], without=without | later)


def _text_of(code: CodeType) -> str:
    return "".join(linecache.getlines(code.co_filename))


@lru_cache(1024)
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
