"""The key under which CI keeps the cache: equal where the data is, and only there."""

from __future__ import annotations

import re
import tarfile

from archives import unpack
from world import World


def key(world: World, *paths: str) -> str:
    ran = world.ok("cache", "key", *paths)
    assert re.fullmatch(r"[0-9a-f]{64}\n", ran.out)
    return ran.out.strip()


def filled(world: World) -> World:
    world.write("data/a.csv", b"1")
    world.write("model.bin", b"2")
    world.ok("add", "data", "model.bin")
    world.commit()
    return world


def test_equal_data_has_an_equal_key_in_every_clone_without_an_object(world: World) -> None:
    clone = filled(world).clone()
    assert key(clone) == key(world)


def test_other_data_has_another_key(world: World) -> None:
    before = key(filled(world))
    world.write("data/a.csv", b"3")
    world.ok("add", "data")
    changed = key(world)
    assert changed != before
    world.write("data/a.csv", b"1")
    world.ok("add", "data")
    assert key(world) == before


def test_a_path_is_no_data(world: World) -> None:
    before = key(filled(world))
    world.ok("move", "model.bin", "models.bin")
    world.write("src/train.py", b"print()")
    world.commit()
    assert key(world) == before


def test_unsaved_edits_are_not_in_the_key(world: World) -> None:
    before = key(filled(world))
    world.write("data/a.csv", b"unsaved")
    assert key(world) == before


def test_a_key_of_some_paths_is_that_of_their_data(world: World) -> None:
    filled(world)
    assert key(world, "data") != key(world) != key(world, "model.bin")
    before = key(world, "model.bin")
    world.write("data/a.csv", b"3")
    world.ok("add", "data")
    assert key(world, "model.bin") == before
    assert key(world, "data/a.csv") != key(world, "data")


def test_a_project_without_data_has_a_key_too(world: World) -> None:
    assert key(world)
    assert world.json("cache", "key") == {"schema": 1, "command": "cache key", "key": key(world), "artifacts": 0}


def test_the_key_is_known_without_git(world: World) -> None:
    expected = key(filled(world))
    exported = world.top / "exported"
    exported.mkdir()
    world.git("archive", "-o", str(world.top / "tree.tar"), "HEAD")
    with tarfile.open(world.top / "tree.tar") as archive:
        unpack(archive, exported)
    assert world.ok("cache", "key", cwd=exported).out.strip() == expected


def test_a_pointer_that_does_not_read_is_an_error_and_no_key(world: World) -> None:
    filled(world)
    world.write("data.dt", b"datatool: 1\nkind: nothing\n")
    ran = world.run("cache", "key")
    assert ran.code == 1
    assert ran.out == ""
    assert "data.dt" in ran.err


def test_a_path_that_is_none_is_told(world: World) -> None:
    world.fails(3, "cache", "key", "nothere")


def test_an_import_that_was_not_downloaded_counts_by_its_source(world: World) -> None:
    other = World(world.top / "other")
    filled(other)
    world.ok("import", str(other.root), "data", "--no-download")
    first = key(world)
    other.write("data/a.csv", b"9")
    other.ok("add", "data")
    other.commit()
    world.ok("update", "--dry-run")
    assert key(world) == first
