"""What the top of a module does to a class besides its body counts, or is told."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator

import pytest

from api.staging import Code, coding, stage_below
from world import World

REGISTRY = """
class B:
    subs = []
    def __init_subclass__(cls):
        B.subs.append(cls)
class One(B):
    def g(self): return 1
"""
SUBCLASSES = """
class B: pass
class One(B):
    def g(self): return 1
"""
VIRTUAL = """
import abc
class A(abc.ABC): pass
class C: pass
A.register(C)
"""


@pytest.fixture
def code(desk: World, monkeypatch: pytest.MonkeyPatch) -> Iterator[Code]:
    with coding(desk, monkeypatch) as made:
        yield made


@pytest.mark.parametrize(
    ("top", "old", "new", "result"),
    [
        ("class C: pass\nsetattr(C, 'x', 1)", "'x', 1", "'x', 22", "C.x"),
        ("class C: pass\nC.x = 1", "= 1", "= 22", "C.x"),
        ("class C: pass\nfor k in 'x': setattr(C, k, 1)", "k, 1", "k, 22", "C.x"),
        ("class C: x = 1\ndef own(self): return 5\nsetattr(C, 'm', own)", "return 5", "return 6", "C().m()"),
        ("class C: x = 1\ndelattr(C, 'x')", "delattr(C, 'x')", "", "hasattr(C, 'x')"),
        ("import types\nC = types.SimpleNamespace()\nsetattr(C, 'x', 1)", "'x', 1", "'x', 22", "C.x"),
        (VIRTUAL, "A.register(C)", "", "isinstance(C(), A)"),
        (VIRTUAL.replace("A.register(C)", "@A.register\nclass D: pass"), "@A.register", "", "isinstance(D(), A)"),
        (REGISTRY, "return 1", "return 2", "[C().g() for C in B.subs]"),
        (REGISTRY, "class One(B)", "class One", "len(B.subs)"),
        (SUBCLASSES, "return 1", "return 2", "[C().g() for C in B.__subclasses__()]"),
        (SUBCLASSES, "class One(B)", "class One", "len(B.__subclasses__())"),
    ],
)
def test_what_the_top_of_a_module_does_to_a_class_counts(code: Code, top: str, old: str, new: str, result: str) -> None:
    code.write("pipe.py", stage_below(top, result))
    with code.running("f"):
        before = code.load().f()
    pipe = code.edited("pipe.py", old, new)
    with code.running("f"):
        assert pipe.f() != before
    with code.running():
        assert code.load().f() != before


def test_a_class_below_another_counts_only_where_that_is_asked_for_it(code: Code) -> None:
    code.write("pipe.py", stage_below(SUBCLASSES, "B.__name__"))
    with code.running("f"):
        code.load().f()
    with code.running():
        code.edited("pipe.py", "return 1", "return 2").f()


@pytest.mark.parametrize(
    "base",
    [
        "class B:\n    def __init_subclass__(cls): pass",
        "class M(type):\n    def __new__(m, *args): return type.__new__(m, *args)\nclass B(metaclass=M): pass",
    ],
)
def test_a_class_that_registers_from_another_module_counts_once_it_is_there(code: Code, base: str) -> None:
    code.write("base.py", base)
    code.write("more.py", "from base import B\nclass One(B):\n    def g(self): return 1")
    code.write("pipe.py", stage_below("from base import B", "[C().g() for C in type.__subclasses__(B)]"))
    pipe = code.load()
    with code.running("f", "f"):
        assert pipe.f() == []
        importlib.import_module("more")
        assert pipe.f() == [1]
    code.edited("more.py", "return 1", "return 2")
    importlib.import_module("more")
    pipe = sys.modules["pipe"]
    with code.running("f"):
        assert pipe.f() == [2]


def test_a_class_that_was_defined_anew_does_not_count_as_it_was(code: Code) -> None:
    code.write("pipe.py", stage_below(SUBCLASSES, "len(B.__subclasses__())"))
    pipe = code.load()
    pipe.old = pipe.One
    exec("class One(B):\n    def g(self): return 1", vars(pipe))
    with code.running("f"):
        pipe.f()
    assert pipe.f.why().cached
