"""The commands that are killed, each with the world it is killed in and what must hold of that world."""

from __future__ import annotations

import os
import random
import re
import shutil
import subprocess
import sys
from abc import ABC, abstractmethod
from pathlib import Path

import pytest
from aftermath import check_pointer, check_store, is_held, read_oid, temps
from crashpoints import Stage, Traced, trace

from datatool.cache.local import Cache
from datatool.formats.remote_format import RemoteFormat
from datatool.formats.tree_object import read_tree
from datatool.hashing import digest
from datatool.index.state import State
from datatool.model.oid import EMPTY, parse_oid
from network.hurried import LOOSE_FROM
from world import DATATOOL, World, executables, held, tree

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
    stride = 1
    """How many points the fast suite goes on at a time; the campaign takes every one."""
    large = 600_000
    """Bytes of a file that is an object of its own in the first remote."""

    def __init__(self, top: Path, tracer: Path, *, many: int = 0) -> None:
        self.tracer = tracer
        self.world = World(top / "w")
        first_version(self.world, many=many, large=self.large)
        self.world.ok("add", "data", "model.bin")
        self.world.commit("first version")
        with pytest.MonkeyPatch.context() as patched:
            patched.setitem(RemoteFormat.__init__.__kwdefaults__, "loose_min", LOOSE_FROM)  # it stays the remote's
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
        assert executables(self.home.root) == {"data/run.sh"}, "an executable bit is lost"
        staged = self.home.git("status", "--porcelain")
        assert staged == self.staged, f"git status says {staged!r}, not {self.staged!r}"
        for store in (self.world.cache, self.copy.cache, self.world.remote):
            check_store(store)
        assert self.home.json("status")["clean"], "status does not say clean"


class Add(Scenario):
    words = ("add", "data", "model.bin", "extra.csv")

    def prepare(self) -> None:
        """The second version lies in the workspace and nowhere else."""


class Push(Scenario):
    words = ("push",)

    def prepare(self) -> None:
        self.world.ok("add", "data", "model.bin", "extra.csv")
        self.world.commit("second version")

    def check_finished(self) -> None:
        super().check_finished()
        found = self.world.json("status", "--remote")["artifacts"]
        assert [artifact["remote"] for artifact in found] == [True, True, True]


class Checkout(Scenario):
    words = ("checkout",)

    def prepare(self) -> None:
        self.world.ok("add", "data", "model.bin", "extra.csv")
        self.world.commit("second version")
        self.world.git("checkout", "-q", "HEAD~1")


class Pull(Scenario):
    words = ("pull",)
    in_clone = True

    def prepare(self) -> None:
        self.world.ok("add", "data", "model.bin", "extra.csv")
        self.world.commit("second version")
        self.world.ok("push")
        self.world.git("push", "-q", str(self.world.origin), "HEAD")
        self.copy.git("pull", "-q", "--ff-only")


class PushToMirror(Push):
    """A push to two remotes, of which the second one is still empty."""

    stride = 16
    large = 4_300_000  # the new remote is an ordinary one

    def prepare(self) -> None:
        super().prepare()
        self.world.ok("remote", "add", "mirror", str(self.world.top / "mirror"), "--set", "mirror=true")
        self.world.commit("a mirror")

    def check_killed(self) -> None:
        super().check_killed()
        check_store(self.world.top / "mirror")

    def check_finished(self) -> None:
        super().check_finished()
        found = self.world.json("status", "--remote", "-r", "mirror")["artifacts"]
        assert [artifact["remote"] for artifact in found] == [True, True, True]


class Copy(Scenario):
    """One remote copied to another one that is still empty."""

    words = ("remote", "copy", "default", "second")
    stride = 16
    large = 4_300_000  # the new remote is an ordinary one

    def prepare(self) -> None:
        self.world.ok("add", "data", "model.bin", "extra.csv")
        self.world.ok("remote", "add", "second", str(self.world.top / "second"))
        self.world.commit("second version")
        self.world.ok("push")

    def check_killed(self) -> None:
        super().check_killed()
        check_store(self.world.top / "second")

    def check_finished(self) -> None:
        super().check_finished()
        check_store(self.world.top / "second")
        found = self.world.json("status", "--remote", "-r", "second")["artifacts"]
        assert [artifact["remote"] for artifact in found] == [True, True, True]


