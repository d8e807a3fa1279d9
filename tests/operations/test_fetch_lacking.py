"""What fetch and pull say of what the remote does not have: every path by its own name, first some, then a count."""

from __future__ import annotations

import shutil

import pytest

from datatool.formats.pack import object_path
from datatool.hashing import digest
from world import World


@pytest.fixture
def plain(world: World) -> World:
    """A project whose remote keeps every file as one of its own."""
    world.ok("config", "set", "remotes.default.pack", "false")
    return world


def lose(world: World, data: bytes) -> None:
    (world.remote / object_path(digest(data))).unlink()


def test_a_directory_of_which_the_remote_has_no_file_is_told_by_its_paths(plain: World) -> None:
    contents = {f"data/sub/{n}.bin": b"file %d" % n for n in range(8)}
    for path, data in contents.items():
        plain.write(path, data)
    plain.ok("add", "data")
    plain.commit("eight")
    plain.ok("push")
    for data in contents.values():
        lose(plain, data)
    clone = plain.clone()
    told = "data/sub/0.bin, data/sub/1.bin, data/sub/2.bin, data/sub/3.bin, data/sub/4.bin and 3 more: object "
    for command in ("pull", "fetch"):
        ran = clone.fails(4, command, "--json")
        assert ran.error["message"].startswith(told) and "is not on the remote default" in ran.error["message"]
        assert ran.error["path"] == "data/sub/0.bin"
    missing = clone.fails(4, "pull").out
    assert all(f"missing  {path}\n" in missing for path in contents)


def test_a_directory_whose_list_the_remote_has_not_is_told_by_how_many_files_it_lists(world: World) -> None:
    for n in range(8):
        world.write(f"data/{n}.bin", b"file %d" % n)
    world.ok("add", "data")
    world.commit("eight")
    world.ok("push")
    shutil.rmtree(world.remote / "packs")
    ran = world.clone().fails(4, "pull", "--json")
    assert ran.error["message"].startswith("data: the list of its 8 files (object ")
    assert ran.error["path"] == "data"


def test_artifacts_with_the_same_content_are_each_told_by_their_own_path(plain: World) -> None:
    plain.write("one/a.bin", b"same")
    plain.write("two/b.bin", b"same")
    plain.write("c.bin", b"same")
    plain.ok("add", "one", "two", "c.bin")
    plain.commit("same")
    plain.ok("push")
    lose(plain, b"same")
    errors = {item["path"]: item["error"] for item in plain.clone().fails(4, "fetch", "--json").json["artifacts"]}
    assert {path: error["path"] for path, error in errors.items()} == {
        "one": "one/a.bin",
        "two": "two/b.bin",
        "c.bin": "c.bin",
    }
