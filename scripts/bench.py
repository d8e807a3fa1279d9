"""Whole-process benchmark of datatool and DVC: wall time, processor time, peak memory, ratios, targets.

Workloads: W1 one big incompressible file; W2 many small files; W3 very many tiny files; W4 a registry of many files;
W5 S3 behind a latency, small files and one big file; SFTP the same over SSH; W6 start-up; W7 programs that track
data, which only datatool has; W8 stages, beside other libraries that remember results. Each round measures all tools
one after the other, in an order that alternates, in fresh directories, which are deleted at the end only: on ext4,
creating files is several times slower for minutes after a mass delete. Rows are medians.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from functools import partial
from pathlib import Path

from benchmark.data import DataSets
from benchmark.local import LocalWorkloads
from benchmark.machine import describe, hash_rate
from benchmark.measuring import Meter, Row, StepFailed, say
from benchmark.network import NetworkWorkloads
from benchmark.projects import delete
from benchmark.remotes import CREDENTIALS, LATENCY_MS, find_rclone, running_servers
from benchmark.report import LEGEND, Circumstances, put_into, table
from benchmark.stage_programs import LWDP
from benchmark.stage_report import stage_table
from benchmark.stages import StageWorkload, ways_of
from benchmark.tools import OBSTORE, Datatool, Dvc, Rclone

Participant = Callable[[], None]
"""One tool doing one round of one workload."""

NETWORK = frozenset({"W5", "SFTP"})
WORKLOADS = ("W1", "W2", "W3", "W4", "W5", "SFTP", "W6", "W7", "W8")
FOREIGN = ("GIT_", "DVC_", "DATATOOL_", "XDG_", "PYTHON", "AWS_", "SSH_", "RCLONE_")
"""The environment that no tool is to see."""


def main() -> int:
    options = arguments()
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # as Ctrl-C does: nothing is left running
    scratch = Path(tempfile.mkdtemp(prefix="datatool-bench-", dir=options.scratch)).resolve()
    meter = Meter(scratch, environment(scratch / "home"))
    try:
        with ExitStack() as stack:
            return run(options, scratch, meter, stack)
    except KeyboardInterrupt:
        say("interrupted")
        return 130
    finally:
        if options.json:
            rows = [{name: getattr(row, name) for name in Row.__slots__} for row in meter.rows]
            options.json.write_text(json.dumps(rows, indent=1))
        delete(scratch)


def run(options: argparse.Namespace, scratch: Path, meter: Meter, stack: ExitStack) -> int:
    """All rounds of all workloads, then the tables. A failed step ends its tool's round; the others go on."""
    failed = False
    try:
        rounds = participants(options, scratch, meter, stack)
        circumstances = find_circumstances(options, meter.env)
    except StepFailed as failure:
        say(f"error: {failure}")
        return 1
    for workload in options.workloads:
        for number in range(options.rounds):
            say(f"{workload}, round {number + 1} of {options.rounds}")
            for take_part in rounds[workload][:: 1 if number % 2 == 0 else -1]:
                try:
                    take_part()
                except StepFailed as failure:
                    failed = True
                    say(f"error: {failure}")
    tables = {
        workload: stage_table(meter.rows, circumstances)
        if workload == "W8"
        else table(workload, meter.rows, circumstances)
        for workload in options.workloads
    }
    print("\n".join([LEGEND + "\n", *tables.values()]))
    if failed:
        say("error: some steps failed" + (f"; {options.into} is left as it is" if options.into else ""))
        return 1
    for workload, text in tables.items() if options.into else ():
        put_into(options.into, workload, text)
    return 0


def participants(
    options: argparse.Namespace, scratch: Path, meter: Meter, stack: ExitStack
) -> dict[str, list[Participant]]:
    """Who takes part in which workload. Servers run from here on until the stack ends."""
    datatool, dvc = Datatool(exe=options.datatool), Dvc(exe=options.dvc)
    data = DataSets(scratch)
    local = LocalWorkloads(meter, data, scratch=scratch, options=options)
    found: dict[str, list[Participant]] = {
        name: [partial(work, datatool), partial(work, dvc)]
        for name, work in (("W1", local.w1), ("W2", local.w2), ("W3", local.w3), ("W4", local.w4), ("W6", local.w6))
    }
    found["W7"] = [partial(local.w7, datatool)]
    if "W8" in options.workloads:
        stages = StageWorkload(meter, options.stages, scratch=scratch, options=options)
        found["W8"] = [partial(stages.w8, way) for way in ways_of(options.stages)]
    if NETWORK.intersection(options.workloads):
        remotes = stack.enter_context(running_servers(scratch / "servers", scratch / "home"))
        network = NetworkWorkloads(meter, data, remotes, scratch=scratch, options=options)
        obstore = Datatool(exe=options.datatool, name=OBSTORE, settings={"engine": "obstore"})
        rclone = Rclone(exe=find_rclone())
        found["W5"] = [partial(network.w5, tool) for tool in (datatool, dvc, obstore, rclone)]
        found["SFTP"] = [partial(network.sftp, tool) for tool in (datatool, dvc, rclone)]
    return found


