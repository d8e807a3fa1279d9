"""The reference is generated from the commands and up to date."""

from __future__ import annotations

import runpy
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / "scripts" / "cli_reference.py"


def test_the_reference_is_up_to_date(capsys: pytest.CaptureFixture[str]) -> None:
    code = runpy.run_path(str(SCRIPT))["main"](["--check"])
    assert code == 0, capsys.readouterr().err


def test_a_stale_reference_is_noticed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    module = runpy.run_path(str(SCRIPT))
    module["main"].__globals__["REFERENCE"] = tmp_path / "docs" / "cli.md"
    assert module["main"](["--check"]) == 1
    assert "stale" in capsys.readouterr().err
    assert module["main"]([]) == 0
    assert module["main"](["--check"]) == 0
    (tmp_path / "docs" / "cli.md").write_text("old")
    assert module["main"](["--check"]) == 1