class _Registry(Scenario):
    """Another project that takes data from this one."""

    stride = 3

    def prepare(self) -> None:
        self.copy = World(self.world.top, name="taker", init=False)
        self.copy.root.mkdir()
        self.copy.git("init", "-q")
        self.copy.ok("init")
        self.copy.commit("start")
        self.in_clone = True
        self.take()

    @abstractmethod
    def take(self) -> None:
        """Bring the taker to just before the command."""

    def second(self) -> None:
        self.world.ok("add", "data", "model.bin", "extra.csv")
        self.world.commit("second version")
        self.world.ok("push")


class Get(_Registry):
    def take(self) -> None:
        (self.copy.root / "got").mkdir()
        self.words = ("get", str(self.world.root), "data", "model.bin", "-o", "got")
        self.world.git("checkout", "-q", "--", ".")

    def check_finished(self) -> None:
        now = tree(self.home.root)
        assert {path: data for path, data in now.items() if path.startswith("got/")} == {
            path: data for path, data in self.after.items() if path.startswith("got/")
        }
        assert not temps(self.home.root)


class Import(_Registry):
    def take(self) -> None:
        self.words = ("import", str(self.world.root), "data")

    def again(self) -> None:
        """Killed behind its pointer, it is done: then `import` says so, and `update` finds nothing to do."""
        if (self.copy.root / "data.dt").exists():
            self.copy.ok("pull")
            self.copy.git("add", "-A")
        else:
            super().again()


class Update(_Registry):
    words = ("update",)

    def take(self) -> None:
        self.copy.ok("import", str(self.world.root), "data")
        self.copy.commit("imported")
        self.second()


class Clean(_Registry):
    """Downloads removed: whenever that ends, what is left is right, or is brought again."""

    words = ("cache", "clean", "--downloads")
    stride = 8

    def take(self) -> None:
        self.world.git("checkout", "-q", "--", ".")
        self.bring()

    def bring(self) -> None:
        self.copy.ok("get", self.world.root.as_uri(), "data", "model.bin", "-o", "got", "--force")

    def check_killed(self) -> None:
        super().check_killed()
        self.bring()

    def check_finished(self) -> None:
        assert tree(self.home.root) == self.after
        home = Path(self.home.env["XDG_CACHE_HOME"]) / "datatool"
        assert not {"objects", "objects.db", "remotes"} & set(os.listdir(home))
        assert not temps(home)
        check_store(self.copy.cache)


class ImportUrl(Import):
    """The same from a directory that belongs to nobody."""

    def take(self) -> None:
        self.raw = self.world.top.parent / "raw/data"  # what is restored for each kill would have other dates
        shutil.copytree(self.world.root / "data", self.raw, symlinks=True)
        self.words = ("import-url", str(self.raw))


class UpdateUrl(ImportUrl):
    def take(self) -> None:
        super().take()
        self.copy.ok(*self.words)
        self.copy.commit("imported")
        (self.raw / "a.csv").write_bytes(b"third\n")
        (self.raw / "sub/b.bin").unlink()
        (self.raw / "sub/d.bin").write_bytes(random.Random(3).randbytes(100_000))
        self.words = ("update",)

    def again(self) -> None:
        Scenario.again(self)


class Run(Scenario):
    """A command whose outputs were there in an earlier version, and one that is new."""

    words = ("run", "-d", "data/a.csv", "-o", "extra.csv", "-o", "out", "--", "sh", "-c", "sh make.sh")
    stride = 2

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

    stride = 4

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


