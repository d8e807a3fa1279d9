"""Packs that the cache has already go to a remote as they are, hashed once; what may not is packed anew."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from datatool.formats.remote_format import RemoteFormat, encode_remote_format
from world import World

COUNT = 300
"""Files from this many on share a pack in the cache (formats §4)."""


@pytest.fixture
def added(world: World) -> World:
    """A directory whose files fill one pack of the cache, and a remote that takes packs of that size."""
    for number in range(COUNT):
        world.write(f"data/{number:03}.bin", b"%03d" % number + os.urandom(1000))
    world.ok("add", "data")
    world.commit("one")
    _make_remote(world)
    return world


def _make_remote(world: World, *, loose_min: int = 4 << 20, pack_target: int = 256 << 10) -> None:
    world.remote.mkdir(exist_ok=True)
    value = RemoteFormat(id="33333333-3333-4333-8333-333333333333", loose_min=loose_min, pack_target=pack_target)
    (world.remote / "datatool-remote.json").write_bytes(encode_remote_format(value))


def _packs(top: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in (top / "packs").rglob("*.pack")}


def _own_pack(world: World) -> Path:
    packs = (world.root / ".git/datatool/cache/packs").rglob("*.pack")
    return max(packs, key=lambda path: path.stat().st_size)  # the other holds the list of the directory


def _arrives_whole(world: World) -> bool:
    copy = world.clone()
    copy.ok("pull")
    return copy.tree("data") == world.tree("data")


def test_a_pack_of_the_cache_is_sent_as_it_is(added: World) -> None:
    own = _own_pack(added)
    done = added.json("push")
    assert done["objects"] == COUNT + 1 and done["bytes"] > COUNT * 1000
    assert _packs(added.remote)[own.name] == own.read_bytes()
    assert len(_packs(added.remote)) == 2  # that one, and one for the list of the directory
    assert _arrives_whole(added)
    assert added.json("push")["requests"] == 2


def test_a_pack_is_not_sent_when_the_remote_has_something_of_it(added: World) -> None:
    added.write("one.bin", added.read("data/007.bin"))
    added.ok("add", "one.bin")
    added.ok("push", "one.bin")
    done = added.json("push", "data")
    assert done["objects"] == COUNT  # all but the one, with the list
    assert _own_pack(added).name not in _packs(added.remote)
    assert _arrives_whole(added)


@pytest.mark.parametrize("sizes", [{"pack_target": 32 << 10}, {"pack_target": 2 << 20}, {"loose_min": 1000}])
def test_a_pack_of_another_size_than_the_remote_wants_is_not_sent(added: World, sizes: dict[str, int]) -> None:
    _make_remote(added, **sizes)
    added.ok("push")
    assert _own_pack(added).name not in _packs(added.remote)
    assert _arrives_whole(added)


def test_packs_of_a_remote_that_compresses_are_made_anew(added: World) -> None:
    added.ok("remote", "set", "default", "compression=zstd")
    added.ok("push")
    assert _own_pack(added).name not in _packs(added.remote)
    assert _arrives_whole(added)


def test_a_damaged_pack_is_sent_object_by_object_but_for_the_wrong_one(added: World) -> None:
    own = _own_pack(added)
    name, found = own.name, own.stat()
    own.chmod(0o644)
    data = bytearray(own.read_bytes())
    data[data.index(added.read("data/007.bin")) + 500] ^= 1
    own.write_bytes(data)
    os.utime(own, ns=(found.st_atime_ns, found.st_mtime_ns))
    ran = added.fails(5, "push")
    assert "data/007.bin" in ran.err and "008.bin" not in ran.err
    assert name not in _packs(added.remote)
    assert added.json("push", "--dry-run")["objects"] <= 2  # all the others were sent
    added.ok("add", "data")
    added.ok("push")
    assert _arrives_whole(added)


def test_a_pack_that_was_condemned_is_never_sent_under_its_name_again(added: World) -> None:
    added.ok("push")
    name = _own_pack(added).name
    (there,) = added.remote.rglob(name)
    there.chmod(0o644)
    there.write_bytes(b"lost")
    added.ok("push", "--verify")
    assert there.read_bytes() == b"lost"
    assert _arrives_whole(added)


@pytest.mark.skipif(os.name == "nt", reason="files have no numeric owner")
def test_a_pack_that_another_user_put_into_a_shared_cache_is_hashed_object_by_object(
    added: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    from datatool.cache import packs

    monkeypatch.setattr(packs.os, "geteuid", lambda: os.getuid() + 1)
    added.ok("push")
    assert _own_pack(added).name not in _packs(added.remote)
    assert _arrives_whole(added)
