"""Commands on the files here that are killed: those that track, bring back, move and remove them, and `gc`."""

from __future__ import annotations

import os
import re
import shutil

from aftermath import check_store, read_oid, temps
from scenario import ARTIFACTS, Scenario

import needs
from datatool.cache.local import Cache
from datatool.formats.tree_object import read_tree
from datatool.hashing import digest
from datatool.index.state import State
from datatool.model.oid import EMPTY, parse_oid
from world import held, tree


class Add(Scenario):
    words = ("add", "data", "model.bin", "extra.csv")
    every_point = True

    def prepare(self) -> None:
        """The second version lies in the workspace and nowhere else."""


class AddAndLink(Scenario):
    """Large files become the cache's own, under a second name and read-only."""

    words = ("add", *ARTIFACTS)
    every_point = True

    def prepare(self) -> None:
        self.world.write("data/sub/large.bin", b"large" * 20_000)
        self.world.write("data/sub/the_same.bin", b"large" * 20_000)
        self.world.ok("config", "set", "--local", "cache.link", "hardlink")

    @property
    def command(self) -> list[str]:
        """As an ordinary user, since there are no hardlinks for root."""
        return [*needs.without_root_override(), *super().command]

    def again(self) -> None:
        ran = self.home.process(*self.words, before=needs.without_root_override())
        assert ran.code == 0, f"running again failed\n{ran}"

    def check_killed(self) -> None:
        super().check_killed()
        loose = (path for path in (self.world.cache / "objects").rglob("*") if path.is_file())
        writable = [path for path in loose if path.stat().st_mode & 0o222]
        assert not writable, f"objects that can be written to: {writable}"

    def check_stopped(self) -> None:
        """Nobody's file is read-only that is not the cache's."""
        for path in ("model.bin", "data/sub/large.bin", "data/sub/the_same.bin"):
            at = os.lstat(self.home.root / path)
            assert at.st_mode & 0o200 or at.st_nlink > 1, f"{path} stays read-only"

    def check_finished(self) -> None:
        super().check_finished()
        for path in ("model.bin", "data/sub/large.bin"):  # killed after the pointers, its double may not be linked yet
            assert os.lstat(self.home.root / path).st_nlink > 1, f"{path} is a copy"


class Checkout(Scenario):
    words = ("checkout",)
    every_point = True

    def prepare(self) -> None:
        self.world.ok("add", "data", "model.bin", "extra.csv")
        self.world.commit("second version")
        self.world.git("checkout", "-q", "HEAD~1")


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


class Remove(Scenario):
    """Artifacts that are tracked no longer, with an edit that nobody saved: the data stays."""

    words = ("remove", "data", "model.bin")

    def prepare(self) -> None:
        self.world.ok("add", *ARTIFACTS)
        self.world.commit("second version")
        self.world.write("data/a.csv", b"nobody saved this\n")

    def again(self) -> None:
        """Killed when its mark was gone, it is done."""
        if list((self.home.local / "tmp/removals").glob("*")) or (self.home.root / "data.dt").exists():
            super().again()

    def check_finished(self) -> None:
        super().check_finished()
        assert not list((self.home.local / "tmp/removals").iterdir()), "a mark is left"


class RemoveData(Remove):
    """The data goes, too, as all of it is in the cache."""

    words = ("remove", "--data", "data", "model.bin")
    executable = frozenset[str]()

    def prepare(self) -> None:
        self.world.ok("add", *ARTIFACTS)
        self.world.commit("second version")
        self.objects = held(self.world.cache)

    def check_killed(self) -> None:
        super().check_killed()
        assert self.objects <= held(self.world.cache), "an object is lost"


class Collect(Scenario):
    """What nobody needs: a pack and files to be thrown away, a pack to be written anew, and what has lain in the trash
    for a day."""

    words = ("gc", "--apply", "--keep-days", "0")

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
