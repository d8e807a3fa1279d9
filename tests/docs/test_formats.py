"""The reference of the formats names every table that there is."""

from __future__ import annotations

import re
import sqlite3
from pathlib import Path

from datatool.index.state import State
from docs.test_docs import ROOT


def test_the_memory_of_a_worktree_has_the_tables_that_the_reference_names(tmp_path: Path) -> None:
    text = (ROOT / "docs/reference/formats.md").read_text(encoding="utf-8")
    part = text.partition("`state.db` is SQLite")[2].partition("\n## ")[0]
    rows = re.findall(r"^\| `(\w+)` \| (`.+?`[^|]*) \|", part, flags=re.MULTILINE)
    described = {table: re.findall(r"`(\w+)`", columns) for table, columns in rows}
    place = tmp_path / "state.db"
    with State(place) as state:
        state.set_verified([("name", 1, 2, 3)])
    database = sqlite3.connect(place)
    try:
        tables = [name for (name,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        there = {name: [row[1] for row in database.execute(f"PRAGMA table_info({name})")] for name in tables}
    finally:
        database.close()
    assert described == there
