"""Code that is edited while the program runs: what counts is what was loaded, or nothing is kept."""

from __future__ import annotations

import importlib
import os
import sys
import time
from pathlib import Path

import pytest

from api.staging import Code, kept
from datatool.errors import UsageError
from datatool.stages import loaded
from world import World

EDITED = r"was edited after it was loaded"


def pipe(top: str, result: str) -> str:
    return f"import datatool\n{top}\n@datatool.stage\ndef f(): return {result}\n"


REACHED = {
    "list": ("K = [10]", "K[0]", "10", "20"),
    "class attribute": ("class C:\n    k = {'a': 1}", "C.k['a']", "1", "2"),
    "method": ("class C:\n    def m(self): return 1", "C().m()", "return 1", "return 2"),
    "base class": ("class B: k = 1\nclass C(B): pass", "C.k", "k = 1", "k = 2"),
    "instance": ("class C:\n    def __init__(s, k): s.k = k\nI = C(1)", "I.k", "C(1)", "C(2)"),
    "default": ("def h(a=1): return a", "h()", "a=1", "a=2"),
    "keyword default": ("def h(*, a=1): return a", "h()", "a=1", "a=2"),
    "lambda": ("h = lambda: 1", "h()", "lambda: 1", "lambda: 2"),
    "factory": ("def make(n):\n    return lambda: n\nh = make(1)", "h()", "make(1)", "make(2)"),
    "decorator": ("def d(g):\n    return lambda: g() + 1\n@d\ndef h(): return 1", "h()", "@d\n", ""),
    "partial": ("import functools\ndef q(x): return x\nh = functools.partial(q, 1)", "h()", "(q, 1)", "(q, 2)"),
    "enum": ("import enum\nclass E(enum.Enum): A = 1", "E.A.value", "A = 1", "A = 2"),
    "dataclass": ("import dataclasses\n@dataclasses.dataclass\nclass E: a: int = 1", "E().a", "int = 1", "int = 2"),
    "comprehension": ("K = [x for x in (1, 2)]", "sum(K)", "(1, 2)", "(1, 3)"),
    "alias": ("def a(): return 1\ndef b(): return 2\nh = a", "h()", "h = a", "h = b"),
    "import": ("from math import floor as h", "h(1.5)", "floor", "ceil"),
    "star": ("from math import *", "floor(1.5)", "math", "numpy"),
    "array": ("import numpy\nW = numpy.array([1])", "int(W[0])", "[1]", "[2]"),
    "dict filled later": ("K = {}\nK['a'] = 1", "K['a']", "= 1", "= 2"),
    "order": ("K = []\nK.append(1)\nK.append(2)", "K[0]", "K.append(1)\nK.append(2)", "K.append(2)\nK.append(1)"),
    "class changed later": ("class C: pass\nC.k = 1", "C.k", "k = 1", "k = 2"),
    "new name": ("N = 0", "abs(-1)", "N = 0", "abs = int"),
}


@pytest.mark.parametrize(("top", "result", "old", "new"), REACHED.values(), ids=REACHED)
def test_an_edit_of_what_a_stage_reaches_is_refused(
    code: Code, desk: World, top: str, result: str, old: str, new: str
) -> None:
    text = pipe(top, result)
    code.write("pipe.py", text)
    module = code.load()
    assert text.count(old) == 1
    code.write("pipe.py", text.replace(old, new))
    with pytest.raises(UsageError, match=rf"pipe\.py: {EDITED}"):
        module.f()
    assert not kept(desk)
    again = code.load()
    assert again.f() == again.f.uncached()


def test_where_python_runs_an_older_copy_of_a_file_the_hint_helps(
    code: Code, desk: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "dont_write_bytecode", False)
    path = desk.root / "pipe.py"
    for result in ("1", "2"):  # of one size, in one second
        code.write("pipe.py", pipe("", result))
        os.utime(path, (1_900_000_000, 1_900_000_000))
        module = code.load()
    with pytest.raises(UsageError, match=EDITED) as raised:
        module.f()
    assert "save the file again, as Python may run its older copy in __pycache__" in (raised.value.hint or "")
    os.utime(path, (1_900_000_001, 1_900_000_001))
    assert code.load().f() == 2


UNREACHED = {
    "function": ("def o(): return 1", "return 1", "return 2"),
    "constant": ("O = 1", "O = 1", "O = 2"),
    "comment": ("# one", "# one", "# two\n\n"),
    "import": ("import os", "import os", "import json"),
    "program": ("if __name__ == '__main__':\n    print(1)", "print(1)", "print(f())"),
    "nothing": ("O = 1", "O = 1", "O = 1"),
}


