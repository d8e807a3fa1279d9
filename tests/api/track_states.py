"""The states that a path may be in when `track()` is called, as functions that bring a project there."""

from __future__ import annotations

from api.tracking import NEW, OLD, OWN
from world import World


def unknown(world: World) -> None:
    world.write("x.csv", NEW)


def equal(world: World) -> None:
    """Two versions, the second one here."""
    world.write("x.csv", OLD)
    world.ok("add", "x.csv")
    world.commit("old")
    world.write("x.csv", NEW)
    world.settle()
    world.ok("add", "x.csv")
    world.commit("new")
    world.ok("push")


def missing(world: World) -> None:
    equal(world)
    (world.root / "x.csv").unlink()


def missing_everywhere_but_on_the_remote(world: World) -> None:
    missing(world)
    world.cache.rename(world.top / "the cache that was")


def changed(world: World) -> None:
    equal(world)
    world.write("x.csv", OWN)


def older(world: World) -> None:
    """The user put the first version there."""
    equal(world)
    world.write("x.csv", OLD)


def outdated(world: World) -> None:
    """datatool put the first version there, and git brought the second one's pointer."""
    equal(world)
    world.ok("checkout", "x.csv", "--rev", "HEAD~1")
    world.git("checkout", "-q", "HEAD", "--", "x.csv.dt")


def unnamed(world: World) -> None:
    """The user's version was recorded and never committed, and git put the pointer back."""
    equal(world)
    world.write("x.csv", OWN)
    world.settle()
    world.ok("add", "x.csv")
    world.git("checkout", "-q", "HEAD", "--", "x.csv.dt")


def of_git(world: World) -> None:
    world.write("x.csv", NEW)
    world.commit("of git")


def directory(world: World) -> None:
    world.write("data/a.txt", b"a\n")
    world.write("data/deep/b.txt", b"b\n")
    world.settle()
    world.ok("add", "data")
    world.commit("data")
    world.ok("push")
