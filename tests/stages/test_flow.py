"""What of a statement with statements inside may change what a name means."""

from __future__ import annotations

import ast
from textwrap import dedent

import pytest

from datatool.stages.flow import unrelated

FIXED = {"get", "np", "print", "len", "log", "fill", "range"}


def kept(text: str, name: str = "K") -> str:
    """What counts of a statement for a name, as text."""
    (statement,) = ast.parse(dedent(text)).body
    gone = unrelated(statement, name, FIXED.__contains__)

    class Without(ast.NodeTransformer):
        def visit(self, node: ast.AST) -> ast.AST | None:
            return None if id(node) in gone else self.generic_visit(node)

    return ast.unparse(Without().visit(statement))


@pytest.mark.parametrize(
    ("text", "rest"),
    [
        ("for n in V: K.clear(); a = get(n); b = len(K)", "for n in V: K.clear()"),
        ("for n in V: K.append(n); a = get(n)", "for n in V: K.append(n); a = get(n)"),
        (
            "for n in V:\n    K.append(1)\n    if n > 2: break\n    print(n)",
            "for n in V:\n    K.append(1)\n    if n > 2: break",
        ),
        ("for n in V: x = K[0]; x.append(n); y = 1", "for n in V: x = K[0]; x.append(n)"),
        ("for n in V: K.append(1); V.pop(); W = 1", "for n in V: K.append(1); V.pop()"),
        ("for n in V: K.append(1); W = V; W.pop(); Y = 1", "for n in V: K.append(1); W = V; W.pop()"),
        ("for n in K: n.append(1); m = 1", "for n in K: n.append(1)"),
        ("if T: K = 1; L = 2\nelse: M = 3", "if T: K = 1"),
        ("if T:\n    K = 1\n    if K: L = 2\nelse:\n    if U: K = M\n    N = 4", "if T: K = 1\nelse:\n    if U: K = M"),
        ("while N: N -= 1; K.append(2); M = 5", "while N: N -= 1; K.append(2)"),
        ("for n in V: fill(K); m = fill(n)", "for n in V: fill(K)"),
        ("for n in V: setattr(K, 'a', 1); m = 1", "for n in V: setattr(K, 'a', 1)"),
        ("for n in V: L = [K]; fill(L); m = 1", "for n in V: L = [K]; fill(L)"),
        ("for n in V: K = m; m = p; p = get(n); q = 1", "for n in V: K = m; m = p; p = get(n)"),
        ("for n in V:\n    import K\n    import os", "for n in V: import K"),
        (
            "try: import fast; K = 1; L = 2\nexcept ImportError: K = 0",
            "try: import fast; K = 1; L = 2\nexcept ImportError: K = 0",
        ),
        ("if T:\n    with get(): K = 1; L = 2\n    M = 3", "if T:\n    with get(): K = 1; L = 2"),
        (
            "match T:\n    case 1: K = 1; L = 1\n    case [K, *_]: L = 2",
            "match T:\n    case 1: K = 1\n    case [K, *_]: pass",
        ),
        ("for K in V: a = 1", "for K in V: pass"),
        ("if (K := get()): a = 1", "if (K := get()): pass"),
        ("if T:\n    if (K := get()): a = 1\n    b = 1", "if T:\n    if (K := get()): pass"),
    ],
)
def test_only_what_flows_into_a_name_is_kept(text: str, rest: str) -> None:
    found = kept(text)
    wanted = ast.unparse(ast.parse(rest)).replace("pass", "").split()
    assert found.split() == wanted


def test_a_plain_statement_is_kept_whole() -> None:
    assert kept("K = 1") == "K = 1" and kept("K.append(2)") == "K.append(2)"
