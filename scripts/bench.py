"""Whole-process benchmark of datatool and DVC: wall time, processor time, peak memory, ratios, targets.

Workloads: W1 one big incompressible file; W2 many small files (4–20 KiB); W3 very many tiny files (1 KiB);
W6 start-up. Each round measures both tools one after the other in fresh directories, which are deleted at the end
only: on ext4, creating files is several times slower for minutes after a mass delete. Rows are medians.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import random
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).parent
DROP = "-dac_override,-dac_read_search"
AS_USER = ["setpriv", f"--bounding-set={DROP}", f"--inh-caps={DROP}"]
BEGIN, END = "<!-- bench: begin -->", "<!-- bench: end -->"

TARGETS: dict[tuple[str, str], float] = {
    ("W1", "add"): 0.30,
    ("W1", "add, hardlink"): 0.50,
    ("W1", "add again, unchanged"): 0.08,
    ("W1", "status"): 0.30,
    ("W1", "checkout"): 1.0,
    ("W1", "push"): 0.45,
    ("W1", "push, nothing to do"): 0.35,
    ("W1", "pull into a fresh clone"): 0.45,
    ("W2", "add"): 0.25,
    ("W2", "add again, unchanged"): 0.20,
    ("W2", "status"): 0.25,
    ("W2", "status, 100 changed"): 0.25,
    ("W2", "checkout"): 0.30,
    ("W2", "push"): 0.25,
    ("W2", "push, nothing to do"): 0.10,
    ("W2", "pull into a fresh clone"): 0.30,
    ("W3", "add"): 0.25,
    ("W3", "status"): 0.20,
    ("W3", "push"): 0.25,
}
"""At most this part of DVC's wall time in the same run."""

