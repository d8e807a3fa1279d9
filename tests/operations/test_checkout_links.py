"""Links between workspace and cache, and links that are in the way."""

from __future__ import annotations

import os
import shutil
import sys

import pytest

from needs import without_root_override
from world import World


@pytest.mark.skipif(sys.platform == "win32", reason="no such links on Windows")
def test_symlinks_into_the_cache_by_configuration(world: World) -> None:
    world.ok("config", "set", "cache.link", "symlink, copy")
    world.write("data/big", b"x" * 70_000)
    world.write("data/small", b"s")
    world.write("big.bin", b"y" * 70_000)
    world.ok("add", "data", "big.bin")
    assert os.path.islink(world.root / "data/big") and os.path.islink(world.root / "big.bin")
    assert world.read("data/big") == b"x" * 70_000
    assert world.json("status")["clean"]
    world.ok("add", "data", "big.bin")
    world.commit()
    world.ok("push")
    copy = world.clone()
    copy.ok("pull")
    assert os.path.islink(copy.root / "data/big") and copy.json("status")["clean"]
    copy.ok("edit", "data/big", "big.bin")
    assert not os.path.islink(copy.root / "data/big") and not os.path.islink(copy.root / "big.bin")
    with (copy.root / "data/big").open("ab") as file:
        file.write(b"more")
    assert copy.json("status", "data")["artifacts"][0]["changes"]["modified"] == ["data/big"]
    copy.ok("add", "data")


@pytest.mark.skipif(sys.platform == "win32", reason="modes do not bind on Windows")
def test_hardlinks_by_configuration_for_whom_modes_bind_and_edit_makes_them_writable(world: World) -> None:
    as_user = without_root_override()
    world.ok("config", "set", "cache.link", "hardlink")
    world.write("data/big", b"x" * 70_000)
    world.write("data/tool", b"#!" + b"y" * 70_000, executable=True)
    assert world.process("add", "data", before=as_user).code == 0
    big = os.lstat(world.root / "data/big")
    assert big.st_nlink == 2 and big.st_mode & 0o777 == 0o444
    assert os.lstat(world.root / "data/tool").st_nlink == 1
    assert world.json("status")["clean"]
    assert world.process("edit", "data/big", before=as_user).code == 0
    big = os.lstat(world.root / "data/big")
    assert big.st_nlink == 1 and big.st_mode & 0o200
    with (world.root / "data/big").open("ab") as file:
        file.write(b"!")
    (cached,) = [p for p in (world.cache / "objects").rglob("*") if p.is_file() and p.stat().st_size == 70_000]
    assert cached.read_bytes() == b"x" * 70_000
    assert world.process("checkout", "--force", "data", before=as_user).code == 0
    assert os.lstat(world.root / "data/big").st_nlink == 2
    world.ok("config", "set", "cache.link", "copy")
    assert world.process("checkout", "--relink", "data", before=as_user).code == 0
    assert os.lstat(world.root / "data/big").st_nlink == 1
    assert os.lstat(world.root / "data/big").st_mode & 0o200


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="about root")
def test_hardlinks_are_never_made_for_root_whom_modes_do_not_bind(world: World) -> None:
    world.ok("config", "set", "cache.link", "hardlink")
    world.write("data/big", b"x" * 70_000)
    world.ok("add", "data")
    assert os.lstat(world.root / "data/big").st_nlink == 1


def test_writing_never_goes_through_a_symlink_in_the_workspace(versions: World) -> None:
    copy = versions.clone()
    outside = versions.top / "outside"
    outside.mkdir()
    (copy.root / "data").mkdir()
    (copy.root / "data/sub").symlink_to(outside)
    ran = copy.run("pull", "data")
    assert ran.code in (0, 4, 7), ran
    assert list(outside.iterdir()) == []
    versions.write("deep/er/x", b"1")
    versions.ok("add", "deep/er")
    versions.commit()
    versions.ok("push")
    other = versions.clone("other")
    shutil.rmtree(other.root / "deep")
    (other.root / "deep").symlink_to(outside)
    assert other.run("pull").code != 0 or list(outside.iterdir()) == []
    assert list(outside.iterdir()) == []


