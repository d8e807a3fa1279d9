"""Functions that do the same with other parameters, or stand elsewhere in a file, are other functions."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from api.staging import Code, coding
from datatool.errors import UsageError
from world import World

PIPE = """
import functools, inspect
import counted, datatool

@datatool.stage
def use(what, *more):
    counted.ran("use")
    return str(inspect.signature(what)), repr(what(*more))

def made(what, *more):
    @datatool.stage
    def use():
        counted.ran("use")
        return str(inspect.signature(what)), repr(what(*more))
    return use

{given}
"""


@pytest.fixture
def code(desk: World, monkeypatch: pytest.MonkeyPatch) -> Iterator[Code]:
    with coding(desk, monkeypatch) as found:
        yield found


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("lambda x: x", "lambda *x: x"),
        ("lambda x: [x]", "lambda *x: [x]"),
        ("lambda x: 1", "lambda *x: 1"),
        ("lambda x: 1", "lambda x, y=1: 1"),
        ("lambda x: x", "lambda y: y"),
        ("lambda x: 1", "lambda x, /: 1"),
        ("lambda x=[]: x", "lambda x=[1]: x"),
        ("lambda x, **y: 1", "lambda x, *y: 1"),
    ],
)
@pytest.mark.parametrize("lines", ["\n", "; "])
def test_equal_bodies_with_other_parameters_are_told_apart(code: Code, one: str, other: str, lines: str) -> None:
    code.write("pipe.py", PIPE.format(given=f"a = {one}{lines}b = {other}"))
    pipe = code.load()
    with code.running("use", "use", "use", "use"):
        assert pipe.use(pipe.a, 1) != pipe.use(pipe.b, 1)
        assert pipe.made(pipe.a, 1)() != pipe.made(pipe.b, 1)()
    pipe = code.load()
    with code.running():
        assert pipe.use(pipe.a, 1) != pipe.use(pipe.b, 1)


def test_lambdas_in_partial_functions_and_dicts_are_told_apart(code: Code) -> None:
    given = "a = {'k': lambda x: x}\nb = {'k': lambda *x: x}\nc = functools.partial(a['k']), functools.partial(b['k'])"
    code.write("pipe.py", PIPE.format(given=given))
    pipe = code.load()
    with code.running("use", "use", "use", "use"):
        assert pipe.use(pipe.a["k"], 1) != pipe.use(pipe.b["k"], 1)
        assert pipe.use(pipe.c[0], 1) != pipe.use(pipe.c[1], 1)


TWO = "a = lambda x=[]: x\n\nb = lambda x=[1]: x"


def test_which_of_two_it_was_is_told_while_the_file_says_the_same(code: Code) -> None:
    code.write("pipe.py", PIPE.format(given=TWO))
    pipe = code.load()
    with code.running("use", "use"):
        assert (pipe.use(pipe.a)[1], pipe.use(pipe.b)[1]) == ("[]", "[1]")


def test_which_of_two_it_was_is_no_guess_after_an_edit(code: Code) -> None:
    code.write("pipe.py", PIPE.format(given=TWO))
    pipe = code.load()
    code.write("pipe.py", PIPE.format(given="b = lambda x=[1]: x\n\na = lambda x=[]: x"))
    with code.running(), pytest.raises(UsageError, match=r"pipe\.py: was edited after it was loaded"):
        pipe.use(pipe.a)
