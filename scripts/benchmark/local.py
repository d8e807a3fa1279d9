"""The workloads that need no network: one big file, many files, very many files, start-up, programs that track."""

from __future__ import annotations

import argparse
from pathlib import Path

from benchmark.data import DataSets, change_some
from benchmark.measuring import Meter
from benchmark.projects import Project, require_same
from benchmark.tools import Tool

_TRACK_ALL = "import datatool, pathlib; datatool.track([*pathlib.Path('data').rglob('*.bin')])"
_TRACK_EACH = "import datatool, pathlib\nfor path in sorted(pathlib.Path('data').rglob('*.bin')): datatool.track(path)"
_TRACK_SOME = """
import datatool, itertools, pathlib
some = sorted(pathlib.Path("data").rglob("*.bin"))[:10]
for path in itertools.islice(itertools.cycle(some), 1_000):
    datatool.track(path)
"""


class LocalWorkloads:
    """Each method is a workload: one tool, one round."""

    def __init__(self, meter: Meter, data: DataSets, *, scratch: Path, options: argparse.Namespace) -> None:
        self._meter, self._data, self._scratch, self._options = meter, data, scratch, options
        self._registries: dict[str, Project] = {}

    def w1(self, tool: Tool) -> None:
        data = self._data.big_file(self._options.big_mib)
        linked = self._project(tool, "W1", data)
        linked.run(tool.hardlinks())
        linked.measure("add, hardlink", "add", data.name, sync=True, user=True)
        linked.delete()
        project = self._project(tool, "W1", data)
        _everyday(project)
        project.delete()

    def w2(self, tool: Tool) -> None:
        _everyday(self._project(tool, "W2", self._data.files("W2", self._options.files, 4096, 20480)))

    def w3(self, tool: Tool) -> None:
        project = self._project(tool, "W3", self._data.files("W3", self._options.tiny, 1024, 1024))
        project.measure("add", "add", project.target, sync=True)
        project.commit()
        project.measure("status", "status")
        project.measure("push", "push", sync=True)

    def w4(self, tool: Tool) -> None:
        registry = self._registry(tool)
        project = self._project(tool, "W4", None)
        wanted = f"{registry.target}/d000/e0007/f001500.bin"
        where = str(registry.work)
        project.measure("get one file", "get", where, wanted, "-o", "got.bin")
        project.measure("import one file", "import", where, wanted, "-o", "imported.bin")
        project.measure("list -R", "list", "-R", where)
        for name in ("got.bin", "imported.bin"):
            require_same(registry.work / wanted, project.work / name, f"{tool.name}: {name}")

    def _registry(self, tool: Tool) -> Project:
        """A project with all files of W2, made once for each tool."""
        if tool.name not in self._registries:
            project = self._project(tool, "W4", self._data.files("W2", self._options.files, 4096, 20480))
            project.add()
            project.run([tool.exe, "push"])
            self._registries[tool.name] = project
        return self._registries[tool.name]

    def w6(self, tool: Tool) -> None:
        project = self._project(tool, "W6", None)
        for _ in range(5):
            project.measure("--version", "--version")
            project.measure("--help", "--help")
            project.measure("status, empty project", "status")

    def w7(self, tool: Tool) -> None:
        for count in (10, 1_000, 10_000):
            project = self._project(tool, "W7", self._data.files(f"W7-{count}", count, 100, 100))
            project.program("", _TRACK_ALL)
            project.commit()
            project.program(f"1,000 calls, unchanged, {count:,} artifacts", _TRACK_SOME)
        project = self._project(tool, "W7", self._data.files("W7-400", 400, 100, 100))
        project.program("400 calls, new files", _TRACK_EACH)

    def _project(self, tool: Tool, workload: str, data: Path | None) -> Project:
        return Project(self._meter, tool, scratch=self._scratch, workload=workload, data=data)


def _everyday(project: Project) -> None:
    """Add, status, checkout, push and pull, each as a whole process."""
    project.measure("add", "add", project.target, sync=True)
    project.measure("add again, unchanged", "add", project.target)
    project.commit()
    project.measure("status", "status")
    (project.work / project.target).rename(project.top / "moved-away")
    project.measure("checkout", "checkout", sync=True)
    if (project.work / project.target).is_dir():
        change_some(project.work / project.target)
        project.measure("status, 100 changed", "status")
        project.add()
    project.measure("push", "push", sync=True)
    project.measure("push, nothing to do", "push")
    project.pull("pull into a fresh clone")
