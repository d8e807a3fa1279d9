"""Of a loop at the top of a module counts what may change the name that is reached, and nothing else."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from api.staging import Code, coding
from world import World

PIPE = """
import counted, datatool
ran = []
V = [1, 1, 2]

@datatool.stage
def get(n):
    counted.ran("get")
    ran.append(n)
    return n

for n in V:
    ran.clear()
    a = get(n)
    r1 = len(ran)
    print(a, r1)
"""


@pytest.fixture
def code(desk: World, monkeypatch: pytest.MonkeyPatch) -> Iterator[Code]:
    with coding(desk, monkeypatch) as made:
        made.write("pipe.py", PIPE)
        yield made


def test_a_loop_that_calls_the_stage_is_no_part_of_it(code: Code) -> None:
    with code.running("get", "get"):
        pipe = code.load()
    with code.running():
        pipe.get(2)
        code.load()


@pytest.mark.parametrize(
    ("old", "new"),
    [("r1 = len(ran)", "r1 = len(ran) + 1"), ("print(a, r1)", "pass"), ("    r1 =", "    r2 = r1 =")],
)
def test_what_does_not_flow_into_a_name_may_change(code: Code, old: str, new: str) -> None:
    code.load()
    with code.running():
        code.edited("pipe.py", old, new)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("ran.clear()", "ran.reverse()"),
        ("V = [1, 1, 2]", "V = [1, 1]"),
        ("    a = get(n)", "    ran.append(0); a = get(n)"),
    ],
)
def test_what_flows_into_it_may_not(code: Code, old: str, new: str) -> None:
    code.load()
    with code.running("get", *(["get"] if "V" not in old else [])):
        code.edited("pipe.py", old, new)
