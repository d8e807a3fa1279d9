"""A directory as the remote: not there yet, gone, something else, not to be written, shared."""

from __future__ import annotations

import os
import shutil

import pytest

from needs import without_root_override
from world import World


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


def test_offline_a_directory_is_still_a_remote(pushed: World) -> None:
    assert pushed.ok("push", "--offline")
    pushed.ok("remote", "add", "cloud", "s3://bucket/data")
    assert pushed.fails(6, "push", "-r", "cloud", "--offline").err
