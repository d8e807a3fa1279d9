"""Worlds that several modules of these tests begin with."""

from __future__ import annotations

import pytest

from datatool.cache import adoption
from world import World


@pytest.fixture
def versions(world: World) -> World:
    """Two versions of a directory and a file, committed and pushed; tags v1 and v2."""
    world.write("data/a.txt", b"a1")
    world.write("data/b.txt", b"b1")
    world.write("data/sub/c.txt", b"c1")
    world.write("data/run.sh", b"#!/bin/sh\n", executable=True)
    world.write("one.bin", b"first")
    world.ok("add", "data", "one.bin")
    world.commit("one")
    world.git("tag", "v1")
    world.write("data/a.txt", b"a2!")
    (world.root / "data/b.txt").unlink()
    world.write("data/new.txt", b"new")
    world.write("one.bin", b"second")
    world.ok("add", "data", "one.bin")
    world.commit("two")
    world.git("tag", "v2")
    world.ok("push", "--all-commits")
    return world


@pytest.fixture
def pushed(world: World) -> World:
    world.write("data/a.txt", b"a" * 10)
    world.write("data/b.txt", b"b" * 20)
    world.write("one.bin", b"one")
    world.ok("add", "data", "one.bin")
    world.commit("one")
    world.ok("push")
    return world


@pytest.fixture
def linked(world: World) -> World:
    """A project whose files are the cache's own, where that can be."""
    world.ok("config", "set", "cache.link", "hardlink, copy")
    return world


@pytest.fixture
def as_if_no_root(monkeypatch: pytest.MonkeyPatch) -> None:
    """Hardlinks in this process too, where the tests are root's."""
    monkeypatch.setattr(adoption, "hardlinks_safe", lambda directory: True)
    monkeypatch.setattr("datatool.workspace.placing.hardlinks_safe", lambda directory: True)
