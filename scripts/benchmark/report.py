"""The tables: medians, their ratio to DVC's, and whether the target is met. Each workload has a table of its own."""

from __future__ import annotations

import re
import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmark import targets
from benchmark.measuring import Row
from benchmark.tools import DATATOOL, DVC, OBSTORE, RCLONE

LEGEND = (
    "Seconds are wall time (processor time in brackets), ratios those of wall time to DVC's. MB is the peak of the"
    " largest process. A dash is a step that failed."
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Circumstances:
    """Where figures come from: tools and machine, what data a workload has, and for workloads with one big file how
    many seconds one core takes to hash it."""

    measured_with: str
    titles: Mapping[str, str]
    hash_seconds: Mapping[str, float]


@dataclass(frozen=True, kw_only=True, slots=True)
class Median:
    seconds: float
    cpu: float
    mb: float

    @classmethod
    def of(cls, rows: Sequence[Row]) -> Median:
        return cls(
            seconds=statistics.median(row.seconds for row in rows),
            cpu=statistics.median(row.cpu for row in rows),
            mb=statistics.median(row.mb for row in rows),
        )

    @property
    def shown(self) -> str:
        return f"{self.seconds:.2f} ({self.cpu:.2f})"


@dataclass(frozen=True, kw_only=True, slots=True)
class _Line:
    """One step, as datatool does it in one of its ways, and others. `hash_seconds` is what nobody can undercut."""

    key: targets.Step
    obstore: bool
    ours: Median | None
    theirs: Median | None
    rclone: Median | None
    hash_seconds: float

    @property
    def step(self) -> str:
        return f"{self.key[1]} (obstore)" if self.obstore else self.key[1]

    @property
    def ratio(self) -> float | None:
        return self.ours.seconds / self.theirs.seconds if self.ours and self.theirs else None

    @property
    def most(self) -> float | None:
        """The target for the ratio."""
        return (targets.RATIO_WITH_OBSTORE if self.obstore else targets.RATIO).get(self.key)

    @property
    def target(self) -> str:
        if self.key in targets.CPU_SECONDS:
            return f"≤ {targets.CPU_SECONDS[self.key]:.2f} s CPU"
        if self.key in targets.SECONDS:
            return f"≤ {targets.SECONDS[self.key]:.2f} s"
        return "" if self.most is None else f"≤ {self.most:.2f}"

    @property
    def met(self) -> str:
        if self.ours and self.key in targets.CPU_SECONDS:
            return yes_or_no(self.ours.cpu <= targets.CPU_SECONDS[self.key])
        if self.ours and self.key in targets.SECONDS:
            return yes_or_no(self.ours.seconds <= targets.SECONDS[self.key])
        if self.theirs is None or self.ratio is None or self.most is None:
            return ""
        if self.ratio > self.most and self.hash_seconds > self.most * self.theirs.seconds:
            return "limit"
        return yes_or_no(self.ratio <= self.most)

    @property
    def memory_met(self) -> str:
        most = targets.MEGABYTES.get(self.key)
        return yes_or_no(self.ours.mb <= most) if self.ours and most else ""


def table(workload: str, rows: Iterable[Row], circumstances: Circumstances) -> str:
    """Title, table and notes of one workload."""
    lines = _lines(workload, [row for row in rows if row.workload == workload], circumstances)
    columns = [
        ("step", [line.step for line in lines]),
        ("datatool", [line.ours.shown if line.ours else "–" for line in lines]),
        ("DVC", [line.theirs.shown if line.theirs else "–" for line in lines]),
        ("rclone copy", [line.rclone.shown if line.rclone else "" for line in lines]),
        ("ratio", ["" if line.ratio is None else f"{line.ratio:.2f}" for line in lines]),
        ("target", [line.target for line in lines]),
        ("met", [line.met for line in lines]),
        ("datatool MB", [f"{line.ours.mb:.0f}" if line.ours else "–" for line in lines]),
        ("DVC MB", [f"{line.theirs.mb:.0f}" if line.theirs else "–" for line in lines]),
        ("rclone MB", [f"{line.rclone.mb:.0f}" if line.rclone else "" for line in lines]),
        ("memory target", [f"≤ {most} MB" if (most := targets.MEGABYTES.get(line.key)) else "" for line in lines]),
        ("memory met", [line.memory_met for line in lines]),
    ]
    filled = [(name, cells) for name, cells in columns if any(cells)]
    parts = [
        f"### {workload}: {circumstances.titles[workload]}",
        as_markdown(filled),
    ]
    if any(line.met == "limit" for line in lines):
        parts.append(
            f"limit: one core takes {circumstances.hash_seconds[workload]:.2f} s here to hash the file with sha256,"
            " which is more than the target allows for the whole."
        )
    return "\n\n".join([*parts, circumstances.measured_with]) + "\n"


def put_into(path: Path, workload: str, text: str) -> None:
    """Replace what is between the two markers of this workload, or append it; the other workloads stay."""
    begin, end = f"<!-- bench {workload}: begin -->", f"<!-- bench {workload}: end -->"
    block = f"{begin}\n{text}{end}"
    old = path.read_text(encoding="utf-8") if path.exists() else "# Performance\n\n"
    pattern = re.compile(re.escape(begin) + ".*?" + re.escape(end), re.DOTALL)
    new = pattern.sub(lambda _: block, old) if pattern.search(old) else f"{old.rstrip()}\n\n{block}\n"
    path.write_text(new, encoding="utf-8")


def _lines(workload: str, rows: Sequence[Row], circumstances: Circumstances) -> list[_Line]:
    """In the order in which steps were measured; a step without datatool's own figures is there all the same."""

    def median(step: str, tool: str) -> Median | None:
        mine = [row for row in rows if (row.step, row.tool) == (step, tool)]
        return Median.of(mine) if mine else None

    ways = [DATATOOL, OBSTORE] if any(row.tool == OBSTORE for row in rows) else [DATATOOL]
    return [
        _Line(
            key=(workload, step),
            obstore=way == OBSTORE,
            ours=median(step, way),
            theirs=median(step, DVC),
            rclone=median(step, RCLONE),
            hash_seconds=_hash_seconds(workload, step, circumstances),
        )
        for way in ways
        for step in dict.fromkeys(row.step for row in rows)
    ]


def _hash_seconds(workload: str, step: str, circumstances: Circumstances) -> float:
    return circumstances.hash_seconds[workload] if (workload, step) in targets.HASHES_ONE_FILE else 0.0


def yes_or_no(met: bool) -> str:
    """As a cell has it."""
    return "yes" if met else "**no**"


def as_markdown(columns: Sequence[tuple[str, Sequence[str]]]) -> str:
    """A table of columns, each with its title."""
    rows = zip(*(cells for _, cells in columns), strict=True)
    lines = [[name for name, _ in columns], ["---"] * len(columns), *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)