def find_circumstances(options: argparse.Namespace, env: Mapping[str, str]) -> Circumstances:
    net = f"{options.net_files:,} files of 4–20 KiB, and one file of {options.net_mib:,} MiB"
    names = [options.datatool, options.dvc]
    if NETWORK.intersection(options.workloads):
        names.append(find_rclone())
    sha256 = hash_rate("sha256")
    return Circumstances(
        measured_with=f"Measured with {', '.join(version(exe, env) for exe in names)}, {describe(sha256)};"
        f" median of {options.rounds} round{'s'[: options.rounds > 1]}.",
        titles={
            "W1": f"one file of {options.big_mib:,} MiB",
            "W2": f"{options.files:,} files of 4–20 KiB",
            "W3": f"{options.tiny:,} files of 1 KiB",
            "W4": f"a registry of {options.files:,} files on the same machine",
            "W5": f"S3 with {LATENCY_MS} ms of latency: {net}",
            "SFTP": net,
            "W6": "start-up",
            "W7": "programs that track data, each a process (DVC has no such thing)",
            "W8": "functions whose results are remembered" + _lacking(options),
        },
        hash_seconds={
            "W1": (options.big_mib << 20) / sha256,
            "W5": (options.net_mib << 20) / sha256,
            "SFTP": (options.net_mib << 20) / sha256,
        },
    )


def _lacking(options: argparse.Namespace) -> str:
    known = {way.name for way in ways_of(options.stages)} if "W8" in options.workloads else {LWDP}
    return "" if LWDP in known else " (LWDP 0.0.5 could not be installed here)"


def version(exe: str, env: Mapping[str, str]) -> str:
    """A tool's name and version."""
    done = subprocess.run([exe, "--version"], capture_output=True, text=True, env=env, check=True)
    return f"{Path(exe).name} {done.stdout.splitlines()[0].split()[-1]}"


def environment(home: Path) -> dict[str, str]:
    """What every tool sees: a home of its own, and nothing of the user's."""
    home.mkdir()
    (home / ".gitconfig").write_text("[user]\n name = b\n email = b@example.org\n[init]\n defaultBranch = main\n")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(FOREIGN)}
    return {
        **kept,
        **CREDENTIALS,
        "HOME": str(home),
        "DVC_NO_ANALYTICS": "1",
        "DVC_GLOBAL_CONFIG_DIR": str(home / "dvc"),
        "RCLONE_CONFIG": os.devnull,
        "LC_ALL": "C.UTF-8",
    }


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="scripts/bench", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--workloads", default=",".join(WORKLOADS), help="comma-separated (%(default)s)")
    parser.add_argument("--rounds", type=int, default=3, help="rounds of each workload (%(default)s)")
    parser.add_argument("--quick", action="store_true", help="small sizes and one round: does everything run?")
    parser.add_argument("--big-mib", type=int, default=2048, help="W1's file (%(default)s)")
    parser.add_argument("--files", type=int, default=20_000, help="W2's files (%(default)s)")
    parser.add_argument("--tiny", type=int, default=100_000, help="W3's files (%(default)s)")
    parser.add_argument("--net-mib", type=int, default=512, help="the one file of W5 and SFTP (%(default)s)")
    parser.add_argument("--net-files", type=int, default=2000, help="the small files of W5 and SFTP (%(default)s)")
    parser.add_argument("--scratch", help="where the fresh directories are made")
    parser.add_argument("--json", type=Path, help="write every single measurement here")
    parser.add_argument("--into", type=Path, help="a Markdown file to put the tables into")
    parser.add_argument("--datatool", type=program, default="datatool", help="datatool's executable")
    parser.add_argument("--dvc", type=program, default="dvc", help="DVC's executable")
    parser.add_argument("--stages", type=program, default="python", help="the Python that has what W8 compares")
    options = parser.parse_args()
    if options.quick:
        options.rounds, options.big_mib, options.files, options.tiny = 1, 64, 1000, 3000
        options.net_mib, options.net_files = 32, 100
    options.workloads = options.workloads.split(",")
    if unknown := set(options.workloads) - set(WORKLOADS):
        parser.error(f"no such workload: {', '.join(sorted(unknown))}")
    return options


def program(name: str) -> str:
    """The absolute path of a program: commands run in many directories."""
    found = shutil.which(name)
    if found is None:
        raise argparse.ArgumentTypeError(f"{name}: no such program")
    return os.path.abspath(found)


if __name__ == "__main__":
    sys.exit(main())
