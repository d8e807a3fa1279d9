"""Artifacts that turn from a directory into a file or link, and the other way round."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path
from typing import Any

import pytest

from world import World


@pytest.fixture
def both(world: World) -> World:
    """A directory `x` and a file `y` on main; on `other` x is a file and y a directory."""
    world.write("x/1", b"one")
    world.write("x/deep/2", b"two")
    world.write("y", b"a file")
    world.ok("add", "x", "y")
    world.commit("main")
    world.git("checkout", "-q", "-b", "other")
    swap(world)
    world.ok("add", "x", "y")
    world.commit("other")
    world.git("checkout", "-q", "main")
    world.ok("checkout")
    return world


def swap(world: World) -> None:
    shutil.rmtree(world.root / "x")
    world.write("x", b"now a file")
    (world.root / "y").unlink()
    world.write("y/1", b"below y")


def told(world: World) -> dict[str, Any]:
    return {item["path"]: (item["state"], item["changes"]) for item in world.json("status")["artifacts"]}


def differing(world: World, *words: str) -> list[tuple[str, str]]:
    return [(change["kind"], change["path"]) for change in world.json("diff", *words)["changes"]]


SWAPPED = [("added", "x"), ("deleted", "x/1"), ("deleted", "x/deep/2"), ("deleted", "y"), ("added", "y/1")]


def test_what_turns_into_the_other_kind_is_told_as_deleted_and_added(both: World) -> None:
    swap(both)
    assert told(both) == {
        "x": ("modified", {"added": ["x"], "modified": [], "deleted": ["x/1", "x/deep/2"]}),
        "y": ("modified", {"added": ["y/1"], "modified": [], "deleted": ["y"]}),
    }
    assert differing(both) == SWAPPED == differing(both, "main", "other")
    assert both.run("diff", "--exit-code").code == 1 == both.run("status", "--exit-code").code
    assert differing(both, "x/deep") == [("deleted", "x/deep/2")]
    shown = both.ok("status").out
    assert "1 new, 2 deleted" in shown and "1 new, 1 deleted" in shown
    both.ok("add", "x", "y")
    assert both.json("status")["clean"] and differing(both) == SWAPPED
    both.write("y/3", b"not yet recorded")
    assert ("added", "y/3") in differing(both)


@pytest.mark.skipif(sys.platform == "win32", reason="links need a privilege on Windows")
@pytest.mark.parametrize("where", ["directory", "nowhere"])
def test_a_link_in_place_of_a_directory_is_added_and_the_files_are_deleted(both: World, where: str) -> None:
    os.rename(both.root / "x", both.root / "directory")
    (both.root / "x").symlink_to(where)
    assert told(both)["x"] == ("modified", {"added": ["x"], "modified": [], "deleted": ["x/1", "x/deep/2"]})
    assert differing(both) == [("added", "x"), ("deleted", "x/1"), ("deleted", "x/deep/2")]


@pytest.mark.skipif(sys.platform == "win32", reason="links need a privilege on Windows")
def test_a_link_to_nothing_in_place_of_a_file_is_a_change_if_it_leads_into_no_cache(both: World) -> None:
    (both.root / "y").unlink()
    (both.root / "y").symlink_to("nowhere")
    assert told(both)["y"] == ("modified", {"added": [], "modified": ["y"], "deleted": []})
    assert differing(both) == [("modified", "y")]
    (both.root / "y").unlink()
    (both.root / "y").symlink_to(f"/moved/objects/ab/{'c' * 62}")
    assert told(both)["y"][0] == "missing"
    assert differing(both) == [("deleted", "y")]


@pytest.mark.parametrize("here, there", [("main", "other"), ("other", "main")])
def test_a_pointer_that_moved_to_the_other_kind_leaves_what_is_here_outdated(
    both: World, here: str, there: str
) -> None:
    both.git("checkout", "-q", here)
    both.ok("checkout")
    both.git("checkout", "-q", there)
    nothing = {"added": [], "modified": [], "deleted": []}
    assert told(both) == {"x": ("outdated", nothing), "y": ("outdated", nothing)}
    for path in ("x", "y"):
        assert f"datatool checkout {path}" in both.ok("status", path).out
        refused = both.fails(7, "add", path)
        assert "another version than its pointer names" in refused.err
    assert sorted(differing(both)) == sorted(differing(both, there, here))
    both.ok("checkout")
    assert both.json("status")["clean"] and differing(both) == []


def test_what_changed_before_the_pointer_moved_to_the_other_kind_is_modified(both: World) -> None:
    both.write("x/1", b"another")
    both.write("y", b"another")
    both.git("checkout", "-q", "other")
    assert told(both) == {
        "x": ("modified", {"added": [], "modified": ["x/1"], "deleted": []}),
        "y": ("modified", {"added": [], "modified": ["y"], "deleted": []}),
    }
    assert both.run("checkout").code == 7
    assert both.read("x/1") == b"another" == both.read("y")
    assert both.run("remove", "--data", "x").code == 7


def test_in_a_fresh_clone_what_lies_there_already_is_all_added(both: World, tmp_path: Path) -> None:
    both.ok("push")
    copy = both.clone()
    copy.write("x", b"mine")
    copy.write("y/1", b"mine")
    assert told(copy) == {
        "x": ("modified", {"added": ["x"], "modified": [], "deleted": []}),
        "y": ("modified", {"added": ["y/1"], "modified": [], "deleted": []}),
    }
    assert copy.run("pull").code == 7
    assert copy.read("x") == b"mine" == copy.read("y/1")


def test_a_conflict_of_pointers_has_the_kind_that_both_sides_name_else_that_of_what_lies_there(both: World) -> None:
    directory, file = both.read("x.dt").decode(), both.read("y.dt").decode()

    def told(ours: str, theirs: str) -> tuple[str, str]:
        both.write("x.dt", f"<<<<<<< main\n{ours}=======\n{theirs}>>>>>>> other\n".encode())
        ran = both.run("status", "--json")
        item = next(item for item in ran.json["artifacts"] if item["path"] == "x")
        assert item["error"]["code"] == "merge_conflict"
        return item["kind"], both.run("status").out.splitlines()[0].split()[1]

    assert told(directory, directory.replace("files: 2", "files: 3")) == ("directory", "x/")
    assert told(directory, file) == ("directory", "x/")
    shutil.rmtree(both.root / "x")
    assert told(directory, directory) == ("directory", "x/")
    both.write("x", b"a file")
    assert told(directory, file) == ("file", "x")
