"""Commands that bring content to remotes and from them, and are killed."""

from __future__ import annotations

from aftermath import check_store
from scenario import Scenario


class Push(Scenario):
    words = ("push",)
    every_point = True

    def prepare(self) -> None:
        self.world.ok("add", "data", "model.bin", "extra.csv")
        self.world.commit("second version")

    def check_finished(self) -> None:
        super().check_finished()
        found = self.world.json("status", "--remote")["artifacts"]
        assert [artifact["remote"] for artifact in found] == [True, True, True]


class PushToMirror(Push):
    """A push to two remotes, of which the second one is still empty."""

    every_point = False
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


class Pull(Scenario):
    words = ("pull",)
    every_point = True
    in_clone = True

    def prepare(self) -> None:
        self.world.ok("add", "data", "model.bin", "extra.csv")
        self.world.commit("second version")
        self.world.ok("push")
        self.world.git("push", "-q", str(self.world.origin), "HEAD")
        self.copy.git("pull", "-q", "--ff-only")


class PullLarge(Pull):
    """A file that is copied into the workspace while it arrives."""

    every_point = False
    large = 17 << 20


class Copy(Scenario):
    """One remote copied to another one that is still empty."""

    words = ("remote", "copy", "default", "second")
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