CPU_TARGETS: dict[tuple[str, str], float] = {
    ("W6", "--version"): 0.06,
    ("W6", "--help"): 0.10,
    ("W6", "status, empty project"): 0.12,
}
"""At most this many processor seconds."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Tool:
    """How one tool is called; both have the same verbs."""

    name: str
    exe: str
    init: list[list[str]]
    remote: list[str]
    hardlink: list[list[str]]


@dataclass(frozen=True, kw_only=True, slots=True)
class Row:
    """One measured step of one tool in one round."""

    workload: str
    step: str
    tool: str
    seconds: float
    cpu: float
    mib: float


class StepFailed(Exception):
    """A measured command ended with an error."""


def tools(datatool: str, dvc: str) -> list[Tool]:
    return [
        Tool(
            name="datatool",
            exe=datatool,
            init=[[datatool, "init", "-q"]],
            remote=[datatool, "remote", "add", "-d", "r"],
            hardlink=[[datatool, "config", "set", "cache.link", "hardlink,copy"]],
        ),
        Tool(
            name="dvc",
            exe=dvc,
            init=[[dvc, "init", "-q"]],
            remote=[dvc, "remote", "add", "-q", "-d", "r"],
            hardlink=[[dvc, "config", "cache.type", "hardlink"]],
        ),
    ]


class Copy:
    """A fresh project of one tool with data in it, its remote and its clone."""

    def __init__(self, bench: Bench, tool: Tool, workload: str, data: Path | None) -> None:
        self.bench, self.tool, self.workload = bench, tool, workload
        self.top = Path(tempfile.mkdtemp(prefix=f"{workload}-{tool.name}-", dir=bench.top))
        self.project, self.clone, self.remote = (self.top / name for name in ("project", "clone", "remote"))
        self.project.mkdir()
        self.remote.mkdir()
        self.target = ""
        self.setup(["git", "init", "-q"], *tool.init, [*tool.remote, str(self.remote)])
        self.commit()
        if data:
            self.target = data.name
            subprocess.run(["cp", "-a", "--reflink=never", data, self.project], check=True)

    def setup(self, *commands: list[str], cwd: Path | None = None) -> None:
        for command in commands:
            done = subprocess.run(command, cwd=cwd or self.project, env=self.env, capture_output=True, text=True)
            if done.returncode:
                raise StepFailed(f"{' '.join(command)}: {done.stderr[-500:]}")

    @property
    def env(self) -> dict[str, str]:
        return self.bench.env | {"DVC_SITE_CACHE_DIR": str(self.top / "site")}

    def commit(self) -> None:
        self.setup(["git", "add", "-A"], ["git", "commit", "-q", "--allow-empty", "-m", "bench"])

    def measure(self, step: str, *words: str, cwd: Path | None = None, sync: bool = False, user: bool = False) -> None:
        """Time one command of the tool."""
        if sync:
            os.sync()
        result, log = self.top / "result.json", self.top / "log"
        prefix = AS_USER if user and os.geteuid() == 0 else []
        command = [sys.executable, "-S", str(HERE / "measured.py"), str(result), *prefix, self.tool.exe, *words]
        with log.open("wb") as out:
            done = subprocess.run(
                command, cwd=cwd or self.project, env=self.env, stdin=subprocess.DEVNULL, stdout=out, stderr=out
            )
        if done.returncode:
            raise StepFailed(f"{self.tool.name} {' '.join(words)}: {log.read_text(errors='replace')[-800:]}")
        cost = json.loads(result.read_text())
        self.bench.note(
            Row(
                workload=self.workload,
                step=step,
                tool=self.tool.name,
                seconds=cost["seconds"],
                cpu=cost["cpu"],
                mib=cost["peak_kib"] / 1024,
            )
        )


class Bench:
    """All rounds of all workloads."""

    def __init__(self, options: argparse.Namespace) -> None:
        self.options = options
        self.top = Path(tempfile.mkdtemp(prefix="datatool-bench-", dir=options.scratch))
        self.rows: list[Row] = []
        home = self.top / "home"
        home.mkdir()
        (home / ".gitconfig").write_text("[user]\n name = b\n email = b@example.org\n[init]\n defaultBranch = main\n")
        kept = {
            k: v for k, v in os.environ.items() if not k.startswith(("GIT_", "DVC_", "DATATOOL_", "XDG_", "PYTHON"))
        }
        self.env = kept | {
            "HOME": str(home),
            "DVC_NO_ANALYTICS": "1",
            "DVC_GLOBAL_CONFIG_DIR": str(home / "dvc"),
            "LC_ALL": "C.UTF-8",
        }
        self.tools = tools(options.datatool, options.dvc)

    def note(self, row: Row) -> None:
        self.rows.append(row)
        print(
            f"  {row.workload} {row.step:26} {row.tool:9} {row.seconds:8.3f} s"
            f"  cpu {row.cpu:7.2f} s  {row.mib:6.0f} MiB",
            file=sys.stderr,
            flush=True,
        )

    def run(self) -> None:
        work: dict[str, Callable[[Tool], None]] = {"W1": self.w1, "W2": self.w2, "W3": self.w3, "W6": self.w6}
        for workload in self.options.workloads.split(","):
            for round_ in range(self.options.rounds):
                print(f"{workload}, round {round_ + 1} of {self.options.rounds}", file=sys.stderr, flush=True)
                for tool in self.tools if round_ % 2 == 0 else reversed(self.tools):
                    work[workload](tool)

    # ---- workloads

    def w1(self, tool: Tool) -> None:
        data = self.big_file()
        linked = Copy(self, tool, "W1", data)
        linked.setup(*tool.hardlink)
        linked.measure("add, hardlink", "add", data.name, sync=True, user=True)
        self.drop(linked)
        copy = Copy(self, tool, "W1", data)
        self.everyday(copy)
        self.drop(copy)

    def w2(self, tool: Tool) -> None:
        self.everyday(Copy(self, tool, "W2", self.files("W2", self.options.files, 4096, 20480)))

    def w3(self, tool: Tool) -> None:
        copy = Copy(self, tool, "W3", self.files("W3", self.options.tiny, 1024, 1024))
        copy.measure("add", "add", copy.target, sync=True)
        copy.commit()
        copy.measure("status", "status")
        copy.measure("push", "push", sync=True)

    def w6(self, tool: Tool) -> None:
        copy = Copy(self, tool, "W6", None)
        for _ in range(5):
            copy.measure("--version", "--version")
            copy.measure("--help", "--help")
            copy.measure("status, empty project", "status")

    def everyday(self, copy: Copy) -> None:
        """Add, status, checkout, push and pull, each as a whole process."""
        copy.measure("add", "add", copy.target, sync=True)
        copy.measure("add again, unchanged", "add", copy.target)
        copy.commit()
        copy.measure("status", "status")
        (copy.project / copy.target).rename(copy.top / "moved-away")
        copy.measure("checkout", "checkout", sync=True)
        if (copy.project / copy.target).is_dir():
            self.change_some(copy.project / copy.target)
            copy.measure("status, 100 changed", "status")
            copy.setup([copy.tool.exe, "add", copy.target])
            copy.commit()
        copy.measure("push", "push", sync=True)
        copy.measure("push, nothing to do", "push")
        copy.setup(["git", "clone", "-q", str(copy.project), str(copy.clone)])
        copy.measure("pull into a fresh clone", "pull", cwd=copy.clone, sync=True)
        same = subprocess.run(
            ["diff", "-rq", copy.project / copy.target, copy.clone / copy.target], capture_output=True
        )
        if same.returncode:
            raise StepFailed(f"{copy.tool.name}: what was pulled differs from what was added")

    def change_some(self, directory: Path) -> None:
        files = sorted(path for path in directory.rglob("*") if path.is_file())
        for i, path in enumerate(files[:: max(1, len(files) // 100)][:100]):
            path.unlink()
            path.write_bytes(os.urandom(9000 + i))

    # ---- data

    def big_file(self) -> Path:
        path = self.top / "big.bin"
        if not path.exists():
            with path.open("wb") as file:
                for _ in range(self.options.big_mib):
                    file.write(os.urandom(1 << 20))
        return path

    def files(self, name: str, count: int, low: int, high: int) -> Path:
        top = self.top / f"set-{name}" / "data"
        if not top.exists():
            noise = random.Random(name)
            for i in range(count):
                directory = top / f"d{i // 2000:03}" / f"e{i // 200:04}"
                if i % 200 == 0:
                    directory.mkdir(parents=True)
                (directory / f"f{i:06}.bin").write_bytes(noise.randbytes(noise.randint(low, high)))
        return top

    def drop(self, copy: Copy) -> None:
        """Delete a round of few, big files; the others stay until the end."""
        subprocess.run(["chmod", "-R", "u+w", copy.top], check=False)
        shutil.rmtree(copy.top)

    def close(self) -> None:
        subprocess.run(["chmod", "-R", "u+w", self.top], check=False)
        shutil.rmtree(self.top, ignore_errors=True)


def table(rows: list[Row], options: argparse.Namespace) -> str:
    """The medians, their ratio, and whether the target is met."""
    lines = [
        f"Measured with {', '.join(options.versions)}, Python {platform.python_version()}, {os.cpu_count()} cores,"
        f" {platform.system()}; median of {options.rounds} rounds. Seconds are wall time (processor time in brackets);"
        " MiB is the peak of the largest process.",
        "",
        f"W1: one file of {options.big_mib:,} MiB. W2: {options.files:,} files of 4–20 KiB."
        f" W3: {options.tiny:,} files of 1 KiB. W6: start-up.",
        "",
        "| workload | step | datatool | DVC | ratio | target | met | datatool MiB | DVC MiB |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for key in dict.fromkeys((row.workload, row.step) for row in rows):
        cells = {}
        for tool in ("datatool", "dvc"):
            mine = [row for row in rows if (row.workload, row.step) == key and row.tool == tool]
            if mine:
                cells[tool] = tuple(
                    statistics.median(getattr(r, name) for r in mine) for name in ("seconds", "cpu", "mib")
                )
        if len(cells) < 2:
            continue
        (wall, cpu, mib), (their_wall, their_cpu, their_mib) = cells["datatool"], cells["dvc"]
        if key in CPU_TARGETS:
            target, met = f"≤ {CPU_TARGETS[key]:.2f} s CPU", cpu <= CPU_TARGETS[key]
        elif key in TARGETS:
            target, met = f"≤ {TARGETS[key]:.2f}", wall / their_wall <= TARGETS[key]
        else:
            target, met = "", True
        lines.append(
            f"| {key[0]} | {key[1]} | {wall:.2f} ({cpu:.2f}) | {their_wall:.2f} ({their_cpu:.2f})"
            f" | {wall / their_wall:.2f} | {target} | {'yes' if met else '**no**'} | {mib:.0f} | {their_mib:.0f} |"
        )
    return "\n".join(lines) + "\n"


def put_into(path: Path, text: str) -> None:
    """Replace the part between the two markers, or append it."""
    block = f"{BEGIN}\n{text}{END}"
    old = path.read_text(encoding="utf-8") if path.exists() else "# Performance\n\n"
    pattern = re.compile(re.escape(BEGIN) + ".*?" + re.escape(END), re.DOTALL)
    new = pattern.sub(lambda _: block, old) if pattern.search(old) else f"{old.rstrip()}\n\n{block}\n"
    path.write_text(new, encoding="utf-8")


def versions(bench: Bench) -> list[str]:
    found = []
    for tool in bench.tools:
        done = subprocess.run([tool.exe, "--version"], capture_output=True, text=True, env=bench.env, check=True)
        found.append(f"{tool.name} {done.stdout.split()[-1]}")
    return found


def main() -> int:
    parser = argparse.ArgumentParser(prog="scripts/bench", description=__doc__.splitlines()[0])
    parser.add_argument("--workloads", default="W1,W2,W3,W6", help="comma-separated (%(default)s)")
    parser.add_argument("--rounds", type=int, default=3, help="rounds of each workload (%(default)s)")
    parser.add_argument("--quick", action="store_true", help="small sizes and one round: does everything run?")
    parser.add_argument("--big-mib", type=int, default=2048)
    parser.add_argument("--files", type=int, default=20_000)
    parser.add_argument("--tiny", type=int, default=100_000)
    parser.add_argument("--scratch", help="where the fresh directories are made")
    parser.add_argument("--json", type=Path, help="write every single measurement here")
    parser.add_argument("--into", type=Path, help="a Markdown file to put the table into")
    parser.add_argument("--datatool", default="datatool", help="datatool's executable")
    parser.add_argument("--dvc", default="dvc", help="DVC's executable")
    options = parser.parse_args()
    if options.quick:
        options.rounds, options.big_mib, options.files, options.tiny = 1, 64, 1000, 3000
    bench = Bench(options)
    try:
        options.versions = versions(bench)
        bench.run()
    except StepFailed as failure:
        print(f"error: {failure}", file=sys.stderr)
        return 1
    finally:
        if options.json:
            rows = [{name: getattr(row, name) for name in Row.__slots__} for row in bench.rows]
            options.json.write_text(json.dumps(rows, indent=1))
        bench.close()
    text = table(bench.rows, options)
    print(text)
    if options.into:
        put_into(options.into, text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
