"""Stages in a notebook: functions of cells, defined again as people do."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from api.staging import kept
from world import World

CELLS = (
    "import datatool, pathlib\nRATE = 2\nran = pathlib.Path('ran.txt')",
    "def scale(rows):\n    return [row * RATE for row in rows]",
    "@datatool.stage(raw=datatool.File('x.csv'))\ndef clean(raw):\n"
    "    with open('ran.txt', 'a') as log: log.write('clean ')\n"
    "    return scale([len(raw.read_text())])",
    "print(clean())",
    "print(clean())",
    "RATE = 3",
    "print(clean())",
    "def scale(rows):\n    # the same\n    return [row * RATE for row in rows]",
    "print(clean())",
    "def scale(rows):\n    return [row + RATE for row in rows]",
    "print(clean())",
    "@datatool.stage(raw=datatool.File('x.csv'))\ndef clean(raw):\n    return scale([len(raw.read_text()), 1])",
    "print(clean())",
)


def test_cells_are_followed_as_they_are_now(desk: World, notebook: Callable[..., Any]) -> None:
    desk.write("x.csv", b"abcde")
    book = notebook(*CELLS)
    outputs = [output for cell in book.cells for output in cell.outputs]
    assert not [output for output in outputs if output.output_type == "error"], outputs
    said = "".join(output.text for output in outputs if output.output_type == "stream" and output.name == "stdout")
    assert said.split("\n") == ["[10]", "[10]", "[15]", "[15]", "[8]", "[8, 4]", ""]
    assert desk.read("ran.txt") == b"clean clean clean "
    assert len(kept(desk)) == 4


MADE_BEFORE = (
    "import datatool",
    "class C:\n    k = 1",
    "c = C()",
    "def h(): return 10\n\n@datatool.stage\ndef f(): return c.k + h()",
    "print(f())",
    "def h(): return 20",
    "print(f())",
    "class C:\n    k = 2",
    "try:\n    f()\nexcept ValueError as error:\n    print(error)",
    "c = C()",
    "print(f())",
)


def test_a_result_is_that_of_what_is_in_memory_whatever_order_cells_ran_in(
    desk: World, notebook: Callable[..., Any]
) -> None:
    book = notebook(*MADE_BEFORE)
    outputs = [output for cell in book.cells for output in cell.outputs]
    said = "".join(output.get("text", "") for output in outputs if output.get("name") == "stdout")
    assert said.split("\n") == [
        "11",
        "21",
        "c: is in memory as it was before: C was defined anew after c was made with it",
        "22",
        "",
    ]
