"""Running commands, and keeping what they cost."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

_MEASURED = Path(__file__).parents[1] / "measured.py"
_DROP = "-dac_override,-dac_read_search"
_AS_USER = ("setpriv", f"--bounding-set={_DROP}", f"--inh-caps={_DROP}")


class StepFailed(Exception):
    """A command ended with an error, or its result is wrong."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Row:
    """One measured step of one tool in one round; `mb` is the peak of the largest process in 10⁶ bytes."""

    workload: str
    step: str
    tool: str
    seconds: float
    cpu: float
    mb: float


class Meter:
    """Runs commands one at a time, in one environment; `rows` is what the measured ones cost."""

    def __init__(self, scratch: Path, env: Mapping[str, str]) -> None:
        self.env = dict(env)
        self.rows: list[Row] = []
        self._result, self._log = scratch / "result.json", scratch / "log"

    def run(self, command: Sequence[str], *, cwd: Path, env: Mapping[str, str] | None = None) -> str:
        """Run a command that is not measured; the end of what it said."""
        with self._log.open("wb") as log:
            code = _to_its_end(command, cwd=cwd, env=self.env | (env or {}), log=log.fileno())
        if code:
            raise StepFailed(f"{' '.join(command)}: {self._said()}")
        return self._said()

    def measure(
        self,
        command: Sequence[str],
        *,
        workload: str,
        step: str,
        tool: str,
        cwd: Path,
        env: Mapping[str, str] | None = None,
        sync: bool = False,
        user: bool = False,
    ) -> None:
        """Run a command and note its cost. `sync` writes out before what the disk still owes to others; `user` takes
        from root the right to override modes."""
        if sync:
            os.sync()
        prefix = _AS_USER if user and os.geteuid() == 0 else ()
        self.run([sys.executable, "-S", str(_MEASURED), str(self._result), *prefix, *command], cwd=cwd, env=env)
        cost = json.loads(self._result.read_text())
        mb = cost["peak_kib"] * 1024 / 1e6
        self.note(Row(workload=workload, step=step, tool=tool, seconds=cost["seconds"], cpu=cost["cpu"], mb=mb))

    def note(self, row: Row) -> None:
        """Note what a step cost that a program has measured itself."""
        self.rows.append(row)
        name = f"{row.workload:4} {row.step:26} {row.tool:17}"
        say(f"  {name} {row.seconds:8.3f} s  cpu {row.cpu:7.3f} s  {row.mb:6.0f} MB")

    def _said(self) -> str:
        return self._log.read_text(errors="replace")[-800:].strip()


def say(text: str) -> None:
    """Tell whoever waits; results go to the other stream."""
    print(text, file=sys.stderr, flush=True)


def _to_its_end(command: Sequence[str], *, cwd: Path, env: Mapping[str, str], log: int) -> int:
    """The exit code. Whatever ends this process before takes along all that the command started."""
    process = subprocess.Popen(
        command, cwd=cwd, env=env, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
    )
    try:
        return process.wait()
    except BaseException:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        raise
