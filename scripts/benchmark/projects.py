"""A fresh project of one tool: data in it, a remote, a clone."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from pathlib import Path

from benchmark.measuring import Meter, StepFailed
from benchmark.tools import Place, Tool


class Project:
    """Everything of one tool in one round lies below `top`.

    Projects are not deleted between rounds unless they are of few, big files: on ext4, creating files is several times
    slower for minutes after a mass delete.
    """

    def __init__(
        self, meter: Meter, tool: Tool, *, scratch: Path, workload: str, data: Path | None, place: Place | None = None
    ) -> None:
        self.tool, self.workload = tool, workload
        self.top = Path(tempfile.mkdtemp(prefix=f"{workload}-{tool.name}-", dir=scratch))
        self.work, self.clone = self.top / "project", self.top / "clone"
        self._meter = meter
        self._env = {"DVC_SITE_CACHE_DIR": str(self.top / "site")}
        self.work.mkdir()
        if place is None:
            remote = self.top / "remote"
            remote.mkdir()
            place = Place(url=str(remote), directory=remote)
        self._place = place
        self.run(["git", "init", "-q"], *tool.begin(place))
        self.commit()
        self.target = data.name if data else ""
        if data:
            self.run(["cp", "-a", "--reflink=never", str(data), str(self.work)])

    def run(self, *commands: list[str]) -> None:
        """Run commands in the project that are not measured."""
        for command in commands:
            self._meter.run(command, cwd=self.work, env=self._env)

    def commit(self) -> None:
        self.run(["git", "add", "-A"], ["git", "commit", "-q", "--allow-empty", "-m", "bench"])

    def add(self) -> None:
        """Add the data, and commit."""
        self.run([self.tool.exe, "add", self.target])
        self.commit()

    def measure(self, step: str, *words: str, cwd: Path | None = None, sync: bool = False, user: bool = False) -> None:
        """Measure one command of the tool."""
        self._meter.measure(
            [self.tool.exe, *words],
            workload=self.workload,
            step=step,
            tool=self.tool.name,
            cwd=cwd or self.work,
            env=self._env,
            sync=sync,
            user=user,
        )

    def program(self, step: str, code: str) -> None:
        """Measure a Python program that uses the tool; without a step, only run it."""
        python = Path(shutil.which(self.tool.exe) or self.tool.exe).with_name("python")
        command = [str(python), "-c", code]
        if not step:
            self.run(command)
            return
        self._meter.measure(
            command, workload=self.workload, step=step, tool=self.tool.name, cwd=self.work, env=self._env, sync=True
        )

    def pull(self, step: str) -> None:
        """Measure a pull into a fresh clone, and see that all has come."""
        self.run(["git", "clone", "-q", str(self.work), str(self.clone)])
        self.measure(step, "pull", cwd=self.clone, sync=True)
        require_same(self.work / self.target, self.clone / self.target, f"{self.tool.name}: what was pulled")

    def delete(self) -> None:
        """Delete the project, its clone and what is in its remote."""
        delete(self._place.directory)
        delete(self.top)


def require_same(wanted: Path, found: Path, what: str) -> None:
    """Raise StepFailed if two files or directories differ."""
    if subprocess.run(["diff", "-rq", wanted, found], capture_output=True).returncode:
        raise StepFailed(f"{what} differs from what was added")


def delete(top: Path) -> None:
    """Delete a directory, whatever its modes."""
    subprocess.run(["chmod", "-R", "u+w", top], check=False)
    shutil.rmtree(top, ignore_errors=True)
