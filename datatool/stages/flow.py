"""What of a loop, an `if` or another statement with statements inside may change what one of its names means: the rest
need not count for that name."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator, Sequence

from datatool.stages.syntax import FunctionNode

_PURE = frozenset(
    {"abs", "bool", "float", "hash", "id", "int", "isinstance", "len", "print", "range", "repr", "str", "type"}
)
"""Functions of Python that leave what they are given as it is, and give nothing of it back."""
_WHOLE = (ast.Try, ast.TryStar, ast.With, ast.AsyncWith)
"""What happens in one part of these decides what happens in the others."""
_LOOPS = (ast.For, ast.AsyncFor, ast.While)
_JUMPS = (ast.Break, ast.Continue)


def unrelated(statement: ast.stmt, name: str, is_fixed: Callable[[str], bool]) -> frozenset[int]:
    """The `id` of statements inside one that can't change what a name means: neither it, nor what flows into it.
    `is_fixed` says of a name that it stands for a module, a function or a class. Rather too few than too many."""
    if not _blocks(statement):
        return frozenset()
    flow = _Flow({name}, is_fixed)
    while flow.grows(statement):
        pass
    return frozenset(map(id, flow.rest(statement))) if id(statement) in flow.kept else frozenset()


class _Flow:
    """Which statements count for some names, and which names these bring along."""

    def __init__(self, names: set[str], is_fixed: Callable[[str], bool]) -> None:
        self._names = names
        self._walked: set[str] = set()
        """Names of what loops go through: how often they do depends on it, and not on what is inside."""
        self._is_fixed = is_fixed
        self.kept: set[int] = set()

    def grows(self, statement: ast.stmt) -> bool:
        """Go through a statement once more; whether anything came to it."""
        before = self._size()
        self._visit(statement)
        return before != self._size()

    def _size(self) -> tuple[int, ...]:
        return len(self._names), len(self._walked), len(self.kept)

    def rest(self, statement: ast.stmt) -> Iterator[ast.stmt]:
        """The outermost statements inside one that don't count."""
        for inner in () if isinstance(statement, _WHOLE) else _blocks(statement):
            if id(inner) not in self.kept:
                yield inner
            else:
                yield from self.rest(inner)

    def _visit(self, statement: ast.stmt) -> bool:
        inner = _blocks(statement)
        counts = sum(map(self._visit, inner)) > 0
        own: Sequence[ast.AST] = _header(statement) if inner and not isinstance(statement, _WHOLE) else [statement]
        self._names |= {target for part in own for target in self._takes(part)}
        if isinstance(statement, ast.For | ast.AsyncFor) and self._names & {
            found.id for found in _names(statement.iter)
        }:
            self._names |= {found.id for found in _names(statement.target)}
        counts = counts or any(self._touches(part) for part in own)
        if not counts:
            return False
        self.kept.add(id(statement))
        self._read(statement, own)
        if isinstance(statement, _LOOPS):
            self._keep_jumps(statement)
        return True

    def _read(self, statement: ast.stmt, own: Sequence[ast.AST]) -> None:
        """What counts in a statement brings along the names that it reads."""
        through = statement.iter if isinstance(statement, ast.For | ast.AsyncFor) else None
        for part in own:
            names = {found.id for found in _names(part) if isinstance(found.ctx, ast.Load)}
            names = {name for name in names if not self._is_fixed(name)}
            if part is through and isinstance(part, ast.Name):
                self._walked |= names
            else:
                self._names |= names

    def _keep_jumps(self, loop: ast.stmt) -> None:
        for inner in _blocks(loop):
            if isinstance(inner, _JUMPS) or any(isinstance(part, _JUMPS) for part in _all_inside(inner)):
                self.kept.add(id(inner))
                self._read(inner, _header(inner))
                self._keep_jumps(inner)

    def _takes(self, node: ast.AST) -> Iterator[str]:
        """Names that get something of what the names stand for, so that a change of it is one of them."""
        for part in ast.walk(node):
            value = getattr(part, "value", None)
            if isinstance(value, ast.AST) and self._hands_on(value):
                for target in (*getattr(part, "targets", ()), getattr(part, "target", None)):
                    yield from (found.id for found in _names(target))

    def _touches(self, node: ast.AST) -> bool:
        """Whether some code binds one of the names, or may change what it stands for."""
        return any(self._binds(part) or self._changes(part) for part in ast.walk(node))

    def _binds(self, part: ast.AST) -> bool:
        if isinstance(part, ast.Name):
            bound = isinstance(part.ctx, ast.Store | ast.Del)
            return bound and (part.id in self._names or part.id in self._walked)
        if isinstance(part, ast.alias):
            return (part.asname or part.name.partition(".")[0]) in self._names or part.name == "*"
        if isinstance(part, FunctionNode | ast.ClassDef | ast.MatchAs | ast.MatchStar | ast.ExceptHandler):
            return part.name in self._names
        return isinstance(part, ast.MatchMapping) and part.rest in self._names

    def _changes(self, part: ast.AST) -> bool:
        if isinstance(part, ast.Attribute | ast.Subscript) and isinstance(part.ctx, ast.Store | ast.Del):
            return self._hands_on(part.value)
        if not isinstance(part, ast.Call):
            return False
        if isinstance(part.func, ast.Name) and part.func.id in _PURE:
            return False
        called = part.func.value if isinstance(part.func, ast.Attribute) else part.func
        return any(self._hands_on(item) for item in (called, *part.args, *(given.value for given in part.keywords)))

    def _hands_on(self, node: ast.AST) -> bool:
        """Whether the value of an expression may be, or hold, what one of the names stands for."""
        pending: list[ast.AST] = [node]
        while pending:
            part = pending.pop()
            if isinstance(part, ast.Name) and (part.id in self._names or part.id in self._walked):
                return True
            if not (isinstance(part, ast.Call) and isinstance(part.func, ast.Name) and part.func.id in _PURE):
                pending += ast.iter_child_nodes(part)
        return False


def _blocks(statement: ast.AST) -> list[ast.stmt]:
    """The statements directly inside one that run in the same scope."""
    found: list[ast.stmt] = []
    if isinstance(statement, FunctionNode | ast.ClassDef):
        return found
    for part in ast.iter_child_nodes(statement):
        if isinstance(part, ast.stmt):
            found.append(part)
        elif isinstance(part, ast.ExceptHandler | ast.match_case):
            found += _blocks(part)
    return found


def _header(statement: ast.stmt) -> list[ast.AST]:
    """What stands in a statement besides those inside it."""
    found: list[ast.AST] = []
    for part in ast.iter_child_nodes(statement):
        if isinstance(part, ast.ExceptHandler | ast.match_case):
            found += [inner for inner in ast.iter_child_nodes(part) if not isinstance(inner, ast.stmt)]
        elif not isinstance(part, ast.stmt):
            found.append(part)
    return found


def _all_inside(statement: ast.stmt) -> Iterator[ast.stmt]:
    for inner in _blocks(statement):
        yield inner
        yield from _all_inside(inner)


def _names(node: ast.AST | None) -> Iterator[ast.Name]:
    return (part for part in (ast.walk(node) if node is not None else ()) if isinstance(part, ast.Name))
