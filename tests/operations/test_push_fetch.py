"""What travels between cache and remote, and what is counted."""

from __future__ import annotations

import json
import os
import shutil

import pytest

from datatool.errors import RemoteUnreachable
from datatool.formats.pack import object_path
from datatool.hashing import digest
from datatool.store.directory import DirectoryStore
from world import World


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


def test_fetch_with_force_asks_the_remote_in_any_case(pushed: World) -> None:
    assert pushed.json("fetch", "--force")["requests"] == 2
    pushed.remote.rename(pushed.top / "away")
    assert "mounted" in pushed.fails(6, "fetch", "--force").err


@pytest.mark.parametrize("part", ["data/a.txt", "data/sub", "data"])
def test_a_part_of_a_directory_that_the_cache_has_comes_without_any_remote(world: World, part: str) -> None:
    world.ok("remote", "remove", "default")
    for path in ("data/a.txt", "data/sub/b.txt", "data/sub/c.txt"):
        world.write(path, path.encode())
    world.ok("add", "data")
    shutil.rmtree(world.root / "data")
    pulled = world.json("pull", part)
    assert world.read(part if part.endswith(".txt") else "data/sub/c.txt").startswith(b"data/")
    assert (pulled["objects"], pulled["skipped_objects"]) == (0, {"data/a.txt": 2, "data/sub": 3, "data": 4}[part])
    world.fails(3, "pull", "data/no-such.txt")


def test_a_part_of_a_directory_that_the_cache_lacks_takes_a_remote(pushed: World) -> None:
    (pushed.cache / object_path(digest(b"b" * 20))).unlink()
    pushed.ok("remote", "remove", "default")
    pushed.ok("fetch", "data/a.txt")
    pushed.fails(3, "fetch", "data/b.txt")
    pushed.fails(3, "fetch", "data")


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
