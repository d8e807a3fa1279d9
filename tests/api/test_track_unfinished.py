"""What the commands make of a file that `track(source=…)` was making when its process was killed."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

import datatool
from api.tracking import script
from datatool.errors import Locked
from world import World

DIES = """
import datatool, os
def dies(path):
    path.write_bytes(b"half")
    os.kill(os.getpid(), 9)
datatool.track("data/x.txt", source=dies)
"""


@pytest.fixture
def killed(desk: World) -> World:
    assert script(desk, DIES).code == -9
    assert desk.read("data/x.txt") == b"half"
    return desk


@pytest.mark.parametrize("target", ["data/x.txt", "data"])
def test_add_refuses_it_and_names_the_next_step(target: str, killed: World) -> None:
    ran = killed.run("add", target)
    assert ran.code == 7
    assert "data/x.txt: was left unfinished, as the program that made it was killed" in ran.err
    assert "datatool add --force data/x.txt" in ran.err
    assert not killed.exists(f"{target}.dt")
    assert killed.read("data/x.txt") == b"half"


def test_add_takes_it_when_it_is_told_to_and_then_it_is_like_any_other(killed: World) -> None:
    killed.ok("add", "--force", "data/x.txt")
    killed.write("data/x.txt", b"more")
    killed.ok("add", "data/x.txt")
    assert killed.json("status")["notes"] == []


def test_add_takes_other_files_beside_it(killed: World) -> None:
    killed.write("data/x.txt.old", b"whole")
    killed.ok("add", "data/x.txt.old")


def test_status_says_what_it_is_and_what_to_do(killed: World) -> None:
    (note,) = killed.json("status")["notes"]
    assert note.startswith("data/x.txt: is being made, or was left unfinished by a program that was killed")
    assert "datatool add --force data/x.txt" in note
    assert note in killed.ok("status").err


def test_once_it_is_deleted_nothing_is_said_and_another_file_there_is_the_users(killed: World) -> None:
    os.unlink(killed.root / "data/x.txt")
    assert killed.json("status")["notes"] == []
    done = script(killed, "import datatool; datatool.track('data/x.txt', source=lambda: 'whole')")
    assert done.code == 0, done
    killed.write("data/x.txt", b"more")
    killed.ok("add", "data/x.txt")


def test_one_that_was_recorded_before_the_kill_is_whole(desk: World) -> None:
    dies_late = """
import datatool, os
from datatool.operations.track import making
making.remove_file = lambda path: os.kill(os.getpid(), 9)
datatool.track("x.txt", source=lambda: "whole")
"""
    assert script(desk, dies_late).code == -9
    assert desk.exists("x.txt.dt")
    desk.ok("add", "x.txt")
    assert desk.json("status")["notes"] == []


def test_one_that_is_being_made_is_not_taken_not_even_by_force(desk: World) -> None:
    refused = []

    def makes(path: Path) -> None:
        path.write_bytes(b"half")
        with pytest.raises(Locked, match=r"x\.txt: is being made by a program") as raised:
            datatool.add("x.txt", force=True)
        refused.append(raised.value)
        path.write_bytes(b"whole")

    assert datatool.track("x.txt", source=makes).read_bytes() == b"whole"
    assert refused