@pytest.mark.skipif(sys.platform == "win32", reason="no such links on Windows")
def test_links_into_a_cache_that_was_moved_count_as_missing(world: World) -> None:
    world.ok("config", "set", "cache.link", "symlink")
    world.ok("config", "set", "cache.dir", str(world.top / "cache"))
    world.write("data/big", b"x" * 70_000)
    world.write("big.bin", b"y" * 70_000)
    world.ok("add", "data", "big.bin")
    (world.top / "cache").rename(world.top / "moved")
    world.ok("config", "set", "cache.dir", str(world.top / "moved"))
    states = {item["path"]: item["state"] for item in world.json("status")["artifacts"]}
    assert states == {"data": "modified", "big.bin": "missing"}
    world.ok("checkout")
    assert world.read("data/big") == b"x" * 70_000 and world.read("big.bin") == b"y" * 70_000


@pytest.mark.skipif(sys.platform == "win32", reason="no such links on Windows")
def test_a_link_into_the_cache_that_add_or_checkout_made_is_no_unsaved_change(world: World) -> None:
    world.ok("config", "set", "cache.link", "symlink")
    world.write("data/1", b"v1")
    world.write("data/2", b"v2")
    world.ok("add", "data")
    world.commit("one")
    world.ok("edit", "data/2")
    world.write("data/2", b"another")
    world.ok("add", "data")
    assert os.path.islink(world.root / "data/2")
    world.commit("two")
    world.ok("checkout", "--rev", "HEAD~1", "data/2")
    assert world.read("data/2") == b"v2"
    world.ok("checkout", "--rev", "HEAD", "data")
    assert world.read("data/2") == b"another"
    world.ok("checkout", "--relink")
    world.git("checkout", "-q", "HEAD~1")
    world.ok("checkout")
    assert world.read("data/2") == b"v2" and world.json("status")["clean"]


@pytest.mark.skipif(sys.platform == "win32", reason="no such links on Windows")
def test_a_link_into_the_cache_makes_way_for_a_directory_and_the_users_own_link_does_not(world: World) -> None:
    world.ok("config", "set", "cache.link", "symlink")
    world.write("x/1", b"1")
    world.ok("add", "x")
    world.commit("a directory")
    shutil.rmtree(world.root / "x")
    world.write("x", b"a file")
    world.ok("add", "x")
    assert os.path.islink(world.root / "x")
    world.commit("a file")
    world.git("checkout", "-q", "HEAD~1")
    world.ok("checkout")
    assert world.read("x/1") == b"1"
    world.write("notes.txt", b"nowhere else")
    os.unlink(world.root / "x/1")
    os.symlink(world.root / "notes.txt", world.root / "x/1")
    world.git("checkout", "-q", "main")
    assert world.run("checkout").code == 7
    assert os.path.islink(world.root / "x/1") and world.read("notes.txt") == b"nowhere else"


@pytest.mark.skipif(sys.platform == "win32", reason="no such links on Windows")
@pytest.mark.parametrize("kind", ["hardlink", "symlink"])
def test_what_was_written_through_a_link_says_that_the_object_was_hit(world: World, kind: str) -> None:
    as_user = without_root_override()
    world.ok("config", "set", "cache.link", kind)
    for path in ("data/1", "data/2", "one.bin"):
        world.write(path, path.encode())
    assert world.process("add", "data", "one.bin", before=as_user).code == 0
    world.commit()
    for path in ("data/2", "one.bin"):
        (world.root / path).chmod(0o644)
        with (world.root / path).open("ab") as file:
            file.write(b", changed in the cache")
        error = world.process("checkout", path, "--json", before=as_user).error
        assert error["code"] == "unsaved"
        assert f"{path} is a link to its object in the cache, which was changed with it" in error["hint"]
    world.ok("edit", "data/1")
    world.write("data/1", b"changed here alone")
    assert "link" not in world.fails(7, "checkout", "data/1", "--json").error["hint"]