@pytest.mark.parametrize(("top", "old", "new"), UNREACHED.values(), ids=UNREACHED)
def test_an_edit_of_anything_else_matters_to_nobody(code: Code, top: str, old: str, new: str) -> None:
    text = pipe(f"K = 5\n{top}", "K")
    code.write("pipe.py", text)
    module = code.load()
    code.write("pipe.py", text.replace(old, new))
    assert module.f() == 5


def test_what_passes_names_on_is_refused_after_an_edit_too(code: Code) -> None:
    code.write("lib/__init__.py", "from lib.a import value\n")
    for name, value in (("a", 1), ("b", 2)):
        code.write(f"lib/{name}.py", f"def value(): return {value}\n")
    code.write("pipe.py", pipe("import lib", "lib.value()"))
    module = code.load()
    code.write("lib/__init__.py", "from lib.b import value\n")
    with pytest.raises(UsageError, match=rf"lib/__init__\.py: {EDITED}"):
        module.f()


def test_an_edit_while_an_earlier_stage_runs_is_refused(code: Code, desk: World) -> None:
    code.write("settings.py", "RATES = [1]\n")
    code.write(
        "pipe.py",
        """
        import datatool, pathlib, settings
        @datatool.stage
        def slow():
            pathlib.Path("settings.py").write_text("RATES = [2]")
            return 1
        @datatool.stage(x=slow)
        def last(x): return settings.RATES[0]
        """,
    )
    module = code.load()
    with pytest.raises(UsageError, match=rf"settings\.py: {EDITED}"):
        module.last()
    assert [record.name for record in kept(desk)] == ["pipe:slow"]
    assert code.load().last() == 2


def test_a_module_that_is_loaded_again_counts_as_it_is_then(code: Code) -> None:
    code.write("settings.py", "K = [1]\n")
    code.write("pipe.py", pipe("import settings", "settings.K[0]"))
    module = code.load()
    code.write("settings.py", "K = [2, 2]\n")
    importlib.reload(sys.modules["settings"])
    assert module.f() == 2


def test_a_module_that_the_program_wrote_itself_counts(code: Code) -> None:
    code.write("pipe.py", pipe("import late", "late.K[0]"))
    code.write("late.py", "K = [1]\n")
    assert code.load().f() == 1


def test_an_edit_before_anybody_looked_is_known_by_pythons_own_cache(
    code: Code, desk: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "dont_write_bytecode", False)
    code.write("late.py", "K = [1]\n")
    code.write("pipe.py", pipe("def get():\n    import late\n    return late.K", "get()[0]"))
    module = code.load()
    module.get()
    code.write("late.py", "K = [2, 2]\n")
    with pytest.raises(UsageError, match=rf"late\.py: {EDITED}"):
        module.f()


LAZY = """
    import datatool, pathlib, counted
    @datatool.stage
    def f(edit=""):
        counted.ran("f")
        if edit:
            pathlib.Path("late.py").write_text(edit)
        import late
        return late.K[0]
    """


def test_what_is_loaded_only_while_a_stage_runs_counts_as_it_is_then(code: Code, desk: World) -> None:
    code.write("late.py", "K = [1]\n")
    code.write("pipe.py", LAZY)
    module = code.load()
    with code.running("f", "f"):
        assert module.f("K = [2, 2]") == 2
    with code.running():
        assert module.f("K = [2, 2]") == 2
    assert len(kept(desk)) == 1


def test_what_was_edited_before_it_is_loaded_is_looked_at_again(code: Code) -> None:
    code.write("late.py", "K = [1]\n")
    code.write("pipe.py", pipe("G = 1", "__import__('late').K[0] if G else 0"))
    module = code.load()
    assert module.f() == 1
    again = code.load()
    assert again.f() == 1  # known, so that late is not loaded
    code.write("late.py", "K = [2, 2]\n")
    assert again.f() == 2


def test_an_edit_that_keeps_the_time_of_the_file_is_seen(code: Code, desk: World) -> None:
    code.write("pipe.py", pipe("K = [1]", "K[0]"))
    file: Path = desk.root / "pipe.py"
    os.utime(file, (1, 1))
    module = code.load()
    code.write("pipe.py", pipe("K = [22]", "K[0]"))
    os.utime(file, (1, 1))
    with pytest.raises(UsageError, match=EDITED):
        module.f()


def test_noting_what_was_loaded_costs_next_to_nothing_where_nothing_new_was() -> None:
    loaded.note_modules()
    started = time.process_time()
    for _ in range(1000):
        loaded.note_modules()
    assert time.process_time() - started < 0.3
