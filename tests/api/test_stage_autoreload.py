"""Stages under IPython's `%autoreload`, which puts new code into the functions and classes that are in memory."""

from __future__ import annotations

import os
from collections.abc import Iterator
from types import ModuleType

import pytest

from api.staging import Code, coding
from datatool.errors import UsageError
from world import World

autoreload = pytest.importorskip("IPython.extensions.autoreload")

PIPE = """
import counted, datatool, helper

@datatool.stage
def f():
    counted.ran("f")
    return helper.g()

@datatool.stage
def own():
    return 1
"""


class Reloading:
    """A session in which files are loaded again whenever they change."""

    def __init__(self, code: Code, world: World) -> None:
        self._code = code
        self._world = world
        self._reloader = autoreload.ModuleReloader()
        self._reloader.enabled = True
        self._reloader.check_all = False

    def start(self, helper: str) -> ModuleType:
        self._code.write("helper.py", helper)
        self._code.write("pipe.py", PIPE)
        pipe = self._code.load()
        for name in ("helper", "pipe"):
            self._reloader.mark_module_reloadable(name)
        self._reloader.check(check_all=False)
        return pipe

    def edit(self, name: str, text: str, *, reload: bool = True) -> None:
        path = self._world.root / name
        before = path.stat().st_mtime
        self._code.write(name, text)
        os.utime(path, (before + 10, before + 10))
        if reload:
            self._reloader.check(check_all=False)


@pytest.fixture
def code(desk: World, monkeypatch: pytest.MonkeyPatch) -> Iterator[Code]:
    with coding(desk, monkeypatch) as made:
        yield made


@pytest.fixture
def session(code: Code, desk: World) -> Reloading:
    return Reloading(code, desk)


CLASS = """
class Q:
    a = {a}
    def m(self): return {m}
    @property
    def p(self): return {p}
    @staticmethod
    def s(): return {s}
def g(): return Q.a, Q().m(), Q().p, Q.s()
"""


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("def g(): return 1", "def g(): return 2"),
        ("def g(): return 1", "K = 5\ndef g(): return K"),
        ("K = 5\ndef g(): return K", "K = 6\ndef g(): return K"),
        ("K = [5]\ndef g(): return K", "K = [6]\ndef g(): return K"),
        ("K = len('a')\ndef g(): return K", "K = len('ab')\ndef g(): return K"),
        ("def h(): return 1\ndef g(): return h()", "def h(): return 2\ndef g(): return h()"),
        ("def g(n=1): return n", "def g(n=2): return n"),
        ("from math import floor as h\ndef g(): return h(2.5)", "from math import ceil as h\ndef g(): return h(2.5)"),
        ("def g(): return 1", "class Q:\n    a = 3\n    def m(self): return 4\ndef g(): return Q.a + Q().m()"),
        *(
            (CLASS.format(a=1, m=1, p=1, s=1), CLASS.format(**{"a": 1, "m": 1, "p": 1, "s": 1} | {name: 2}))
            for name in "amps"
        ),
    ],
)
def test_what_was_put_in_its_place_is_what_counts(session: Reloading, code: Code, before: str, after: str) -> None:
    pipe = session.start(before)
    with code.running("f"):
        first = pipe.f()
    session.edit("helper.py", after)
    with code.running("f"):
        assert pipe.f() == pipe.f() != first
    said = pipe.f.why()
    assert said.cached
    session.edit("helper.py", before)
    with code.running():
        assert pipe.f() == first


def test_a_stage_in_a_module_that_is_loaded_again_is_as_its_file_says(session: Reloading) -> None:
    pipe = session.start("def g(): return 1")
    assert pipe.own() == 1
    session.edit("pipe.py", PIPE.replace("return 1", "return 22"))
    assert pipe.own() == pipe.own.uncached() == 22


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("def g(): return 1", "def g(): return 2"),
        ("def g(n=1): return n", "def g(n=2): return n"),
        ("K = [5]\ndef g(): return K", "K = [6]\ndef g(): return K"),
        ("K = [5]\ndef g(): return K", "K = [5]\nK.append(6)\ndef g(): return K"),
        ("K = [5]\ndef e(k): pass\ndef g(): return K", "K = [5]\ndef e(k): pass\ne(K)\ndef g(): return K"),
        ("K = len('a')\ndef g(): return K", "K = len('ab')\ndef g(): return K"),
        ("def d(f): return f\ndef g(): return 1", "def d(f): return f\n@d\ndef g(): return 1"),
        ("def g(): return 1", "def g() -> int: return 1"),
        ("from math import floor as h\ndef g(): return h(2.5)", "from math import ceil as h\ndef g(): return h(2.5)"),
        (CLASS.format(a=1, m=1, p=1, s=1), CLASS.format(a=2, m=1, p=1, s=1)),
        (CLASS.format(a=1, m=1, p=1, s=1), CLASS.format(a=1, m=2, p=1, s=1)),
        ("class Q: a = 1\ndef g(): return Q.a", "class Q: pass\ndef g(): return Q.a"),
    ],
)
def test_an_edit_that_nobody_loaded_is_refused_as_ever(session: Reloading, code: Code, before: str, after: str) -> None:
    pipe = session.start(before)
    session.edit("helper.py", after, reload=False)
    with code.running(), pytest.raises(UsageError, match=r"helper\.py: was edited after it was loaded"):
        pipe.f()
