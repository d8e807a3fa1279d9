"""The memory of a work tree that another version of datatool wrote: what has to stay does, the rest is made anew."""

from __future__ import annotations

import sqlite3

import pytest

from world import World


def written_by(world: World, version: int) -> None:
    """Make the memory one that looks as an older, or a newer, version left it."""
    with sqlite3.connect(world.root / ".git/datatool/state.db") as database:
        database.execute("DROP TABLE stat")
        database.execute("CREATE TABLE stat (path BLOB PRIMARY KEY, size INTEGER, oid BLOB) WITHOUT ROWID")
        database.execute("CREATE TABLE later (what BLOB)")
        database.execute(f"PRAGMA user_version={version}")
    database.close()


@pytest.mark.parametrize("version", [1, 2, 3, 99])
def test_what_datatool_put_there_is_no_edit_after_an_upgrade(world: World, version: int) -> None:
    for content in (b"first", b"second"):
        world.write("one.bin", content)
        world.write("data/a.txt", content)
        world.ok("add", "one.bin", "data")
        world.commit()
    world.git("checkout", "-q", "HEAD~1", "--", "one.bin.dt", "data.dt")
    written_by(world, version)
    assert {item["state"] for item in world.json("status")["artifacts"]} == {"outdated"}
    world.ok("checkout")
    assert world.read("one.bin") == world.read("data/a.txt") == b"first"
    assert world.json("status")["clean"]


def test_a_base_of_another_shape_is_forgotten(world: World) -> None:
    world.write("one.bin", b"first")
    world.ok("add", "one.bin")
    with sqlite3.connect(world.root / ".git/datatool/state.db") as database:
        database.execute("DROP TABLE base")
        database.execute("CREATE TABLE base (artifact BLOB)")
        database.execute("PRAGMA user_version=2")
    database.close()
    assert world.json("status")["artifacts"][0]["state"] == "clean"
    world.ok("add", "one.bin")
