"""Outputs that are restored from a cache that had them damaged: fetched again, or made again."""

from __future__ import annotations

import pytest

from operations.test_pull_heals import damage
from world import World

WORDS = ("-d", "in.csv", "-o", "a.txt", "-o", "out")
SCRIPT = "cat in.csv in.csv > a.txt; mkdir out; cat in.csv > out/b.txt; echo c > out/c.txt; echo ran >> ../log"


def run(world: World, *words: str) -> str:
    return str(world.ok("run", *WORDS, *words, "--json", "--", "sh", "-c", SCRIPT).json["action"])


def times(world: World) -> int:
    """How often the command ran."""
    return (world.top / "log").read_text().count("ran")


@pytest.fixture
def study(world: World) -> World:
    world.write("in.csv", b"1\n")
    world.ok("add", "in.csv")
    assert run(world) == "executed"
    world.commit()
    (world.root / "a.txt").unlink()
    (world.root / "out/b.txt").unlink()
    return world


@pytest.mark.parametrize("damaged", [[b"1\n1\n"], [b"1\n"], [b"1\n1\n", b"1\n"]], ids=["file", "inside", "both"])
@pytest.mark.parametrize("command", ["run", "reproduce"])
def test_a_damaged_output_is_fetched_again_in_the_same_run(study: World, damaged: list[bytes], command: str) -> None:
    study.ok("push")
    for data in damaged:
        damage(study, data)
    if command == "run":
        ran = study.ok("run", *WORDS, "--json", "--", "sh", "-c", SCRIPT)
        assert ran.json["action"] == "restored"
    else:
        ran = study.ok("reproduce", "a.txt", "--json")
        assert ran.json["runs"][0]["action"] == "restored"
    assert ran.err.count("in the cache was damaged, and was set aside; it was fetched again") == len(damaged)
    assert times(study) == 1
    assert study.read("a.txt") == b"1\n1\n" and study.tree("out") == {"b.txt": b"1\n", "c.txt": b"c\n"}
    assert study.json("status")["clean"]


@pytest.mark.parametrize("command", ["run", "reproduce"])
@pytest.mark.parametrize("why", ["nothing was pushed", "no remote", "out of reach"])
def test_a_damaged_output_that_can_not_be_fetched_is_made_again(study: World, why: str, command: str) -> None:
    if why == "no remote":
        study.ok("remote", "remove", "default")
    elif why == "out of reach":
        study.ok("push")
        study.ok("remote", "set", "default", "url=http://127.0.0.1:9/nobody", "--local")
    damage(study, b"1\n1\n")
    if command == "run":
        ran = study.ok("run", *WORDS, "--json", "--", "sh", "-c", SCRIPT)
        assert ran.json["action"] == "executed"
    else:
        ran = study.ok("reproduce", "a.txt", "--json")
        assert ran.json["runs"][0]["action"] == "executed" and ran.json["runs"][0]["same"]
    assert "a.txt: its object in the cache was damaged, and was set aside" in ran.err
    assert "so the command runs again" in ran.err
    assert times(study) == 2
    assert study.read("a.txt") == b"1\n1\n" and study.tree("out") == {"b.txt": b"1\n", "c.txt": b"c\n"}
    assert study.json("status")["clean"]
    assert run(study) == "unchanged"
    (study.root / "a.txt").unlink()
    assert run(study) == "restored"
