"""`add` where the newest version came for a part of a directory only: the rest stays as that version has it."""

from __future__ import annotations

import pytest

from world import World


@pytest.fixture
def half(world: World) -> World:
    """A clone with an old version of `data`, into which one file of a newer one was pulled."""
    for name in ("a", "b", "c", "gone"):
        world.write(f"data/{name}", f"old {name}".encode())
    world.ok("add", "data")
    world.commit("old")
    world.ok("push")
    copy = world.clone()
    copy.ok("pull")
    for name in ("a", "b", "c"):
        world.write(f"data/{name}", f"new {name}".encode())
    (world.root / "data/gone").unlink()
    world.settle()
    world.ok("add", "data")
    world.commit("new")
    world.ok("push")
    world.git("push", "-q", str(world.origin), "HEAD")
    copy.git("pull", "-q")
    copy.ok("pull", "data/a")
    assert copy.read("data/b") == b"old b"
    return copy


def recorded(copy: World) -> dict[str, bytes | str | None]:
    """What the pointer names, restored."""
    copy.ok("pull", "data")
    return copy.tree("data")


def test_what_nobody_touched_stays_as_the_newest_version_has_it(half: World) -> None:
    half.write("data/n", b"mine")
    half.settle()
    half.ok("add", "data")
    assert recorded(half) == {"a": b"new a", "b": b"new b", "c": b"new c", "n": b"mine"}


def test_what_somebody_changed_or_deleted_here_is_recorded(half: World) -> None:
    half.write("data/b", b"my b")
    (half.root / "data/c").unlink()
    half.settle()
    half.ok("add", "data")
    assert recorded(half) == {"a": b"new a", "b": b"my b"}


def test_with_prune_too_the_newest_version_of_what_is_here_counts(half: World) -> None:
    half.write("data/n", b"mine")
    half.settle()
    half.ok("add", "--prune", "data")
    assert recorded(half) == {"a": b"new a", "b": b"new b", "c": b"new c", "n": b"mine"}
