"""What an import brings, as functions in memory see it: also in a notebook, where cells run again."""

from __future__ import annotations

from pathlib import Path

from code_files import run_cell, typed

from datatool.stages.live import ingredients_of


def said(names: dict[str, object], top: Path) -> dict[str, object]:
    found = ingredients_of(names["f"], top)
    return {item.name: item.value for item in found.items if item.kind == "import"}


def test_a_cell_that_imports_something_else_is_seen(tmp_path: Path) -> None:
    names = typed("from math import floor as h", "def f(): return h(2.5)")
    before = ingredients_of(names["f"], tmp_path)
    assert said(names, tmp_path) == {"notebook:h import": "math.floor"} and before.still_hold
    run_cell(names, "from math import ceil as h")
    assert not before.still_hold
    assert said(names, tmp_path) == {"notebook:h import": "math.ceil"}
