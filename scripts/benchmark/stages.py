"""W8: chains of functions whose results are remembered."""

from __future__ import annotations

import argparse
import json
import subprocess
import tempfile
from pathlib import Path

from benchmark.measuring import Meter, Row
from benchmark.stage_programs import LWDP, STAGES, WAYS, Way

CALL = f"{STAGES} stages, unchanged, a call"
OVER = f"{STAGES} stages, unchanged: over loading the last result"
PROCESS = f"{STAGES} stages, unchanged, a process"
TWO = "two trivial stages that never ran, a call"


class StageWorkload:
    """`w8` is one way to write stages, one round. All of them run in one environment, `python` being its program."""

    def __init__(self, meter: Meter, python: str, *, scratch: Path, options: argparse.Namespace) -> None:
        self._meter, self._python, self._scratch = meter, python, scratch
        self._times = 10 if options.quick else 100

    def w8(self, way: Way) -> None:
        top = Path(tempfile.mkdtemp(prefix=f"W8-{way.name}-", dir=self._scratch))
        env = {"HOME": str(top / "home")}
        (top / "home").mkdir()
        (top / "home" / ".gitconfig").write_text("[user]\n name = b\n email = b@example.org\n")
        for command in (["git", "init", "-q"], [self._python, "-m", "datatool", "init", "-q"]):
            self._meter.run(command, cwd=top, env=env)
        self._meter.run(["git", "commit", "-q", "-m", "bench"], cwd=top, env=env)
        (top / "stages.py").write_text(way.program)
        program = [self._python, "stages.py"]
        self._meter.run([*program, "once"], cwd=top, env=env)
        said = self._meter.run([*program, "calls", str(self._times)], cwd=top, env=env)
        found = json.loads(said.splitlines()[-1])
        over = [call - last for call, last in zip(found["chain"], found["last"], strict=True)]
        for step, (seconds, cpu) in ((CALL, found["chain"]), (OVER, over), (TWO, found["two"])):
            row = Row(workload="W8", step=step, tool=way.name, seconds=seconds, cpu=cpu, mb=found["mb"])
            self._meter.note(row)
        self._meter.measure([*program, "once"], workload="W8", step=PROCESS, tool=way.name, cwd=top, env=env, sync=True)


def ways_of(python: str) -> tuple[Way, ...]:
    """The tools that can be run: LWDP is old, and may not be had any more."""
    found = subprocess.run([python, "-c", "import joblib, lwdp.stage"], capture_output=True).returncode == 0
    return tuple(way for way in WAYS if found or way.name != LWDP)
