"""The prepared states of a sweep: a first push, a second one, a pull, each with the store as it must be before it.

A few small files that go into a pack, one object that is sent and read as a whole, and one that goes in parts, with
the sizes of `haste`.
"""

from __future__ import annotations

import os
import random
import shutil
from collections.abc import Iterable
from pathlib import Path

from datatool.hashing import digest
from network.contents import Contents, in_shards, unlisted
from network.fault_sweep import Traffic
from network.places import Place
from world import World

WHOLE = 1 << 20
"""The size of what is sent and read in one request."""
PARTED = (1 << 20) + (1 << 19)
"""The size of what goes in parts."""


class Ground:
    """A project with a remote, its first and its second version, and a clone of each: what scenes are made from."""

    def __init__(self, world: World, place: Place) -> None:
        self.world = world
        self.place = place
        self._noise = random.Random(7)
        world.ok("config", "set", "durability", "none")
        place.add_to(world)
        for n in range(30):
            world.write(f"data/part{n % 3}/f{n:02}.bin", self._noise.randbytes(200 + 60 * n))
        world.write("data/run.sh", b"#!/bin/sh\n", executable=True)
        world.write("data/empty", b"")
        world.write("data/whole.bin", self._noise.randbytes(WHOLE))
        world.write("parted.bin", self._noise.randbytes(PARTED))
        self.world.ok("add", "data", "parted.bin")
        self.world.commit("first")

    def second_version(self) -> None:
        """Change a few files, and add some of each size."""
        for n in range(3, 8):
            self.world.write(f"data/part{n % 3}/f{n:02}.bin", self._noise.randbytes(300))
        self.world.write("data/another.bin", self._noise.randbytes(WHOLE))
        self.world.write("another.bin", self._noise.randbytes(PARTED))
        self.world.ok("add", "data", "another.bin")
        self.world.commit("second")

    def clone(self, name: str) -> World:
        """A colleague's clone, in which the colleague has files of his own."""
        clone = self.place.join(self.world.clone(name))
        clone.ok("config", "set", "--local", "durability", "none")
        clone.write("notes.txt", b"my own")
        clone.write("data/mine.txt", b"my own, too")
        return clone

    def contents(self) -> dict[str, bytes]:
        """What the store holds now."""
        return {name: self.place.read(name) for name in self.place.names()}

    def rewind(self, wanted: Contents, found: Contents | None = None) -> None:
        """Make the store hold just this."""
        found = self.contents() if found is None else found
        self.place.abort()
        for name in found.keys() - wanted.keys():
            self.place.delete(name)
        for name, data in wanted.items():
            if found.get(name) != data:
                self.place.write(name, data)


class _Scene:
    """What all scenes share: a clone that is put back from a copy, and a store that is put back by name."""

    def __init__(self, name: str, ground: Ground, world: World, stored: Contents) -> None:
        self.name = name
        self.world = world
        self._ground = ground
        self._stored = stored
        self._copy = world.top / f"{world.root.name}.before"
        shutil.copytree(world.root, self._copy, symlinks=True)

    def restore(self) -> None:
        shutil.rmtree(self.world.root)
        shutil.copytree(self._copy, self.world.root, symlinks=True)
        self._ground.rewind(self._stored)

    def contents(self) -> Contents:
        return self._ground.contents()

    def unfinished(self) -> Iterable[str]:
        return self._ground.place.unfinished()


class PullScene(_Scene):
    """A fresh clone gets everything; nothing is written to the store."""

    words = ("pull",)

    def __init__(self, ground: Ground, *, resumes: bool = True) -> None:
        """`resumes` is whether the server can go on in the middle of a file."""
        world = ground.clone("reader")
        super().__init__("pull", ground, world, ground.contents())
        self._expected = _data(ground.world) | _data(world)
        self._resumes = resumes
        cache = ground.world.cache / "objects"
        self._objects = {path.parent.name + path.name: path.read_bytes() for path in cache.rglob("*") if path.is_file()}

    def troubles(self, *, done: bool) -> list[str]:
        found = _data(self.world)
        wrong = [f"{path} is not what it should be" for path, data in found.items() if self._expected.get(path) != data]
        own = [path for path, data in _data_of(self._copy).items() if found.get(path) != data]
        missing = sorted(self._expected.keys() - found.keys()) if done else []
        return wrong + [f"the user's own {path} is gone" for path in own] + [f"{path} is missing" for path in missing]

    def kept(self) -> int:
        objects = (path for path in (self.world.cache / "objects").rglob("*") if path.is_file())
        parts = (self.world.cache / "tmp").glob("*.part") if self._resumes else ()
        return sum(path.stat().st_size for path in objects) + sum(map(self._kept_of, parts))

    def _kept_of(self, part: Path) -> int:
        """Of a download that broke off. One with wrong bytes costs more than nothing: it is noticed at the end."""
        found, whole = part.read_bytes(), self._objects[part.stem]
        return len(found) if whole.startswith(found) else len(found) - len(whole)

    def moved(self, traffic: Traffic) -> int:
        return traffic.down


class PushScene(_Scene):
    """Somebody sends what the store lacks; a colleague's clone must get all of it afterwards."""

    words = ("push",)

    def __init__(self, name: str, ground: Ground, reader: World, stored: Contents) -> None:
        super().__init__(name, ground, ground.world, stored)
        self._reader = _Reader(reader)
        self._expected = self.world.tree()

    def troubles(self, *, done: bool) -> list[str]:
        if self.world.tree() != self._expected:
            return ["the user's files were changed"]
        if not done:
            return []
        unseen = [f"{name} is not in index.list" for name in unlisted(self.contents())]
        return unseen + self._reader.troubles(_data(self.world))

    def kept(self) -> int:
        contents = self.contents()
        counted = {name for name in contents if name.startswith("objects/")} | in_shards(contents)
        arrived = sum(len(contents[name]) for name in counted - self._stored.keys())
        return arrived + sum(self._ground.place.unfinished().values())

    def moved(self, traffic: Traffic) -> int:
        return traffic.up


class _Reader:
    """A clone that pulls from nothing, as often as it is asked."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._copy = world.top / f"{world.root.name}.before"
        shutil.copytree(world.root, self._copy, symlinks=True)

    def troubles(self, expected: dict[str, object]) -> list[str]:
        shutil.rmtree(self._world.root)
        shutil.copytree(self._copy, self._world.root, symlinks=True)
        own = _data(self._world)
        ran = self._world.run("pull")
        if ran.code != 0:
            return [f"a fresh clone can't pull: {ran}"]
        return [] if _data(self._world) == {**own, **expected} else ["a fresh clone pulls something else"]


def _data(world: World) -> dict[str, object]:
    return _data_of(world.root)


def _data_of(root: Path) -> dict[str, object]:
    """Contents of everything in a work tree but what git or datatool keep there, with whether it is executable."""
    found: dict[str, object] = {}
    for directory, parts, files in os.walk(root):
        parts[:] = [part for part in parts if part not in {".git", ".datatool"}]
        for name in files:
            path = Path(directory, name)
            if not name.endswith((".dt", ".gitignore")):
                found[path.relative_to(root).as_posix()] = (digest(path.read_bytes()), os.access(path, os.X_OK))
    return found
