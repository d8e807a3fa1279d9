"""A pointer that somebody deleted while its data still lies there."""

from __future__ import annotations

import pytest

from world import World


@pytest.fixture
def without(world: World) -> World:
    world.write("a", b"a")
    world.write("sub/data/1", b"1")
    world.ok("add", "a", "sub/data")
    world.commit()
    (world.root / "a.dt").unlink()
    (world.root / "sub/data.dt").unlink()
    return world


@pytest.mark.parametrize("command", ["status", "checkout", "pull", "push", "fetch", "edit", "remove", "log"])
@pytest.mark.parametrize(
    "target, pointer",
    [
        ("a", "a.dt"),
        ("a.dt", "a.dt"),
        ("sub", "sub/data.dt"),
        ("sub/data", "sub/data.dt"),
        ("sub/data/1", "sub/data.dt"),
    ],
)
def test_what_needs_a_deleted_pointer_names_the_command_that_brings_it_back(
    without: World, command: str, target: str, pointer: str
) -> None:
    if command == "log" and target != "sub":
        assert without.ok(command, target).out
        return
    error = without.fails(3, command, target, "--json").error
    assert pointer in error["message"] and error["hint"] == f"git checkout -- {pointer} brings it back"
    without.git("checkout", "--", pointer)
    if command in ("status", "checkout"):
        without.ok(command, target)


def test_status_tells_of_deleted_pointers_whose_data_is_here(without: World) -> None:
    told = without.json("status")
    assert told["artifacts"] == []
    assert [note.split(":")[0] for note in told["notes"]] == ["a.dt", "sub/data.dt"]
    assert all("git checkout -- " in note for note in told["notes"])
    without.git("rm", "-q", "--cached", "a.dt")
    without.git("checkout", "--", "sub/data.dt")
    assert without.json("status")["notes"] == []
    assert "datatool add a" in without.fails(3, "checkout", "a").err


def test_a_moved_or_removed_artifact_and_one_outside_a_sparse_checkout_are_no_deleted_pointers(world: World) -> None:
    world.write("a", b"a")
    world.write("sub/b", b"b")
    world.write("c", b"c")
    world.ok("add", "a", "sub/b", "c")
    world.commit()
    world.ok("move", "a", "moved")
    world.ok("remove", "c", "--data")
    world.git("sparse-checkout", "set", "--no-cone", "/*", "!sub/*.dt")
    told = world.json("status")
    assert told["notes"] == [] and [item["path"] for item in told["artifacts"]] == ["moved"]
    assert "datatool add sub/b" in world.fails(3, "checkout", "sub/b").err
