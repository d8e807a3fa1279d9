"""A pull that meets a damaged copy in the cache gets another one from the remote, in the same run."""

from __future__ import annotations

import pytest

from world import World, objects_of

LARGE = bytes(range(256)) * 4096
SMALL = b"small"


def damage(world: World, data: bytes) -> None:
    (found,) = objects_of(world.cache, data)
    found.chmod(0o644)
    found.write_bytes(b"X" * len(data))


@pytest.fixture
def study(world: World) -> World:
    """Pushed, and only in the cache and on the remote any more."""
    world.write("big.bin", LARGE)
    world.write("data/a.txt", SMALL)
    world.write("data/b.txt", b"other")
    world.write("data/c.bin", LARGE[1:])
    world.ok("add", "big.bin", "data")
    world.commit()
    world.ok("push")
    for path in ("big.bin", "data/a.txt", "data/b.txt", "data/c.bin"):
        (world.root / path).unlink()
    return world


@pytest.mark.parametrize("damaged", [[LARGE], [SMALL], [LARGE, SMALL, LARGE[1:]]], ids=["file", "inside", "all"])
def test_what_is_damaged_in_the_cache_comes_from_the_remote_at_once(damaged: list[bytes], study: World) -> None:
    for data in damaged:
        damage(study, data)
    ran = study.ok("pull")
    assert study.read("big.bin") == LARGE
    assert study.tree("data") == {"a.txt": SMALL, "b.txt": b"other", "c.bin": LARGE[1:]}
    assert ran.err.count("in the cache was damaged, and was set aside; it was fetched again") == (
        1 if len(damaged) == 1 else 2
    )
    assert len(list((study.cache / "corrupt").iterdir())) == len(damaged)
    assert study.json("status")["clean"]


def test_the_result_counts_both_goes(study: World) -> None:
    damage(study, LARGE[1:])
    told = study.json("pull")
    assert (told["objects"], told["bytes"] >= len(LARGE) - 1) == (1, True)
    assert [(item["path"], item["ok"]) for item in told["artifacts"]] == [("big.bin", True), ("data", True)]
    (directory,) = [item for item in told["checkout"] if item["path"] == "data"]
    assert (directory["written"], directory["changed"], directory["missing"]) == (3, True, [])


def test_one_that_no_remote_has_is_damage_with_what_the_remote_says(study: World) -> None:
    study.write("mine.bin", LARGE[2:])
    study.ok("add", "mine.bin")
    (study.root / "mine.bin").unlink()
    damage(study, LARGE[2:])
    damage(study, LARGE)
    ran = study.fails(5, "pull", "--json")
    assert {item["path"]: item["ok"] for item in ran.json["artifacts"]} == {
        "big.bin": True,
        "data": True,
        "mine.bin": False,
    }
    assert "mine.bin: its object in the cache was damaged, and was set aside; object" in ran.err
    assert "is not on the remote default" in ran.err
    assert study.read("big.bin") == LARGE


def test_a_remote_out_of_reach_leaves_the_damage_told_and_the_rest_done(study: World) -> None:
    study.ok("remote", "set", "default", "url=http://127.0.0.1:9/nobody", "--local")
    damage(study, LARGE)
    ran = study.fails(5, "pull")
    assert "big.bin: its object in the cache was damaged, and was set aside" in ran.err
    assert study.read("data/a.txt") == SMALL


def test_checkout_stays_offline_and_says_what_gets_it_again(study: World) -> None:
    damage(study, LARGE)
    ran = study.fails(5, "checkout")
    assert "datatool fetch big.bin gets it again from the remote" in ran.err
    study.ok("fetch", "big.bin")
    study.ok("checkout")
    assert study.read("big.bin") == LARGE
