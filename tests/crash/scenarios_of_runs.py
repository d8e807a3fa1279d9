"""Commands and programs that make something, and are killed."""

from __future__ import annotations

import re
import subprocess
import sys

from aftermath import is_held, read_oid
from scenario import ARTIFACTS, Scenario

from world import tree


class Run(Scenario):
    """A command whose outputs were there in an earlier version, and one that is new."""

    words = ("run", "-d", "data/a.csv", "-o", "extra.csv", "-o", "out", "--", "sh", "-c", "sh make.sh")

    def prepare(self) -> None:
        self.world.ok("add", "data", "model.bin")
        self.world.write("make.sh", b"echo first > extra.csv; mkdir out; echo 1 > out/a")
        (self.world.root / "extra.csv").unlink()
        self.world.ok(*self.words)
        self.world.write("make.sh", b"cp data/a.csv extra.csv; mkdir -p out/deep; echo 2 > out/a; echo 3 > out/deep/b")
        self.world.commit("what makes them has changed")
        self.olds = [read_oid(self.world.read(f"{path}.dt")) for path in ("extra.csv", "out")]

    def is_being_made(self, path: str) -> bool:
        return path == "extra.csv" or path.partition("/")[0] == "out"

    def check_killed(self) -> None:
        super().check_killed()
        for oid in self.olds:
            assert is_held(self.world.cache, oid), "the earlier output is lost"
        for path in ("extra.csv.dt", "out.dt"):
            run = re.search(rb'run: "?([0-9a-f]{64})', self.world.read(path))
            assert run is not None and is_held(self.world.cache, run[1].decode()), f"{path} names no record"


class Reproduce(Run):
    """The same, as the second of two runs that depend on each other."""

    def prepare(self) -> None:
        self.world.write("data/a.csv", b"a,1\n")
        self.world.ok("add", "data", "model.bin")
        (self.world.root / "extra.csv").unlink()
        self.world.ok("run", "-d", "data/a.csv", "-o", "extra.csv", "--", "sh", "-c", "cp data/a.csv extra.csv")
        second = "mkdir -p out/deep; cp extra.csv out/a; cp extra.csv out/deep/b"
        self.world.ok("run", "-d", "extra.csv", "-o", "out", "--", "sh", "-c", second)
        self.world.write("data/a.csv", b"a,1\nb,2\n")
        self.world.ok("add", "data")
        self.world.commit("the data has changed")
        self.olds = [read_oid(self.world.read(f"{path}.dt")) for path in ("extra.csv", "out")]
        self.words = ("reproduce", "out")


STAGES = """
import datatool
@datatool.stage
def made(n):
    return n
for n in range(5):
    made(n)
"""


class StageClean(Scenario):
    """Forgetting results of stages: the objects and the records of other runs are all there at any time."""

    words = ("stage", "clean", "--all")
    other = ("run", "-d", "data/a.csv", "-o", "copy.csv", "--", "cp", "data/a.csv", "copy.csv")

    def prepare(self) -> None:
        self.world.ok("add", *ARTIFACTS)
        self.world.write("stages.py", STAGES.encode())
        subprocess.run([sys.executable, "-P", "stages.py"], cwd=self.world.root, env=self.world.env, check=True)
        self.world.ok(*self.other)
        self.world.commit("all was run once")
        self.objects = set(tree(self.world.cache / "objects"))

    def check_killed(self) -> None:
        super().check_killed()
        assert self.objects <= set(tree(self.world.cache / "objects")), "an object is lost"
        ran = self.world.ok(*self.other)
        assert "unchanged" in ran.err, "the record of another run is lost"

    def check_finished(self) -> None:
        super().check_finished()
        assert not self.world.json("stage", "list")["stages"]


TRACKS = """
import datatool
for path in ("data", "model.bin"):
    datatool.track(path)
datatool.track("made.csv", source=lambda: "made")
datatool.track("notes.csv", source=lambda: "notes")  # the last line of the .gitignore, so it is appended
datatool.track("extra.csv", output=True)
"""


class Track(Scenario):
    """A program that tracks what changed, what a function makes, and an output. What the program itself writes may of
    course be torn, so it does not."""

    def prepare(self) -> None:
        for name in ("CI", "DATATOOL_FROZEN"):
            self.world.env.pop(name, None)

    @property
    def command(self) -> list[str]:
        return [sys.executable, "-P", "-c", TRACKS]

    def check_told(self, err: str) -> None:
        """A program that catches nothing ends with Python's traceback, which is of an error of ours."""
        told = re.search(r"^datatool\.errors\.", err, re.MULTILINE)
        assert "Traceback" not in err or told, f"a traceback: {err[-300:]}"

    def again(self) -> None:
        done = subprocess.run(self.command, cwd=self.home.root, env=self.home.env, capture_output=True, text=True)
        assert done.returncode == 0, f"running again failed\n{done.stderr}"


CHAIN = """
import datatool

@datatool.stage(table=datatool.File("data/a.csv"))
def rows(table):
    return table.read_text().splitlines()

@datatool.stage(lines=rows)
def longest(lines):
    return {"longest": max(lines, key=len), "odd": (1, 2)}

print(longest()["longest"])
"""


class Stages(Scenario):
    """A program of two stages, whose results are a JSON text and a pickle."""

    def prepare(self) -> None:
        self.world.ok("add", "data", "model.bin", "extra.csv")
        self.world.write("stages.py", CHAIN.encode())
        self.world.commit("a program")

    @property
    def command(self) -> list[str]:
        return [sys.executable, "-P", "stages.py"]

    def again(self) -> None:
        for _ in range(2):
            done = subprocess.run(self.command, cwd=self.home.root, env=self.home.env, capture_output=True, text=True)
            assert (done.returncode, done.stdout) == (0, "a,1\n"), f"running again failed\n{done.stderr}"
