"""What travels between cache and remote, what is counted, and what happens when something is missing or damaged."""

from __future__ import annotations

import json
import os
import shutil
import time
from pathlib import Path

import pytest

from datatool.errors import RemoteUnreachable
from datatool.formats.pack import object_path
from datatool.hashing import digest
from datatool.remote import session
from datatool.store.directory import DirectoryStore
from needs import linux, tool, without_root_override
from world import World


def objects_of(cache: Path, data: bytes) -> list[Path]:
    return [path for path in (cache / "objects").rglob("*") if path.is_file() and path.read_bytes() == data]


@pytest.fixture
def pushed(world: World) -> World:
    world.write("data/a.txt", b"a" * 10)
    world.write("data/b.txt", b"b" * 20)
    world.write("one.bin", b"one")
    world.ok("add", "data", "one.bin")
    world.commit("one")
    world.ok("push")
    return world


def test_the_remote_has_the_layout_of_the_format(pushed: World) -> None:
    names = sorted(path.relative_to(pushed.remote).as_posix() for path in pushed.remote.rglob("*") if path.is_file())
    assert "datatool-remote.json" in names and "index.list" in names
    assert [name for name in names if name.startswith("index/") and name.endswith(".dti")]
    assert [name for name in names if name.startswith("packs/") and name.endswith(".pack")]
    marker = json.loads((pushed.remote / "datatool-remote.json").read_text())
    assert marker["magic"] == "datatool-remote" and marker["version"] == 1 and marker["hash"] == "sha256"


def test_a_push_with_nothing_to_do_is_two_requests(pushed: World) -> None:
    done = pushed.json("push")
    assert (done["requests"], done["objects"], done["bytes"]) == (2, 0, 0)


def test_a_fetch_with_nothing_to_do_asks_nobody(pushed: World) -> None:
    pushed.remote.rename(pushed.top / "away")
    assert pushed.json("fetch")["requests"] == 0
    assert pushed.json("pull")["requests"] == 0


def test_a_large_file_lies_plain_on_the_remote(world: World) -> None:
    data = os.urandom(5 << 20)
    world.write("big.bin", data)
    world.ok("add", "big.bin")
    world.ok("push")
    (found,) = [path for path in (world.remote / "objects").rglob("*") if path.is_file()]
    assert found.read_bytes() == data


def test_two_clones_exchange_versions(pushed: World) -> None:
    copy = pushed.clone()
    done = copy.json("pull")
    assert done["objects"] == 4 and all(item["ok"] for item in done["artifacts"])
    assert copy.tree("data") == pushed.tree("data")
    copy.write("data/c.txt", b"new")
    copy.ok("add", "data")
    copy.commit("two")
    assert copy.json("push")["objects"] == 2
    copy.git("push", "-q")
    pushed.git("pull", "-q", str(pushed.origin), "HEAD")
    done = pushed.json("pull")
    assert done["objects"] == 2 and pushed.read("data/c.txt") == b"new"
    assert pushed.json("status")["clean"]


def test_a_dry_run_changes_nothing(pushed: World) -> None:
    pushed.write("data/c.txt", b"new")
    pushed.ok("add", "data")
    before = sorted(path for path in pushed.remote.rglob("*"))
    would = pushed.json("push", "--dry-run")
    assert would["objects"] == 2 and len(b"new") < would["bytes"] < 1000
    assert f"{would['bytes']} B" in pushed.ok("push", "--dry-run").out
    assert sorted(pushed.remote.rglob("*")) == before
    copy = pushed.clone()
    assert copy.json("pull", "--dry-run")["objects"] > 0
    assert not copy.exists("data") and not copy.exists("one.bin")


def test_a_dry_run_after_a_push_that_broke_off_tells_the_bytes_that_are_left(world: World) -> None:
    for number in range(3):
        world.write(f"{number}.bin", os.urandom(5 << 20))
    world.ok("add", "0.bin", "1.bin", "2.bin")
    sent: list[str] = []
    put = DirectoryStore.put

    def breaks_off(self: DirectoryStore, name: str, data: bytes, *, exclusive: bool = False) -> None:
        if name.startswith("objects/"):
            if len(sent) == 2:
                raise RemoteUnreachable("gone")
            sent.append(name)
        put(self, name, data, exclusive=exclusive)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(DirectoryStore, "put", breaks_off)
        world.fails(6, "push", "-j", "1")
    would = world.json("push", "--dry-run")
    assert (would["objects"], would["bytes"]) == (1, 5 << 20)


