"""The workloads over a network: many small files and one big one, to S3 behind a latency and to SFTP."""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Callable
from pathlib import Path

from benchmark.data import DataSets
from benchmark.measuring import Meter
from benchmark.projects import Project, delete, require_same
from benchmark.remotes import Remotes
from benchmark.tools import Place, Rclone, Tool


class NetworkWorkloads:
    """Each method is a workload: one tool, one round. Of rclone only the big file is measured."""

    def __init__(
        self, meter: Meter, data: DataSets, remotes: Remotes, *, scratch: Path, options: argparse.Namespace
    ) -> None:
        self._meter, self._remotes, self._scratch = meter, remotes, scratch
        self._small = data.files("net", options.net_files, 4096, 20480)
        self._big = data.big_file(options.net_mib)

    def w5(self, tool: Tool | Rclone) -> None:
        self._push_and_pull(tool, "W5", self._remotes.s3)

    def sftp(self, tool: Tool | Rclone) -> None:
        self._push_and_pull(tool, "SFTP", self._remotes.sftp)

    def _push_and_pull(self, tool: Tool | Rclone, workload: str, place: Callable[[], Place]) -> None:
        if isinstance(tool, Rclone):
            self._copy(tool, workload, place())
            return
        for data, kind in ((self._small, "small files"), (self._big, "one file")):
            project = Project(self._meter, tool, scratch=self._scratch, workload=workload, data=data, place=place())
            project.add()
            project.measure(f"push, {kind}", "push", sync=True)
            if data is self._small:
                project.measure("push, nothing to do", "push")
            project.pull(f"pull, {kind}")
            if data is self._big:
                project.delete()

    def _copy(self, tool: Rclone, workload: str, place: Place) -> None:
        top = Path(tempfile.mkdtemp(prefix=f"{workload}-{tool.name}-", dir=self._scratch))
        env = tool.environment(place, self._remotes.known_hosts)
        for step, command in (
            ("push, one file", tool.upload(self._big, place)),
            ("pull, one file", tool.download(self._big.name, place, top)),
        ):
            self._meter.measure(command, workload=workload, step=step, tool=tool.name, cwd=top, env=env, sync=True)
        require_same(self._big, top / self._big.name, f"{tool.name}: what was copied")
        delete(place.directory)
        delete(top)
