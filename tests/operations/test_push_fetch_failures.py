"""Objects that are missing, damaged, withheld or too large, here or on the remote, cost what needs them."""

from __future__ import annotations

import os
from pathlib import Path

from datatool.formats.pack import object_path
from datatool.hashing import digest
from needs import linux, tool, without_root_override
from world import World, objects_of


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
    assert not copy.json("status", "--remote")["artifacts"][0]["remote"]  # it noted the damage itself
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
