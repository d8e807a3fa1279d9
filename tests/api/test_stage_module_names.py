"""Names of a module that a function makes: `__getattr__` at its top (PEP 562)."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from api.staging import Code, coding, stage_below
from world import World


@pytest.fixture
def code(desk: World, monkeypatch: pytest.MonkeyPatch) -> Iterator[Code]:
    with coding(desk, monkeypatch) as made:
        made.write("helpers.py", "own = 5\ndef value(): return 1\ndef __getattr__(name): return value()")
        yield made


@pytest.mark.parametrize(
    ("imports", "result"),
    [
        ("import helpers", "helpers.zzz"),
        ("import helpers as h", "h.zzz"),
        ("from helpers import zzz as z", "z"),
        ("import helpers", "getattr(helpers, 'zzz')"),
        ("from passing import zzz", "zzz"),
    ],
)
def test_a_name_that_a_module_makes_counts_by_the_function_that_makes_it(code: Code, imports: str, result: str) -> None:
    code.write("passing.py", "from helpers import zzz")
    code.write("pipe.py", stage_below(imports, result))
    with code.running("f"):
        assert code.load().f() == 1
    code.edited("helpers.py", "return 1", "return 2")
    with code.running("f"):
        assert code.load().f() == 2
    with code.running():
        assert code.load().f() == 2


def test_why_names_what_the_function_that_makes_names_reaches(code: Code) -> None:
    code.write("pipe.py", stage_below("import helpers", "helpers.zzz"))
    code.load().f()
    said = str(code.edited("helpers.py", "return value()", "return value() + 1").f.why())
    assert "  function __getattr__ of helpers changed" in said


def test_a_name_that_a_module_has_does_not_count_by_it(code: Code) -> None:
    code.write("pipe.py", stage_below("import helpers", "helpers.own"))
    with code.running("f"):
        assert code.load().f() == 5
    code.edited("helpers.py", "return value()", "return 7")
    with code.running():
        assert code.load().f() == 5
