"""Which names from outside a piece of code reads: by Python's rules of scope, from the syntax tree alone."""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Iterator, Sequence

from msgspec import Struct, field

from datatool.stages.syntax import FunctionNode

Import = ast.Import | ast.ImportFrom
_COMPREHENSIONS = (ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)
_SCOPES = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda, ast.ClassDef, *_COMPREHENSIONS)


class Imported(Struct, frozen=True):
    """What a name stands for after an import: `module` with as many dots (`level`) as stood before it, and `name` in
    it, None for the module itself."""

    module: str
    level: int = 0
    name: str | None = None


class Reference(Struct, frozen=True):
    """A name that is read, and the attributes behind it: `a.b.c` is `("a", "b", "c")`.

    `imported` is what the first name stands for where the code itself imports it; `call` is the call that it is the
    function of; `scopes` are those around it.
    """

    chain: tuple[str, ...]
    node: ast.expr
    imported: Imported | None = None
    call: ast.Call | None = None
    scopes: Scopes = ()


class Names(Struct):
    """What a scope binds: each name to an import, or to None for anything else."""

    bound: dict[str, Imported | None] = field(default_factory=dict)
    outer: set[str] = field(default_factory=set)
    """Declared `global` here."""
    values: dict[str, list[ast.expr]] = field(default_factory=dict)
    """What is assigned to a name."""
    items: dict[str, list[ast.expr]] = field(default_factory=dict)
    """What a name goes through in a loop."""
    defaults: dict[str, ast.expr] = field(default_factory=dict)
    """Those of a function's arguments, which are evaluated outside."""
    stores: Counter[str] = field(default_factory=Counter)
    """How often a name is bound, in ways told above or others."""


Scopes = tuple[Names, ...]
"""The scopes around a place, innermost last; those of classes only where they are seen from."""


def references(nodes: Sequence[ast.AST], *, without: frozenset[int] = frozenset()) -> Iterator[Reference | Import]:
    """What statements or expressions at the top of a module read from it, in no order that matters; and every import
    statement in them. Nodes whose `id` is in `without` are left out."""
    # Each item: a node, and the scopes that it sees.
    pending: list[tuple[ast.AST, Scopes, ast.Call | None]] = [(node, (), None) for node in reversed(nodes)]
    while pending:
        node, scopes, call = pending.pop()
        if id(node) in without:
            continue
        if isinstance(node, Import):
            yield node
        elif isinstance(node, ast.Name):
            if isinstance(node.ctx, ast.Load):
                yield from _read(node, (node.id,), scopes, call)
        elif isinstance(node, ast.Attribute) and (chain := chain_of(node)) is not None:
            yield from _read(node, chain, scopes, call)
        elif isinstance(node, ast.Call):
            pending.append((node.func, scopes, node))
            pending += [(part, scopes, None) for part in (*node.args, *node.keywords)]
        elif isinstance(node, _SCOPES):
            pending += [(child, seen, None) for child, seen in _inside(node, scopes)]
        else:
            pending += [(child, scopes, None) for child in ast.iter_child_nodes(node)]


def chain_of(node: ast.expr) -> tuple[str, ...] | None:
    """`a.b.c` as its names; None for attributes of anything but a name."""
    names: list[str] = []
    while isinstance(node, ast.Attribute):
        names.append(node.attr)
        node = node.value
    return (node.id, *reversed(names)) if isinstance(node, ast.Name) else None


def imports_of(statement: Import) -> Iterator[tuple[str, Imported]]:
    """The names that an import statement binds, but for those of `*`."""
    for alias in statement.names:
        if isinstance(statement, ast.ImportFrom):
            if alias.name != "*":
                yield alias.asname or alias.name, Imported(statement.module or "", statement.level, alias.name)
        elif alias.asname:
            yield alias.asname, Imported(alias.name)
        else:
            top = alias.name.partition(".")[0]
            yield top, Imported(top)


def _read(node: ast.expr, chain: tuple[str, ...], scopes: Scopes, call: ast.Call | None) -> Iterator[Reference]:
    for scope in reversed(scopes):
        if chain[0] in scope.outer:
            break
        if chain[0] in scope.bound:
            imported = scope.bound[chain[0]]
            if imported is not None:
                yield Reference(chain, node, imported, call, scopes)
            return
    yield Reference(chain, node, None, call, scopes)


