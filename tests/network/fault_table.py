"""The results of full sweeps as a table: python fault_table.py RESULTS… [--into docs/explanation/network_faults.md]

Each of RESULTS is a directory that test_fault_sweep.py wrote into. Stores that have no results keep their lines.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from collections import Counter
from pathlib import Path
from typing import Any

BEGIN, END = "<!-- faults: begin -->", "<!-- faults: end -->"
HEAD = [
    "| store | fault | tried once | healed by retry | failed cleanly | from there on | healed | failed cleanly"
    " | bad | longest |",
    "|---|---|---|---|---|---|---|---|---|---|",
]
_STORES = {"http": "HTTP", "http without ranges": "HTTP, no ranges", "s3": "S3", "sftp": "SFTP"}
_ALL = "all"


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("results", nargs="+", type=Path)
    parser.add_argument("--into", type=Path, help="a Markdown file to put the table into")
    options = parser.parse_args()
    files = [path for directory in options.results for path in sorted(directory.glob("*.json"))]
    rows = [row for path in files for row in json.loads(path.read_text(encoding="utf-8"))]
    lines = table(rows)
    print("\n".join([*HEAD, *lines]))
    if options.into:
        put_into(options.into, lines)
    return 1 if any(row["outcome"] == "bad" for row in rows) else 0


def table(rows: list[dict[str, Any]]) -> list[str]:
    """One line for each store and kind of fault, and one for all of a store."""
    lines = []
    for store, shown in _STORES.items():
        mine = [row for row in rows if row["store"] == store]
        kinds = sorted({row["kind"] for row in mine})
        lines += [_line(shown, kind, [row for row in mine if row["kind"] == kind]) for kind in kinds]
        if mine:
            lines.append(_line(shown, _ALL, mine))
    return lines


def _line(store: str, kind: str, rows: list[dict[str, Any]]) -> str:
    cells: list[object] = [store, kind]
    for lasting in (False, True):
        outcomes = Counter(row["outcome"] for row in rows if row["lasting"] is lasting)
        happened = outcomes.total() - outcomes["did not happen"]
        cells += [happened, outcomes["healed by retry"], outcomes["failed cleanly"]]
    cells += [sum(row["outcome"] == "bad" for row in rows), f"{max(row['seconds'] for row in rows):.0f} s"]
    if kind == _ALL:
        cells = [f"**{cell}**" for cell in cells]
    return f"| {' | '.join(map(str, cells))} |"


def put_into(path: Path, lines: list[str]) -> None:
    """Replace the lines of the stores that were swept, between the two markers."""
    old = path.read_text(encoding="utf-8")
    found = re.search(f"{re.escape(BEGIN)}\n(.*?){re.escape(END)}", old, re.DOTALL)
    assert found, f"{path} has no {BEGIN}"
    swept = {_store_of(line) for line in lines}
    kept = [line for line in found[1].splitlines() if line.startswith("|") and line not in HEAD]
    kept = [line for line in kept if _store_of(line) not in swept]
    order = list(_STORES.values())
    body = sorted([*kept, *lines], key=lambda line: order.index(_store_of(line)))
    text = "\n".join([BEGIN, *HEAD, *body, END])
    path.write_text(old[: found.start()] + text + old[found.end() :], encoding="utf-8")


def _store_of(line: str) -> str:
    return line.split("|")[1].strip().strip("*")


if __name__ == "__main__":
    sys.exit(main())
