"""Which versions of which artifacts travel, and to which remote."""

from __future__ import annotations

import os
import shutil
import time

import pytest

from datatool.remote import session
from world import World, objects_of


def test_push_sends_commits_that_the_upstream_lacks(world: World) -> None:
    world.write("a.bin", b"first")
    world.ok("add", "a.bin")
    first = world.commit("one")
    world.write("a.bin", b"second")
    world.ok("add", "a.bin")
    world.commit("two")
    world.ok("push")
    copy = world.clone()
    copy.git("checkout", "-q", first)
    copy.ok("pull")
    assert copy.read("a.bin") == b"first"


def test_revisions_branches_tags_and_all_commits(world: World) -> None:
    world.clone("upstream")
    world.git("remote", "add", "origin", str(world.origin))
    branch = world.git("branch", "--show-current")
    for number in range(4):
        world.write("a.bin", b"version %d" % number)
        world.ok("add", "a.bin")
        world.commit(f"{number}")
        if number == 1:
            world.git("tag", "-a", "-m", "tagged", "v1")
        if number == 2:
            world.git("branch", "side")
    world.git("push", "-q", "-u", "origin", branch)
    assert world.json("push", "--dry-run")["objects"] == 1
    assert world.json("push", "--rev", "v1")["objects"] == 1
    assert world.json("push", "--all-branches")["objects"] == 2
    assert world.json("push", "--all-tags")["objects"] == 0
    assert world.json("push", "--all-commits")["objects"] == 1
    world.git("push", "-q", "origin", "--all")
    world.git("push", "-q", "origin", "--tags")
    copy = world.clone()
    copy.git("fetch", "-q", "--tags")
    assert copy.json("fetch", "--rev", "v1")["objects"] == 1
    assert copy.json("fetch", "--all-tags")["objects"] == 1
    assert copy.json("fetch", "--all-commits")["objects"] == 2
    copy.ok("pull", "--rev", "v1")
    assert copy.read("a.bin") == b"version 1"
    assert copy.git("diff", "--cached", "--name-only") == "a.bin.dt"
    copy.fails(3, "pull", "--rev", "nonsense")
    copy.fails(2, "pull", "--rev", "")


def test_an_artifact_may_have_its_own_remote_or_stay_here(world: World) -> None:
    world.ok("remote", "add", "archive", str(world.top / "archive"))
    world.write("old.bin", b"old")
    world.write("secret.bin", b"secret")
    world.write("new.bin", b"new")
    world.ok("add", "old.bin", "--remote", "archive")
    world.ok("add", "secret.bin", "new.bin")
    text = world.read("secret.bin.dt")
    world.write("secret.bin.dt", text + b"push: false\n")
    world.commit()
    world.ok("push")
    remotes = {"archive": world.top / "archive", "default": world.remote}
    found = {
        name: {data for data in (b"old", b"secret", b"new") if any(data in p.read_bytes() for p in top.rglob("*.pack"))}
        for name, top in remotes.items()
    }
    assert found == {"archive": {b"old"}, "default": {b"new"}}
    known = {item["path"]: bool(item["pushed"]) for item in world.json("status")["artifacts"]}
    assert known == {"old.bin": True, "new.bin": True, "secret.bin": False}
    copy = world.clone()
    copy.ok("pull")
    assert copy.read("old.bin") == b"old" and copy.read("new.bin") == b"new"


def test_a_clone_that_fetched_a_part_can_push_when_the_records_are_old(
    pushed: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    copy = pushed.clone()
    copy.ok("pull", "one.bin")
    now = time.time()
    monkeypatch.setattr(session.Remote, "now", lambda self: now + 30 * 86400)
    copy.write("one.bin", b"changed")
    copy.ok("add", "one.bin")
    done = copy.json("push")
    assert all(item["ok"] for item in done["artifacts"]) and done["objects"] == 1


def test_what_is_never_pushed_does_not_spoil_a_colleagues_pull(world: World) -> None:
    world.write("key.bin", b"mine alone")
    world.write("data/a", b"ours")
    world.ok("add", "key.bin", "data")
    pointer = world.root / "key.bin.dt"
    pointer.write_text(pointer.read_text() + "push: false\n")
    world.ok("push")
    world.commit()
    clone = world.clone()
    ran = clone.ok("pull")
    assert "key.bin: stays on the machine that has it (push: false)" in ran.err
    assert clone.tree("data") == world.tree("data") and not (clone.root / "key.bin").exists()
    clone.ok("pull")
    assert "key.bin" in clone.fails(4, "pull", "key.bin").err


@pytest.fixture
def without_old(world: World) -> World:
    """Two versions of a directory were pushed, and the cache has only the second, and lacks a new file's bytes."""
    world.write("d/a", b"1\n")
    world.write("d/b", b"1\n")
    world.ok("add", "d")
    world.commit("v1")
    world.ok("push")
    world.write("d/a", b"2\n")
    world.ok("add", "d")
    world.commit("v2")
    world.ok("push")
    shutil.rmtree(world.cache)
    world.ok("pull", "--force")
    return world


def test_verify_with_lost_old_versions_names_what_is_missing(without_old: World) -> None:
    data = os.urandom(100_000)
    without_old.write("n", data)
    without_old.ok("add", "n")
    without_old.commit("n")
    for path in objects_of(without_old.cache, data):
        path.unlink()
    for words in (["push"], ["push", "--verify"]):
        assert "n: not in the cache" in without_old.fails(4, *words).err
    without_old.ok("push", "--dry-run", "--verify")


def test_an_old_version_that_is_not_here_is_named_as_such_and_can_be_fetched_from_another_remote(
    without_old: World,
) -> None:
    old = without_old.git("rev-parse", "HEAD~1")
    without_old.ok("remote", "add", "fresh", str(without_old.top / "fresh"))
    ran = without_old.fails(4, "push", "-r", "fresh")
    assert f"d as of {old[:10]}: " in ran.err and f"datatool fetch d --rev {old[:10]} -r default" in ran.err
    assert "1 of 2 artifacts up to date, 1 incomplete" in ran.out
    artifacts = without_old.fails(4, "push", "-r", "fresh", "--json").json["artifacts"]
    assert [(item["path"], item["ok"], item.get("rev")) for item in artifacts] == [("d", True, None), ("d", False, old)]
    without_old.ok("fetch", "d", "--rev", old[:10], "-r", "default")
    without_old.ok("push", "-r", "fresh")