class Move(Scenario):
    """A directory that goes elsewhere, with an edit that nobody saved: it is never in two places, or in none."""

    words = ("move", "data", "sub/moved")

    def prepare(self) -> None:
        self.world.ok("add", *ARTIFACTS)
        self.world.commit("second version")
        self.world.write("data/a.csv", b"nobody saved this\n")

    def look(self) -> dict[str, bytes | str | None]:
        """As if nothing had moved: which name data and pointer have is looked at when it is finished."""
        found = super().look()
        assert not ("data" in found and "sub/moved" in found), "the data is in two places"
        return {re.sub(r"^sub/moved(?=/|$|\.dt$)", "data", path): value for path, value in found.items()}

    def check_killed(self) -> None:
        for store in (self.world.cache, self.world.remote):
            check_store(store)
        now = self.look()
        for path, data in self.before.items():
            assert path.endswith(".gitignore") or now.get(path) == data, f"{path} is lost"

    def again(self) -> None:
        """Killed when its mark was gone, it is done."""
        if list((self.home.local / "tmp/moves").glob("*")) or (self.home.root / "data.dt").exists():
            super().again()

    def check_finished(self) -> None:
        now = tree(self.home.root)
        assert {"sub/moved/a.csv", "sub/moved.dt"} <= now.keys() and not {"data", "data.dt"} & now.keys()
        assert self.look() == self.after, "the command is not finished"
        assert not temps(self.home.root)
        assert self.home.git("status", "--porcelain") == self.staged
        assert not list((self.home.local / "tmp/moves").iterdir()), "a mark is left"


class Collect(Scenario):
    """What nobody needs: a pack and files to be thrown away, a pack to be written anew, and what has lain in the trash
    for a day."""

    words = ("gc", "--apply", "--keep-days", "0")
    stride = 2

    def prepare(self) -> None:
        self.world.ok("add", "data", "model.bin", "extra.csv")
        self.world.commit("second version")
        self.junk("first", many=300)
        self.junk("second", many=2)
        self.world.ok(*self.words)
        for batch in (self.world.cache / "trash").glob("*/*"):
            os.utime(batch, (1, 1))
        self.junk("third", many=300)
        self.junk("fourth", many=2)
        for number in range(300):
            self.world.write(f"kept/{number}", b"in one pack %d" % number)
        self.world.ok("add", "kept")
        shutil.rmtree(self.world.root / "kept")
        for number in range(9):
            self.world.write(f"kept/{number}", b"in one pack %d" % number)
        self.world.ok("add", "kept")
        self.world.commit("a few of many")
        self.needed = self.reachable()

    def junk(self, name: str, *, many: int) -> None:
        """Files that were added, and that nobody tracks any more."""
        for number in range(many):
            self.world.write(f"{name}/{number}", b"%s %d" % (name.encode(), number))
        self.world.ok("add", name)
        self.world.ok("remove", name)
        shutil.rmtree(self.world.root / name)
        self.world.git("add", "-A")

    def reachable(self) -> set[str]:
        """What the pointers of the two versions name, as the world is now."""
        cache = Cache(self.world.cache, State(None))
        names = self.world.git("rev-list", "--objects", "--all", "--", "*.dt").splitlines()
        found = set()
        for blob in {line.split(" ")[0] for line in names if line.endswith(".dt")}:
            oid = parse_oid(read_oid(self.world.git("cat-file", "blob", blob).encode()))
            found.add(str(oid))
            if cache.load(oid).startswith(b"dt-tree"):
                found |= {str(entry.oid) for entry in read_tree(oid, cache.load) if entry.oid is not None}
        return found

    def check_killed(self) -> None:
        super().check_killed()
        assert self.needed <= held(self.world.cache) | {EMPTY}, "what is needed is gone"

    def check_finished(self) -> None:
        super().check_finished()
        now = held(self.world.cache)
        assert self.needed <= now | {EMPTY}, "what is needed is gone"
        assert not any(digest(b"%s 1" % name) in now for name in (b"first", b"second", b"third", b"fourth"))
        old = [path for path in (self.world.cache / "trash").glob("*/*") if path.stat().st_mtime < 1000]
        assert not old, "the trash of a day ago is still there"


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
        last = err.rstrip().rpartition("\n")[2]
        assert "Traceback" not in err or last.startswith("datatool.errors."), f"a traceback: {err[-300:]}"

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

    stride = 2

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


SCENARIOS: dict[str, type[Scenario]] = {
    "add": Add,
    "track": Track,
    "stages": Stages,
    "checkout": Checkout,
    "push": Push,
    "push to a mirror": PushToMirror,
    "pull": Pull,
    "remote copy": Copy,
    "get": Get,
    "cache clean": Clean,
    "gc": Collect,
    "move": Move,
    "import": Import,
    "update": Update,
    "import-url": ImportUrl,
    "update from a url": UpdateUrl,
    "run": Run,
    "reproduce": Reproduce,
    "stage clean": StageClean,
}


def _lines(text: object) -> list[bytes]:
    return text.splitlines() if isinstance(text, bytes) else []
