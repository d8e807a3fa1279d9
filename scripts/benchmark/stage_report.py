"""The table of W8: one column for each tool, in milliseconds."""

from __future__ import annotations

from collections.abc import Sequence

from benchmark import targets
from benchmark.measuring import Row
from benchmark.report import Circumstances, Median, as_markdown, yes_or_no
from benchmark.stage_programs import JOBLIB, LWDP, PLAIN
from benchmark.tools import DATATOOL

_COLUMNS = {DATATOOL: "datatool", JOBLIB: "joblib.Memory", LWDP: "LWDP, repaired", PLAIN: "plain calls"}


def stage_table(rows: Sequence[Row], circumstances: Circumstances) -> str:
    """Title, table and notes."""
    mine = [row for row in rows if row.workload == "W8"]
    found = {
        (step, tool): _shown([row for row in mine if (row.step, row.tool) == (step, tool)])
        for step in dict.fromkeys(row.step for row in mine)
        for tool in _COLUMNS
    }
    steps = list(dict.fromkeys(step for step, _ in found))
    columns = [("step, in ms", steps)]
    columns += [(title, [found[step, tool] for step in steps]) for tool, title in _COLUMNS.items()]
    columns += [("target", [_target(step) for step in steps]), ("met", [_met(mine, step) for step in steps])]
    return f"### W8: {circumstances.titles['W8']}\n\n{as_markdown(columns)}\n\n{circumstances.measured_with}\n"


def _shown(rows: Sequence[Row]) -> str:
    if not rows:
        return "–"
    median = Median.of(rows)
    return f"{median.seconds * 1e3:.1f} ({median.cpu * 1e3:.1f})"


def _target(step: str) -> str:
    most = targets.CPU_MILLISECONDS.get(("W8", step))
    return f"< {most} ms CPU" if most else ""


def _met(rows: Sequence[Row], step: str) -> str:
    most = targets.CPU_MILLISECONDS.get(("W8", step))
    ours = [row for row in rows if (row.step, row.tool) == (step, DATATOOL)]
    return yes_or_no(Median.of(ours).cpu * 1e3 < most) if most and ours else ""
