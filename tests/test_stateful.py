"""The whole, driven at random against a model of what the workspace must hold: nothing unsaved is ever lost."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path

import hypothesis.strategies as st
from hypothesis import HealthCheck, settings
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from world import World

NAMES = st.sampled_from(["a", "b.txt", "d/x", "d/y", "d/e/z"])
CONTENTS = st.sampled_from([b"", b"one", b"two", b"three!", b"x" * 70_000])
Files = dict[str, bytes]


class Machine(RuleBasedStateMachine):
    """One artifact `data` in a project and its clone; `here` is what must lie in the project's workspace."""

    def __init__(self) -> None:
        super().__init__()
        self.top = Path(tempfile.mkdtemp(prefix="stateful-"))
        self.world = World(self.top)
        self.here: Files = {}
        self.base: Files = {}
        self.saved: set[bytes] = {b""}  # no bytes can be lost
        self.versions: list[tuple[str, Files]] = []
        self.current = -1
        self.pushed = False

    def teardown(self) -> None:
        shutil.rmtree(self.top, ignore_errors=True)

    @initialize(content=CONTENTS)
    def start(self, content: bytes) -> None:
        self.write("a", content)
        self.add()

    @rule(name=NAMES, content=CONTENTS)
    def write(self, name: str, content: bytes) -> None:
        self.world.write(f"data/{name}", content)
        self.here[name] = content

    @rule(name=NAMES)
    def delete(self, name: str) -> None:
        if self.here.pop(name, None) is not None:
            path = self.world.root / "data" / name
            path.unlink()
            while path.parent != self.world.root / "data" and not any(path.parent.iterdir()):
                path = path.parent
                path.rmdir()

    @rule()
    def touch(self) -> None:
        for name in self.here:
            os.utime(self.world.root / "data" / name)

    @precondition(lambda self: self.current == len(self.versions) - 1)
    @rule()
    def add(self) -> None:
        (self.world.root / "data").mkdir(exist_ok=True)
        self.world.ok("add", "data")
        self.saved |= set(self.here.values())
        self.base = dict(self.here)
        self.versions.append((self.world.commit(), dict(self.here)))
        self.current = len(self.versions) - 1
        self.pushed = False

    @rule(which=st.integers(min_value=0))
    def go(self, which: int) -> None:
        """`git checkout` and `datatool checkout` of a version: unsaved files refuse it, and all stays as it was."""
        number = which % len(self.versions)
        commit, target = self.versions[number]
        self.world.git("checkout", "-q", commit)
        unsaved = {
            name
            for name, content in self.here.items()
            if name in target and content not in (target[name], self.base.get(name)) and content not in self.saved
        }
        ran = self.world.run("checkout")
        if unsaved:
            assert ran.code == 7, ran
            assert all(name in ran.err for name in sorted(unsaved)[:1])
            self.world.git("checkout", "-q", self.versions[self.current][0])
            return
        assert ran.code == 0, ran
        kept = {
            name: content
            for name, content in self.here.items()
            if name not in target and content != self.base.get(name)
        }
        self.here = {**target, **kept}
        self.base = dict(target)
        self.current = number

    @rule()
    def rebuild_memory(self) -> None:
        """Without its database the project knows less of what it wrote, and must still lose nothing."""
        if self.here == self.base:
            for path in self.world.local.glob("state.db*"):
                path.unlink()
            self.world.ok("checkout")

    @rule()
    def push(self) -> None:
        self.world.ok("push", "--all-commits")
        self.world.git("branch", "-f", "shared", self.versions[-1][0])
        self.pushed = True

    @precondition(lambda self: self.pushed)
    @rule(which=st.integers(min_value=0))
    def clone(self, which: int) -> None:
        """Anybody can get any pushed version."""
        commit, files = self.versions[which % len(self.versions)]
        where = Path(tempfile.mkdtemp(dir=self.top))
        self.world.git("clone", "-q", str(self.world.root), str(where / "copy"))
        copy = World(where, name="copy", init=False)
        copy.git("checkout", "-q", commit)
        copy.ok("pull")
        assert copy.tree("data") == files if files else not any(copy.tree("data").values())
        assert copy.json("status")["clean"]

    @invariant()
    def the_workspace_is_what_the_model_says(self) -> None:
        found = {name: data for name, data in self.world.tree("data").items() if data is not None}
        assert found == self.here

    @invariant()
    def status_tells_changes(self) -> None:
        if self.versions:
            (item,) = self.world.json("status")["artifacts"]
            modified = {name for name in self.here if name in self.base and self.here[name] != self.base[name]}
            assert set(item["changes"]["modified"]) == {f"data/{name}" for name in modified}
            assert (item["state"] == "clean") == (self.here == self.versions[self.current][1])


TestTheWhole = Machine.TestCase
TestTheWhole.settings = settings(
    max_examples=12, stateful_step_count=14, deadline=None, suppress_health_check=list(HealthCheck)
)
