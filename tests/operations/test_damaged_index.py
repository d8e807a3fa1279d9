"""A remote whose index or format file was damaged or lost: who notices, and what restores it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from world import World


@pytest.fixture
def pushed(world: World) -> World:
    world.write("data/a.txt", b"a" * 10)
    world.write("data/b.txt", b"b" * 20)
    world.ok("add", "data")
    world.commit("one")
    world.ok("push")
    return world


def shard_of(world: World) -> Path:
    (shard,) = (world.remote / "index").glob("*.dti")
    shard.chmod(0o644)
    return shard


def spoil(path: Path, at: int) -> None:
    data = bytearray(path.read_bytes())
    data[at : at + 3] = b"ZZZ"
    path.write_bytes(data)


def format_file(world: World) -> Path:
    path = world.remote / "datatool-remote.json"
    path.chmod(0o644)
    return path


@pytest.mark.parametrize("at", [5, 20, 200, -3])
def test_verify_reads_the_index_anew_and_restores_a_damaged_shard(pushed: World, at: int) -> None:
    spoil(shard_of(pushed), at)
    assert pushed.json("status", "--remote")["artifacts"][0]["remote"] is False
    assert "is restored" in pushed.ok("push", "--verify").err
    assert pushed.json("status", "--remote")["artifacts"][0]["remote"] is True
    assert "restored" not in pushed.ok("push", "--verify").err
    assert pushed.json("push")["requests"] == 2
    colleague = pushed.clone()
    colleague.ok("pull")
    assert colleague.read("data/a.txt") == b"a" * 10


def test_a_damaged_shard_that_a_pull_meets_is_healed_by_the_next_plain_push(pushed: World) -> None:
    spoil(shard_of(pushed), 200)
    colleague = pushed.clone()
    ran = colleague.fails(5, "pull")
    assert "the damage was noted" in ran.err and "datatool push, which heals it" in ran.err
    colleague.fails(5, "pull")
    assert len(list((pushed.remote / "gc").iterdir())) == 1  # noted once
    pushed.ok("push")
    assert pushed.json("push")["requests"] == 2
    colleague.ok("pull")
    assert pushed.clone("third").ok("pull")


def test_a_shard_that_was_cut_is_noticed_by_a_plain_push(pushed: World) -> None:
    shard = shard_of(pushed)
    shard.write_bytes(shard.read_bytes()[:-20])
    pushed.ok("push")
    pushed.clone().ok("pull")


def test_check_names_a_damaged_shard(pushed: World) -> None:
    spoil(shard_of(pushed), 200)
    ran = pushed.run("remote", "check")
    assert ran.code != 0 and "index" in ran.err and "push --verify" in ran.err


def test_verify_restores_a_lost_format_file(pushed: World) -> None:
    before = format_file(pushed).read_bytes()
    format_file(pushed).unlink()
    colleague = pushed.clone()
    for machine, command in ((colleague, "pull"), (pushed, "status --remote"), (pushed, "remote check")):
        ran = machine.fails(6, *command.split())
        assert "datatool-remote.json is gone" in ran.err and "push --verify" in ran.err
    pushed.ok("push", "--verify")
    assert format_file(pushed).read_bytes() == before
    colleague.ok("pull")


@pytest.mark.parametrize("words", [("push",), ("push", "--force")])
@pytest.mark.parametrize("content", [None, b"garbage"])
def test_whoever_sends_anything_restores_a_lost_format_file(
    pushed: World, words: tuple[str, ...], content: bytes | None
) -> None:
    before = format_file(pushed).read_bytes()
    if content is None:
        format_file(pushed).unlink()
    else:
        format_file(pushed).write_bytes(content)
    if words == ("push",):
        pushed.write("data/c.txt", b"c")
        pushed.ok("add", "data")
        pushed.commit("two")
    assert "datatool-remote.json was damaged or gone; it is restored" in pushed.ok(*words).err
    assert format_file(pushed).read_bytes() == before
    pushed.clone().ok("pull")


def test_nothing_is_sent_to_a_remote_that_got_a_later_format_meanwhile(pushed: World) -> None:
    value = json.loads(format_file(pushed).read_text())
    format_file(pushed).write_text(json.dumps({**value, "version": 2}))
    pushed.write("data/c.txt", b"c")
    pushed.ok("add", "data")
    there = sorted(pushed.remote.rglob("*"))
    assert "newer" in pushed.fails(1, "push").err
    assert sorted(pushed.remote.rglob("*")) == there


def test_of_a_remote_that_lost_its_format_file_and_a_shard_a_push_says_what_restores_it(pushed: World) -> None:
    (first,) = (pushed.remote / "index").glob("*.dti")
    pushed.write("data/c.txt", b"c")
    pushed.ok("add", "data")
    pushed.ok("push")
    first.unlink()
    format_file(pushed).unlink()
    ran = pushed.fails(6, "push")
    assert "datatool-remote.json is gone" in ran.err and "push --verify" in ran.err
    pushed.ok("push", "--verify")
    pushed.clone().ok("pull")


def test_verify_restores_a_format_file_that_is_garbage(pushed: World) -> None:
    before = format_file(pushed).read_bytes()
    format_file(pushed).write_bytes(b"garbage")
    for command in ("status --remote", "remote check", "push --verify --dry-run"):
        assert "no datatool remote" in pushed.fails(6, *command.split()).err
    pushed.ok("push", "--verify")
    assert format_file(pushed).read_bytes() == before


def test_verify_does_not_turn_another_place_into_a_remote(pushed: World) -> None:
    format_file(pushed).write_bytes(b"garbage")
    for shard in (pushed.remote / "index").iterdir():
        shard.unlink()
    assert "no datatool remote" in pushed.fails(6, "push", "--verify").err
    assert format_file(pushed).read_bytes() == b"garbage"


def test_a_format_file_of_a_later_version_is_refused_by_whoever_looks_anew(pushed: World) -> None:
    value = json.loads(format_file(pushed).read_text())
    format_file(pushed).write_text(json.dumps({**value, "version": 2}))
    for command in ("status --remote", "remote check", "push --verify"):
        assert "newer" in pushed.run(*command.split()).err
        assert pushed.run(*command.split()).code != 0
    assert json.loads(format_file(pushed).read_text())["version"] == 2
