"""A command that is killed, with the world it is killed in and what must hold of that world."""

from __future__ import annotations

import random
import re
from abc import ABC, abstractmethod
from pathlib import Path

import pytest
from aftermath import check_pointer, check_store, temps
from crashpoints import Stage, Traced, trace

from network.hurried import USUAL
from world import DATATOOL, World, executables, tree

POINTERS = ("data.dt", "model.bin.dt", "extra.csv.dt", "made.csv.dt", "notes.csv.dt")
ARTIFACTS = ("data", "model.bin", "extra.csv")


def first_version(world: World, *, many: int, large: int) -> None:
    noise = random.Random(1)
    world.write("data/a.csv", b"a,1\n")
    world.write("data/run.sh", b"#!/bin/sh\n", executable=True)
    world.write("data/sub/b.bin", noise.randbytes(100_000))
    world.write("data/sub/gone.txt", b"only in the first version\n")
    (world.root / "data/empty").mkdir()
    (world.root / "data/link").symlink_to("a.csv")
    for i in range(many):
        world.write(f"data/many/{i:04}.txt", b"first %d\n" % i)
    world.write("model.bin", noise.randbytes(large))  # large enough to lie loose in the remote


def second_version(world: World, *, many: int, large: int) -> None:
    noise = random.Random(2)
    world.write("data/a.csv", b"a,1\nb,2\n")
    world.write("data/sub/c.bin", noise.randbytes(50_000))
    (world.root / "data/sub/gone.txt").unlink()
    for i in range(0, many, 2):
        world.write(f"data/many/{i:04}.txt", b"second %d\n" % i)
    world.write("model.bin", noise.randbytes(large + 1))
    world.write("extra.csv", b"x,y\n")


class Scenario(ABC):
    """One command in one prepared world. After each kill: `check_killed`, run again, `check_finished`."""

    words: tuple[str, ...]
    in_clone = False
    executable = frozenset({"data/run.sh"})
    every_point = False
    """Whether the fast suite kills it at every call; of the others it draws some. The campaign takes every one."""
    large = 600_000
    """Bytes of a file that is an object of its own in the first remote."""

    def __init__(self, top: Path, tracer: Path, *, many: int = 0) -> None:
        self.tracer = tracer
        self.world = World(top / "w")
        first_version(self.world, many=many, large=self.large)
        self.world.ok("add", "data", "model.bin")
        self.world.commit("first version")
        with pytest.MonkeyPatch.context() as patched:
            patched.setattr("datatool.remote.format_file.RemoteFormat", USUAL)  # it stays the remote's
            self.world.ok("push")
        self.copy = self.world.clone()
        self.copy.ok("pull")
        second_version(self.world, many=many, large=self.large)
        self.prepare()
        self.home = self.copy if self.in_clone else self.world
        self.stage = Stage(self.world.top)
        self.before = self.look()
        self.stage.keep()
        self.clean = self.run(0)
        assert self.clean.code == 0, self.clean.err
        self.after = self.look()
        self.staged = self.home.git("status", "--porcelain")
        self.check_finished()

    @abstractmethod
    def prepare(self) -> None:
        """Bring the world to just before the command."""

    def look(self) -> dict[str, bytes | str | None]:
        """The work tree, as far as it is the same each time that the command is run: the record of a run says when it
        was, so its id is another each time."""
        found = tree(self.home.root)
        pointers = {path: data for path, data in found.items() if path.endswith(".dt") and isinstance(data, bytes)}
        return {
            **found,
            **{path: re.sub(rb'run: "?[0-9a-f]{64}"?', b"run: ...", data) for path, data in pointers.items()},
        }

    def run(self, n: int, fault: str = "kill", *, git: bool = False) -> Traced:
        """The command, disturbed at its n-th change (0: undisturbed), in the world as it is now."""
        command = self.command
        top, home = self.world.top, self.home
        return trace(self.tracer, command, top=top, cwd=home.root, env=home.env, n=n, fault=fault, git=git)

    @property
    def command(self) -> list[str]:
        """The program and its words."""
        return [*DATATOOL, *self.words]

    def again(self) -> None:
        """Run the same command undisturbed, as a user would."""
        ran = self.home.run(*self.words)
        assert ran.code == 0, f"running again failed\n{ran}"

    def check_killed(self) -> None:
        """Every name is absent, old or complete, and no byte of the user's is lost."""
        for store in (self.world.cache, self.copy.cache, self.world.remote):
            check_store(store)
        now = self.look()
        for path in self.before.keys() | self.after.keys() | now.keys():
            if "/.datatool-tmp-" in f"/{path}":
                continue
            found, old, new = now.get(path), self.before.get(path), self.after.get(path)
            if self.is_being_made(path):
                continue
            if path.endswith(".gitignore"):
                lines = set(_lines(old) + _lines(new))
                assert set(_lines(found)) <= lines, f"{path} is torn: {found!r}"
            elif path in now:
                known = path in self.before or path in self.after or found is None  # a directory not yet filled
                assert known, f"{path} appeared"
                assert found in (old, new), f"{path} is torn"
            else:  # never while it is being replaced: only before it is made or after it is removed
                assert old is None or path not in self.after, f"{path} is lost"
        for pointer in POINTERS:
            old, new = self.before.get(pointer), self.after.get(pointer)
            if old != new:
                assert old is None or isinstance(old, bytes)
                assert new is None or isinstance(new, bytes)
                found = now.get(pointer)
                assert found is None or isinstance(found, bytes)
                check_pointer(pointer, found, self.home.cache, old=old, new=new)

    def is_being_made(self, path: str) -> bool:
        """Whether a path is one that somebody else's program writes while the command is under way."""
        return False

    def check_told(self, err: str) -> None:
        """What a command says of a failure is for people."""
        assert "Traceback" not in err, f"a traceback: {err[-300:]}"

    def check_finished(self) -> None:
        """The command has done its work, and left nothing behind."""
        now = self.look()
        left = temps(self.home.root)
        assert not left, f"temporary files are left: {left}"
        differing = [path for path in sorted(now.keys() | self.after.keys()) if now.get(path) != self.after.get(path)]
        what = {path: (now.get(path), self.after.get(path)) for path in differing}
        assert not differing, f"the command is not finished: {what}"
        assert executables(self.home.root) == self.executable, "an executable bit is lost"
        staged = self.home.git("status", "--porcelain")
        assert staged == self.staged, f"git status says {staged!r}, not {self.staged!r}"
        for store in (self.world.cache, self.copy.cache, self.world.remote):
            check_store(store)
        assert self.home.json("status")["clean"], "status does not say clean"


def _lines(text: object) -> list[bytes]:
    return text.splitlines() if isinstance(text, bytes) else []
