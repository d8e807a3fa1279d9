"""Sizes, counts, columns, colours and paths as people see them."""

from __future__ import annotations

import io
from pathlib import Path

import pytest

from datatool.cli.screen import (
    aligned,
    at_terminal,
    coloured,
    seen_from,
    several_lines,
    wants_colour,
)
from datatool.model.figures import counted, human_size


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(
    ("size", "text"),
    [
        (0, "0 B"),
        (999, "999 B"),
        (1000, "1.0 kB"),
        (999_949, "999.9 kB"),
        (999_950, "1.0 MB"),
        (1_800_000_000, "1.8 GB"),
        (5 * 10**21, "5000.0 EB"),
    ],
)
def test_sizes_have_decimal_units(size: int, text: str) -> None:
    assert human_size(size) == text


def test_counts_have_separators_and_plurals() -> None:
    assert [counted(n, "file") for n in (0, 1, 10_000)] == ["0 files", "1 file", "10,000 files"]


def test_columns_are_aligned_and_empty_ones_left_out() -> None:
    rows = [("modified", "", "1.8 GB", ""), ("absent", "", "12 B", "x")]
    assert aligned(rows, right=frozenset({2})) == ["modified  1.8 GB", "absent      12 B  x"]
    assert aligned([]) == []


def test_paths_are_shown_from_where_the_user_stands(tmp_path: Path) -> None:
    assert seen_from(tmp_path / "data", tmp_path, "data/a.csv") == "a.csv"
    assert seen_from(tmp_path / "code", tmp_path, "data", directory=True) == "../data/"
    assert seen_from(tmp_path, tmp_path, "a\x1b\udcff") == r"a\x1b\xff"


def test_lines_after_the_first_are_indented() -> None:
    assert several_lines("a\nerror: b\r") == "a\n      error: b\\r"


@pytest.mark.parametrize(
    ("environ", "terminal", "plain"),
    [
        ({}, True, False),
        ({"TERM": "dumb"}, False, False),
        ({"NO_COLOR": "1"}, False, False),
        ({"FORCE_COLOR": "1"}, True, True),
        ({"FORCE_COLOR": "1", "NO_COLOR": "1"}, False, False),
        ({"NO_COLOR": ""}, True, False),
    ],
)
def test_colours_follow_the_environment(environ: dict[str, str], terminal: bool, plain: bool) -> None:
    environ = {"WT_SESSION": "1", **environ}
    assert wants_colour(Terminal(), environ) is terminal
    assert wants_colour(io.StringIO(), environ) is plain


def test_a_dumb_terminal_gets_no_bars() -> None:
    assert not at_terminal(Terminal(), {"TERM": "dumb"})
    assert at_terminal(Terminal(), {"TERM": "xterm"})


def test_colour_is_only_added_where_wanted() -> None:
    assert coloured("x", "red", wanted=False) == "x"
    assert coloured("x", "red", wanted=True) == "\x1b[31mx\x1b[0m"
