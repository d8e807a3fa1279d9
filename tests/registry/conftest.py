"""A registry for other projects to read, and a project that does."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from registry.lfs_world import LfsWorld
from servers.git_daemon import GitDaemon, git_daemon
from servers.lfs import LfsServer, lfs_server
from world import World


@pytest.fixture
def registry(tmp_path: Path) -> World:
    """Data and code in one repository, pushed to a directory, with two tags."""
    world = World(tmp_path / "r", name="registry")
    for n in range(3):
        world.write(f"music/songs/s{n}.txt", b"song %d\n" % n)
    world.write("music/songs/run.sh", b"#!/bin/sh\n", executable=True)
    (world.root / "music/songs/link").symlink_to("s0.txt")
    (world.root / "music/songs/empty").mkdir()
    world.write("music/notes.md", b"# notes\n")
    world.write("model.bin", b"model one")
    world.write("src/train.py", b"print('train')\n")
    world.ok("add", "music/songs", "model.bin")
    world.ok("push")
    world.commit("one")
    world.git("tag", "-a", "v1", "-m", "first")
    return world


def second_version(registry: World) -> str:
    """New data in the registry; gives its commit."""
    registry.write("music/songs/s3.txt", b"song 3\n")
    registry.write("music/songs/s1.txt", b"song 1, again\n")
    (registry.root / "music/songs/s2.txt").unlink()
    registry.ok("add", "music/songs")
    registry.ok("push")
    return registry.commit("two")


@pytest.fixture
def project(tmp_path: Path) -> World:
    """Another project, with a remote of its own."""
    return World(tmp_path / "p")


@pytest.fixture
def daemon(registry: World) -> Iterator[GitDaemon]:
    """git's server before the registry."""
    with git_daemon(registry.top) as found:
        yield found


@pytest.fixture
def songs(tmp_path: Path) -> LfsWorld:
    """A repository with Git LFS, yet to be made."""
    return LfsWorld(top=tmp_path)


@pytest.fixture
def server(songs: LfsWorld) -> Iterator[LfsServer]:
    """The server of its objects."""
    with lfs_server(songs.served) as server:
        yield server
