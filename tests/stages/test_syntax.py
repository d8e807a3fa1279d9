"""The hash of code: what it says, and nothing of how it looks."""

from __future__ import annotations

import ast

import pytest

from datatool.stages.syntax import digest_of

ALL_KINDS = '''
"""A module's docstring."""
import os, sys as system
from . import sibling
from ..pkg.mod import *

LIMITS = {"low": -1.5e-7, "high": 1e400, **{}}
BIG = 0xffffffffffffffffffffffffffffffff
MASK = b"\\x00\\xff" + rb"\\d"
NOTHING = None, True, ..., 2j, u"text", "two " "parts"

@register(name="x")
class Shape(Base, metaclass=Meta):
    """A class."""
    count: int = 0
    (other): "str"

    def area(self, a, /, b=1, *rest, c, d=None, **more) -> float:
        """A method."""
        return f"{self.count!r:>{b}}" f" and {a=} {c:}" "tail"

async def load(paths):
    global LIMITS
    async with open(paths) as one, other:
        async for item in one:
            yield await item
    try:
        del paths[1:2, ::3]
    except (OSError, ValueError) as error:
        raise RuntimeError from error
    except Exception:
        pass
    else:
        assert paths, "none"
    finally:
        nonlocal_ = lambda x, *, y=2: (x if y else -x)

def choose(command):
    match command:
        case {"a": 1, **rest} | [1, *rest]:
            return [x for x in rest if x > 0 if x < 9]
        case Point(x=0, y=None) as point:
            while (n := len(point)) >= 3: n -= 1
        case _:
            return {k: v for k, v in command} or {*command} and not (yield)
'''


def digest(text: str) -> str:
    return digest_of(ast.parse(text))


def test_comments_blank_lines_and_brackets_do_not_matter() -> None:
    assert digest("def f(x):\n    return x+1") == digest("def f( x ):\n\n    # next\n    return (x + 1)\n")


def test_quotes_and_the_way_a_number_is_written_do_not_matter() -> None:
    assert digest("a = 'x' 'y', 255, 1e3") == digest('a = u"""xy""", 0xFF, 1000.0')


@pytest.mark.parametrize("head", ["def f():", "async def f():", "class F:", "if x:\n  def f():"])
def test_docstrings_do_not_matter(head: str) -> None:
    indent = "\n    "
    assert digest(f'{head}{indent}"""Says it."""{indent}return_ = 1') == digest(f"{head}{indent}return_ = 1")
    assert digest(f'{head}{indent}"""Says it."""') == digest(f"{head}{indent}pass")


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("x = 1", "x = 2"),
        ("x = 1", "x = True"),
        ("x = 1", "x = 1.0"),
        ("x = 'a'", "x = b'a'"),
        ("x = None", "x = ..."),
        ("x = 0.0", "x = -0.0"),
        ("f(a, b)", "f(a=b)"),
        ("def f(x=1): return x", "def f(x=2): return x"),
        ("def f(x: int): return x", "def f(x: str): return x"),
        ("@a\ndef f(): return 1", "@b\ndef f(): return 1"),
        ("def f(): return 1", "async def f(): return 1"),
        ("def f():\n  x = 1\n  'not a docstring'", "def f():\n  x = 1\n  'another'"),
        ("f'{x}'", "f'{x!r}'"),
        ("f'{x:>3}'", "f'{x:>4}'"),
        ("x = [1, [2]]", "x = [[1], 2]"),
        ("x = '(Name'", "x = '(Name)'"),
        ("x = b' id='", "x = ' id='"),
        ("a < b < c", "a < (b < c)"),
        ("if a:\n  b()\nelse:\n  c()", "if a:\n  b()\nc()"),
        ("def f(*, a=None, b): ...", "def f(*, a, b=None): ..."),
        ("match x:\n  case None: y()", "match x:\n  case True: y()"),
        ("import a", "import a as b"),
        ("from . import a", "from .. import a"),
        ("lambda: x", "(lambda: x)()"),
    ],
)
def test_what_the_code_says_matters(one: str, other: str) -> None:
    assert digest(one) != digest(other)


def test_an_f_string_is_the_same_however_it_is_cut() -> None:
    assert digest("f'a{x}' 'b' f'c'") == digest("f'a{x}bc'")
    assert digest("f'{x:}'") == digest("f'{x}'")


def test_numbers_and_nesting_without_limits_are_hashed() -> None:
    assert digest("x = 0x" + "f" * 100_000) != digest("x = 0x" + "f" * 99_999)
    deep = ast.Name("a", ast.Load())
    tree: ast.expr = deep
    for _ in range(20_000):
        tree = ast.UnaryOp(ast.Not(), tree)
    assert len(digest_of(tree)) == 64


def test_nodes_left_out_do_not_matter() -> None:
    first, second = ast.parse("x = 1\ndef f(): return 1"), ast.parse("x = 1\ndef f(): return 2")
    hashes = {digest_of(tree, without={id(tree.body[1])}) for tree in (first, second)}
    assert len(hashes) == 1 and digest_of(first) != digest_of(second)


GOLDEN = "4da63731475d8a7db2cf5033228def0c7f9475e801bf826a330f4318e9a4416e"


def test_the_hash_is_the_same_in_every_version_of_python() -> None:
    assert digest(ALL_KINDS) == GOLDEN
