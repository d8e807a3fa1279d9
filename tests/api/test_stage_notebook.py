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
