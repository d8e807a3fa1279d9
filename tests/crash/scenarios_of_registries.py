"""Commands that take data from elsewhere, and are killed."""

from __future__ import annotations

import os
import random
import shutil
from abc import abstractmethod
from pathlib import Path

from aftermath import check_store, temps
from scenario import Scenario

from world import World, tree


class _Registry(Scenario):
    """Another project that takes data from this one."""

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