def _inside(node: ast.AST, scopes: Scopes) -> Iterator[tuple[ast.AST, Scopes]]:
    """The parts of a node that opens a scope, with the scopes that each sees."""
    if isinstance(node, ast.ClassDef):
        # What a class binds does not hide the module's names: `path = path` in its body reads the outer one.
        inner = Names({name: found for name, found in names_of(node.body).bound.items() if found is not None})
        yield from ((part, scopes) for part in (*node.decorator_list, *node.bases, *node.keywords))
        for statement in node.body:
            # A class's names are not seen from its methods, but its other statements see them.
            if isinstance(statement, FunctionNode):
                for part, seen in _inside(statement, scopes):
                    yield part, seen
            else:
                yield statement, (*scopes, inner)
    elif isinstance(node, FunctionNode | ast.Lambda):
        outside = _outside(node)
        body = node.body if isinstance(node.body, list) else [node.body]
        inner = names_of(body)
        for argument in _arguments(node.args):
            inner.bound.setdefault(argument.arg, None)
            inner.stores[argument.arg] += 1
        inner.defaults.update(_defaults(node.args))
        yield from ((part, scopes) for part in outside)
        yield from ((part, (*scopes, inner)) for part in body)
    elif isinstance(node, _COMPREHENSIONS):
        inner = names_of(node.generators)
        first = node.generators[0].iter
        yield first, scopes
        for part in ast.iter_child_nodes(node):
            if isinstance(part, ast.comprehension):
                rest = [part.target, *part.ifs, *([part.iter] if part.iter is not first else [])]
                yield from ((item, (*scopes, inner)) for item in rest)
            else:
                yield part, (*scopes, inner)


def _outside(node: FunctionNode | ast.Lambda) -> list[ast.AST]:
    """The parts of a function that are evaluated where it is defined: decorators, defaults, annotations."""
    arguments = node.args
    parts: list[ast.AST | None] = [*arguments.defaults, *arguments.kw_defaults]
    parts += [argument.annotation for argument in _arguments(arguments)]
    if isinstance(node, FunctionNode):
        parts += [*node.decorator_list, node.returns]
    return [part for part in parts if part is not None]


def _defaults(arguments: ast.arguments) -> Iterator[tuple[str, ast.expr]]:
    positional = [*arguments.posonlyargs, *arguments.args]
    for argument, value in zip(reversed(positional), reversed(arguments.defaults), strict=False):
        yield argument.arg, value
    for argument, default in zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True):
        if default is not None:
            yield argument.arg, default


def _arguments(arguments: ast.arguments) -> list[ast.arg]:
    single = [item for item in (arguments.vararg, arguments.kwarg) if item is not None]
    return [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs, *single]


def names_of(body: Sequence[ast.AST]) -> Names:
    """What statements bind in their own scope: not inside the functions, classes and comprehensions among them."""
    names = Names()
    pending: list[ast.AST] = list(body)
    while pending:
        node = pending.pop()
        if isinstance(node, Import):
            for name, imported in imports_of(node):
                names.bound[name] = imported
        elif isinstance(node, ast.Name):
            if isinstance(node.ctx, ast.Store | ast.Del):
                names.bound.setdefault(node.id, None)
                names.stores[node.id] += 1
        elif isinstance(node, ast.Global):
            names.outer.update(node.names)
        elif isinstance(node, FunctionNode | ast.ClassDef):
            names.bound[node.name] = None
            names.stores[node.name] += 1
            pending += node.decorator_list
        elif isinstance(node, ast.ExceptHandler | ast.MatchAs | ast.MatchStar) and node.name:
            names.bound.setdefault(node.name, None)
            names.stores[node.name] += 1
        elif isinstance(node, ast.MatchMapping) and node.rest:
            names.bound.setdefault(node.rest, None)
            names.stores[node.rest] += 1
        else:
            _note_values(names, node)
        if isinstance(node, _COMPREHENSIONS):
            pending += [part for part in ast.walk(node) if isinstance(part, ast.NamedExpr)]
        elif not isinstance(node, _SCOPES):
            pending += ast.iter_child_nodes(node)
    return names


def _note_values(names: Names, node: ast.AST) -> None:
    """What a statement, or a part of one, gives to names."""
    if isinstance(node, ast.Assign):
        for target in node.targets:
            if isinstance(target, ast.Name):
                names.values.setdefault(target.id, []).append(node.value)
    elif isinstance(node, ast.AnnAssign | ast.NamedExpr):
        if isinstance(node.target, ast.Name) and node.value is not None:
            names.values.setdefault(node.target.id, []).append(node.value)
    elif isinstance(node, ast.For | ast.AsyncFor | ast.comprehension) and isinstance(node.target, ast.Name):
        names.items.setdefault(node.target.id, []).append(node.iter)
