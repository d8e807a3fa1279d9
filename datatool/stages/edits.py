"""Which names at the top of a module may mean something else after an edit."""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Iterable

from datatool.stages.modules import Definer, is_main_guard
from datatool.stages.scopes import Import, Reference, imports_of, names_of, references
from datatool.stages.syntax import digest_of, without_docstring

STAR = "*"
"""Stands for any name: what `import *` brings can't be told."""


def touched_names(old: ast.Module, new: ast.Module) -> set[str]:
    """The names that statements bind or may change which are only in one of two texts, or in another order.

    >>> sorted(touched_names(ast.parse("a = 1; b = 2"), ast.parse("a = 1  # one\\nb = 3")))
    ['b']
    """
    return {name for statement in _changed(old, new) for name in _touched(statement)}


def given_names(old: ast.Module, new: ast.Module) -> set[str]:
    """Those that such statements do not bind but are given, as in `fill(NAMES)`; definitions do nothing to theirs."""
    return {
        name
        for statement in _changed(old, new)
        if not isinstance(statement, Definer | Import)
        for name in _touched(statement) - set(names_of([statement]).bound)
    }


def _changed(old: ast.Module, new: ast.Module) -> list[ast.stmt]:
    before, after = _statements(old), _statements(new)
    common = Counter(digest for digest, _ in before) & Counter(digest for digest, _ in after)
    is_in_order = _only(before, common) == _only(after, common)
    return [
        statement
        for digest, statement in (*before, *after)
        if digest not in common or not is_in_order or _count(before, digest) != _count(after, digest)
    ]


def words_of(found: Iterable[Reference | Import]) -> set[str]:
    """All names that some references go by, also those of attributes."""
    words: set[str] = set()
    for item in found:
        if isinstance(item, Reference):
            words.update(item.chain)
            if item.imported is not None and item.imported.name is not None:
                words.add(item.imported.name)
    return words


def _statements(tree: ast.Module) -> list[tuple[str, ast.stmt]]:
    """Those that count when a module is loaded, each with its hash."""
    return [
        (digest_of(statement), statement)
        for statement in without_docstring(tree)
        if not isinstance(statement, ast.Pass) and not is_main_guard(statement)
    ]


def _only(statements: list[tuple[str, ast.stmt]], digests: Counter[str]) -> list[str]:
    return [digest for digest, _ in statements if digest in digests]


def _count(statements: list[tuple[str, ast.stmt]], wanted: str) -> int:
    return sum(digest == wanted for digest, _ in statements)


def _touched(statement: ast.stmt) -> set[str]:
    """What a statement binds, and whatever it is given, as it may change that."""
    if isinstance(statement, Import):
        names = {name for name, _ in imports_of(statement)}
        return names | ({STAR} if any(alias.name == STAR for alias in statement.names) else set())
    used = statement.decorator_list if isinstance(statement, Definer) else [statement]
    return set(names_of([statement]).bound) | words_of(references(used))