def test_push_with_an_object_missing_from_the_cache_pushes_the_rest_and_lists_the_path(world: World) -> None:
    world.write("data/a.txt", b"aaa")
    world.write("data/b.txt", b"bbb")
    world.write("fine.bin", b"fine")
    world.ok("add", "data", "fine.bin")
    world.commit()
    (gone,) = objects_of(world.cache, b"aaa")
    gone.unlink()
    ran = world.fails(4, "push", "--json")
    assert {item["path"]: item["ok"] for item in ran.json["artifacts"]} == {"data": False, "fine.bin": True}
    assert "data/a.txt" in ran.err
    there = {item["path"]: item["remote"] for item in world.json("status", "--remote")["artifacts"]}
    assert there == {"data": False, "fine.bin": True}
    copy = world.clone()
    ran = copy.fails(4, "pull")
    assert copy.read("fine.bin") == b"fine"
    world.ok("add", "data")
    world.ok("push")
    copy.ok("pull")
    assert copy.tree("data") == world.tree("data")


def test_an_object_damaged_in_the_cache_is_never_pushed(world: World) -> None:
    world.write("data/a.txt", b"aaa")
    world.ok("add", "data")
    (found,) = objects_of(world.cache, b"aaa")
    found.chmod(0o644)
    stat = found.stat()
    found.write_bytes(b"bad")
    os.utime(found, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    ran = world.fails(5, "push")
    assert "data/a.txt" in ran.err
    assert not any(b"bad" in path.read_bytes() for path in world.remote.rglob("*.pack"))
    world.ok("add", "data")
    world.ok("push")


def test_a_remote_that_lost_an_object_is_told_by_status_and_restored_by_verify(pushed: World) -> None:
    for pack in list((pushed.remote / "packs").rglob("*.pack")):
        if b"a" * 10 in pack.read_bytes():
            pack.unlink()
    assert pushed.json("push")["requests"] == 2
    there = {item["path"]: item["remote"] for item in pushed.json("status", "--remote")["artifacts"]}
    assert there["data"] is False
    copy = pushed.clone()
    ran = copy.run("pull", "data")
    assert ran.code == 4 and "data" in ran.err and "default" in ran.err
    pushed.ok("push", "--verify")
    assert all(item["remote"] for item in pushed.json("status", "--remote")["artifacts"])
    copy.ok("pull")
    assert copy.tree("data") == pushed.tree("data")


def test_a_remote_that_damaged_an_object_costs_only_that_path_and_heals(world: World) -> None:
    world.write("data/a.txt", b"a" * 10)
    world.write("data/b.txt", b"b" * 20)
    world.ok("add", "data")
    world.commit()
    world.ok("push")
    for pack in (world.remote / "packs").rglob("*.pack"):
        data = pack.read_bytes()
        if b"a" * 10 in data:
            pack.chmod(0o644)
            pack.write_bytes(data.replace(b"a" * 10, b"X" * 10))
    copy = world.clone()
    ran = copy.fails(5, "pull")
    assert "data/a.txt" in ran.err
    assert copy.tree("data") == {"b.txt": b"b" * 20}
    assert not list(copy.cache.glob("corrupt/*"))
    assert not [path for path in copy.cache.rglob("*") if path.is_file() and b"X" * 10 in path.read_bytes()]
    world.ok("push")
    copy.ok("pull")
    assert copy.tree("data") == world.tree("data")
    assert copy.json("status")["clean"]


def locked_on_the_remote(world: World, data: bytes) -> Path:
    """A loose object of the remote, from now on not to be read by anybody but root."""
    path = world.remote / object_path(digest(data))
    path.chmod(0)
    return path


def test_an_object_that_the_remote_does_not_let_read_costs_only_its_own_path(world: World) -> None:
    locked = b"L" * (5 << 20)
    world.write("locked.bin", locked)
    world.write("fine.bin", b"F" * (5 << 20))
    world.write("data/a.txt", b"aaa")
    world.ok("add", "locked.bin", "fine.bin", "data")
    world.commit()
    world.ok("push")
    path = locked_on_the_remote(world, locked)
    copy = world.clone()
    ran = copy.process("pull", "--json", before=without_root_override())
    assert ran.code == 4, ran
    failed = {item["path"]: item.get("error") for item in ran.json["artifacts"] if not item["ok"]}
    message = failed["locked.bin"]["message"]
    assert list(failed) == ["locked.bin"] and failed["locked.bin"]["code"] == "remote_denied"
    assert all(word in message for word in ("locked.bin", digest(locked)[:12], "default", str(path), "ermission"))
    assert copy.read("fine.bin") == world.read("fine.bin") and copy.read("data/a.txt") == b"aaa"
    again = copy.process("pull", before=without_root_override())
    assert again.code == 6 and "locked.bin" in again.err, again
    assert not list((world.remote / "gc").glob("*")), "what may not be read was called damaged"
    path.chmod(0o444)
    copy.ok("pull")
    assert copy.read("locked.bin") == locked


def test_files_of_a_directory_come_though_one_of_them_may_not_be_read(world: World) -> None:
    locked = b"L" * (17 << 20)
    world.write("data/a.txt", b"aaa")
    world.write("data/locked.bin", locked)
    world.ok("add", "data")
    world.commit()
    world.ok("push")
    locked_on_the_remote(world, locked)
    copy = world.clone()
    ran = copy.process("pull", before=without_root_override())
    assert ran.code == 4 and "data/locked.bin" in ran.err and copy.tree("data") == {"a.txt": b"aaa"}, ran


def test_what_one_remote_does_not_let_read_comes_from_the_next_and_that_is_said(world: World) -> None:
    locked = b"L" * (5 << 20)
    world.write("locked.bin", locked)
    world.ok("add", "locked.bin")
    world.ok("remote", "add", "near", str(world.top / "near"))
    world.ok("config", "set", "read", "default")
    world.ok("remote", "default", "near")
    world.commit()
    world.ok("push", "-r", "default")
    world.ok("push", "-r", "near")
    locked_on_the_remote(world, locked)
    copy = world.clone()
    ran = copy.process("pull", before=without_root_override())
    assert ran.code == 0 and copy.read("locked.bin") == locked, ran
    assert "locked.bin" in ran.err and "asking near instead" in ran.err


def test_a_file_larger_than_the_limit_of_a_file_stops_no_other_one_and_is_named(world: World) -> None:
    linux()
    world.write("data/big", os.urandom(3_000_000))
    world.write("data/small", b"1")
    world.write("large.bin", os.urandom(3_000_000))
    world.write("small.bin", b"2")
    world.ok("add", "data", "large.bin", "small.bin")
    world.commit()
    limited = ["prlimit", "--fsize=1000000"]
    tool("prlimit")
    ran = world.process("push", before=limited)
    assert ran.code == 1 and "at most 1.0 MB are allowed" in ran.err and "ulimit -f" in ran.err, ran
    world.ok("push")
    copy = world.clone()
    ran = copy.process("pull", before=limited)
    assert ran.code == 4 and copy.read("small.bin") == b"2" and copy.read("data/small") == b"1", ran
    assert "large.bin: too large a file" in ran.err and "data/big: too large a file" in ran.err
    copy.ok("pull")
    assert copy.json("status")["clean"]
    world.write("more.bin", os.urandom(3_000_000))
    assert "more.bin: too large a file" in world.process("add", "more.bin", before=limited).err


def test_what_is_too_large_for_the_remote_is_never_taken_for_pushed(world: World) -> None:
    tool("prlimit")
    names = ["a.bin", *(f"b{n}.bin" for n in range(8))]  # what follows the large one is sent while that one fails
    for name in names:
        world.write(name, os.urandom((12 if name == "a.bin" else 9) << 20))
    world.ok("add", *names)
    limited = ["prlimit", f"--fsize={10 << 20}"]
    for _ in range(2):
        ran = world.process("push", "--json", before=limited)
        assert {item["path"]: item["ok"] for item in ran.json["artifacts"]} == {name: name != "a.bin" for name in names}
    assert ran.code == 1, "the others are there since the first time"
    there = {item["path"]: item["remote"] for item in world.json("status", "--remote")["artifacts"]}
    assert there == {name: name != "a.bin" for name in names}
    assert world.json("push")["objects"] == 1


def test_a_pack_too_large_for_the_remote_fails_the_push_and_publishes_nothing(world: World) -> None:
    tool("prlimit")
    for n in range(60):
        world.write(f"data/{n:02}", os.urandom(500_000))
    for n in range(8):
        world.write(f"z{n}.bin", os.urandom(9 << 20))
    world.ok("add", "data", *(f"z{n}.bin" for n in range(8)))
    ran = world.process("push", before=["prlimit", f"--fsize={10 << 20}"])
    assert ran.code == 1 and "too large a file: at most 10.5 MB" in ran.err, ran
    assert not any(item["remote"] for item in world.json("status", "--remote")["artifacts"])
    world.ok("push")
    assert all(item["remote"] for item in world.json("status", "--remote")["artifacts"])


def test_no_remote_unknown_remote_and_unwritable_remote(world: World) -> None:
    world.write("a.bin", b"1")
    world.ok("add", "a.bin")
    ran = world.fails(3, "push", "-r", "defualt")
    assert "default" in ran.err
    world.ok("remote", "remove", "default")
    assert "datatool remote add" in world.fails(3, "push").err
    assert "datatool remote add" in world.fails(3, "status", "--remote").err


@pytest.mark.skipif(os.name == "nt", reason="no permission bits on Windows")
def test_a_remote_that_can_not_be_written_is_denied(world: World) -> None:
    world.write("a.bin", b"1")
    world.ok("add", "a.bin")
    world.remote.mkdir(exist_ok=True)
    world.remote.chmod(0o555)
    try:
        ran = world.process("push", before=without_root_override())
        assert ran.code == 6, ran
        assert str(world.remote) in ran.err
    finally:
        world.remote.chmod(0o755)


def test_something_else_at_the_remotes_place_is_refused(world: World) -> None:
    world.write("a.bin", b"1")
    world.ok("add", "a.bin")
    world.remote.mkdir(exist_ok=True)
    (world.remote / "datatool-remote.json").write_text("<html>please log in</html>")
    assert world.fails(6, "push").err
    world.remote.joinpath("datatool-remote.json").unlink()
    shutil.rmtree(world.remote)
    world.remote.write_text("a file")
    world.fails(6, "push")


def test_a_remote_that_was_seen_and_is_gone_is_perhaps_not_mounted(pushed: World) -> None:
    pushed.remote.rename(pushed.top / "away")
    pushed.write("two.bin", b"2")
    pushed.ok("add", "two.bin")
    ran = pushed.fails(6, "push")
    assert "mounted" in ran.err
    assert not pushed.remote.exists()


def test_a_remote_that_does_not_exist_yet_reads_as_empty(world: World) -> None:
    world.write("a.bin", b"1")
    world.ok("add", "a.bin")
    world.commit()
    copy = world.clone()
    ran = copy.fails(4, "pull")
    assert "a.bin" in ran.err and not world.remote.exists()


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


def test_status_remembers_what_was_pushed(pushed: World) -> None:
    assert all(item["pushed"] for item in pushed.json("status")["artifacts"])
    pushed.write("one.bin", b"changed")
    pushed.ok("add", "one.bin")
    assert {i["path"]: bool(i["pushed"]) for i in pushed.json("status")["artifacts"]} == {
        "data": True,
        "one.bin": False,
    }
    copy = pushed.clone()
    copy.ok("pull", "data")
    assert {i["path"]: bool(i["pushed"]) for i in copy.json("status")["artifacts"]}["data"]


def test_zstd_in_packs_is_a_choice_of_configuration(world: World) -> None:
    world.ok("remote", "set", "default", "compression=zstd")
    for number in range(50):
        world.write(f"data/{number}", b"the same words again and again " * 100 + b"%d" % number)
    world.ok("add", "data")
    world.commit()
    assert world.json("push")["bytes"] < 50_000
    copy = world.clone()
    copy.ok("pull")
    assert copy.tree("data") == world.tree("data")


def test_a_hundred_pushes_leave_few_shards(world: World) -> None:
    for number in range(100):
        world.write("data/x", b"%d" % number)
        world.ok("add", "data")
        world.ok("push")
    current = json.loads((world.remote / "index.list").read_text())
    assert len(current["shards"]) <= 20, current
    world.commit()
    copy = world.clone()
    copy.ok("pull")
    assert copy.read("data/x") == b"99"


def test_sharing_a_directory_remote_keeps_its_group_and_permission_bits(world: World) -> None:
    if os.name == "nt":
        pytest.skip("no permission bits on Windows")
    world.remote.mkdir()
    world.remote.chmod(0o2770)
    world.write("a.bin", b"1")
    world.ok("add", "a.bin")
    before = os.umask(0o077)
    try:
        ran = world.process("push")
        assert ran.code == 0, ran
    finally:
        os.umask(before)
    for path in world.remote.rglob("*"):
        mode = path.stat().st_mode
        assert mode & 0o070 in ((0o070,) if path.is_dir() else (0o040, 0o060)), (path, oct(mode))
        assert not mode & 0o007


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


def test_offline_a_directory_is_still_a_remote(pushed: World) -> None:
    assert pushed.ok("push", "--offline")
    pushed.ok("remote", "add", "cloud", "s3://bucket/data")
    assert pushed.fails(6, "push", "-r", "cloud", "--offline").err


def test_fetch_with_force_asks_the_remote_in_any_case(pushed: World) -> None:
    assert pushed.json("fetch", "--force")["requests"] == 2
    pushed.remote.rename(pushed.top / "away")
    assert "mounted" in pushed.fails(6, "fetch", "--force").err


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


def test_an_empty_file_that_came_with_others_is_known_to_be_pushed(world: World) -> None:
    world.write("empty")
    world.write("full", b"full")
    world.ok("add", "empty", "full")
    world.commit("both")
    world.ok("push")
    clone = world.clone()
    clone.ok("pull")
    assert all(item["pushed"] for item in clone.json("status")["artifacts"])


def test_an_empty_file_alone_is_never_called_not_pushed(world: World) -> None:
    world.write("empty")
    world.ok("add", "empty")
    assert "pushed" not in world.ok("status").out, "there is nothing to push"
    world.commit("empty")
    world.ok("push")
    assert "pushed (as of" in world.ok("status").out
    clone = world.clone()
    assert clone.json("pull")["requests"] == 0
    assert "pushed" not in clone.ok("status").out and clone.json("status")["clean"]
