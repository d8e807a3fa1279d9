"""What determines the result of a function that was typed into a notebook, whose cells run in any order."""

from __future__ import annotations

from pathlib import Path

import pytest
from code_files import typed
from loading import changed, digests

from datatool.errors import UsageError
from datatool.stages.live import ingredients_of


def test_a_function_of_a_notebook_counts_by_its_cells(tmp_path: Path) -> None:
    cells = ("N = 2\nWORDS = ['a']", "def helper(x): return x * N", "def f(x): return helper(x), WORDS")
    before = ingredients_of(typed(*cells)["f"], tmp_path)
    assert {name: kind for name, (kind, _) in digests(before).items()} == {
        "notebook:f": "function",
        "notebook:helper": "function",
        "notebook:N": "value",
        "notebook:WORDS": "constant",
    }
    more = (*cells, "print", "def helper(x):\n    # again\n    return x * N", "other = 3")
    assert changed(before, ingredients_of(typed(*more)["f"], tmp_path)) == set()
    edited = (*cells, "def helper(x): return x + N")
    assert changed(before, ingredients_of(typed(*edited)["f"], tmp_path)) == {"notebook:helper"}


def test_a_later_cell_counts_also_for_a_name_that_was_first_defined_beside_the_function(tmp_path: Path) -> None:
    first = "def h(): return 1\ndef f(): return h()"
    before = ingredients_of(typed(first)["f"], tmp_path)
    again = ingredients_of(typed(first, "def h(): return 2")["f"], tmp_path)
    assert changed(before, again) == {"notebook:h"}


STALE = {
    "object": ("class C:\n    k = 1", "c = C()", "def f(): return c.k", "class C:\n    k = 2"),
    "objects in a list": ("class C:\n    k = 1", "c = [C()]", "def f(): return c[0].k", "class C:\n    k = 2"),
    "base class": ("class B:\n    k = 1", "class C(B): pass", "def f(): return C.k", "class B:\n    k = 2"),
    "factory": (
        "def mk(n):\n    return lambda: n",
        "h = mk(1)",
        "def f(): return h()",
        "def mk(n):\n    return lambda: -n",
    ),
    "decorator": (
        "def d(g):\n    return lambda: 1",
        "@d\ndef h(): pass",
        "def f(): return h()",
        "def d(g):\n    return g",
    ),
    "computed": ("def load(): return [1]", "data = load()", "def f(): return data", "def load(): return [2]"),
    "constant": ("N = 1", "K = [N]", "def f(): return K", "N = 2"),
    "default": ("N = 1", "def h(a=N): return a", "def f(): return h()", "N = 2"),
    "constructor": (
        "def g(): return 1\nclass C:\n    def __init__(self): self.k = self.make()\n    def make(self): return g()",
        "c = C()",
        "def f(): return c.k",
        "def g(): return 2",
    ),
    "inner function": (
        "def g(): return 1\ndef mk():\n    def inner(): return g()\n    return inner()",
        "h = [mk()]",
        "def f(): return h",
        "def g(): return 2",
    ),
    "failed cell": ("def h(): return 1", "0", "def f(): return h()", "1 / 0\ndef h(): return 2"),
}


@pytest.mark.parametrize("cells", STALE.values(), ids=STALE)
def test_what_was_made_before_a_later_cell_defined_anew_what_it_is_made_of_is_refused(
    tmp_path: Path, cells: tuple[str, ...]
) -> None:
    ingredients_of(typed(*cells[:3])["f"], tmp_path)
    with pytest.raises(UsageError, match="is in memory as it was before"):
        ingredients_of(typed(*cells)["f"], tmp_path)
    ingredients_of(typed(*cells, cells[3].removeprefix("1 / 0\n"), cells[1])["f"], tmp_path)


@pytest.mark.parametrize(
    "cells",
    [
        ("class C:\n    k = 1", "c = C()", "def f(): return c.k", "class C:\n    # the same\n    k = 1"),
        ("class C:\n    def m(self): return g()\ndef g(): return 1", "c = C()", "def f(): c.m()", "def g(): return 2"),
        ("def g(): return 1", "def h(): return g()", "def f(): return h()", "def g(): return 2"),
        ("def g(): return 1", "h = lambda: g()", "def f(): return h()", "def g(): return 2"),
        ("def d(g): return lambda: k\nk = 1", "@d\ndef h(): pass", "def f(): return h()", "k = 2"),
        ("N = 1", "M = N + 1", "def f(): return M", "N = 2"),
    ],
)
def test_what_means_the_same_as_its_cells_say_counts_by_them(tmp_path: Path, cells: tuple[str, ...]) -> None:
    assert ingredients_of(typed(*cells)["f"], tmp_path).items


def test_an_old_function_that_is_still_called_counts_as_it_was(tmp_path: Path) -> None:
    first = "def f(): return g()\ndef g(): return 1"
    before = ingredients_of(typed(first)["f"], tmp_path)
    later = typed(first, "old = f", "def f(): return 2")
    assert changed(before, ingredients_of(later["old"], tmp_path)) == set()
    assert changed(before, ingredients_of(later["f"], tmp_path)) == {"notebook:f", "notebook:g"}
