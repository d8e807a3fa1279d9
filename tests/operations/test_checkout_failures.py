"""What is damaged, missing or in the way costs its own path only, and what broke off is completed."""

from __future__ import annotations

import errno
import os
import sys
from typing import Any

import pytest

from datatool.errors import NoSpace
from datatool.localfs import batch
from world import World


def test_a_checkout_that_wrote_nothing_leaves_no_directory_and_the_artifact_absent(
    versions: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    copy = versions.clone()
    copy.ok("fetch")

    def full(*_: object, **__: object) -> None:
        raise NoSpace("data: the disk is full")

    with monkeypatch.context() as patch:
        patch.setattr("datatool.workspace.placing.Placing.put", full)
        copy.fails(1, "checkout", "data")
    assert not copy.exists("data")
    assert copy.json("status", "data")["artifacts"][0]["state"] == "absent"
    copy.ok("checkout", "data")
    assert copy.read("data/sub/c.txt") == b"c1"


def test_a_large_file_that_the_disk_has_no_room_for_is_named_with_what_it_needs(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.write("data/big.bin", os.urandom(9_000_000))
    world.write("one.bin", os.urandom(9_000_000))
    world.ok("add", "data", "one.bin")
    world.commit()
    (world.top / "out").mkdir()
    (world.root / "data/big.bin").unlink()
    (world.root / "one.bin").unlink()

    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch:
        patch.setattr("datatool.cache.local.clone_or_copy", full)
        patch.setattr("datatool.workspace.early_copies.free_at", lambda directory: 0)
        for words in (("checkout", "data"), ("checkout", "one.bin")):
            error = world.fails(1, *words, "--json").error
            assert error["code"] == "no_space" and error["hint"]
            assert words[1] in error["message"] and "needs 9.0 MB, " in error["message"]
        ran = world.fails(1, "get", world.root, "one.bin", cwd=world.top / "out")
        assert "one.bin: not enough space" in ran.err and "needs 9.0 MB, " in ran.err and "hint: " in ran.err
        assert not os.listdir(world.top / "out")


def test_a_mistyped_target_is_not_found_with_the_nearest_name(versions: World) -> None:
    for command in ("status", "checkout", "push", "fetch", "pull", "edit", "remove"):
        ran = versions.fails(3, command, "dta")
        assert "data" in ran.err, command
    for command in ("diff", "list"):
        assert "data" in versions.fails(3, command, "dta").err, command
    assert "data" in versions.fails(3, "move", "dta", "x").err


def test_a_mistyped_path_inside_an_artifact_is_not_found(versions: World) -> None:
    for command in ("checkout", "pull", "fetch"):
        versions.fails(3, command, "data/nothing-like-this")
    copy = versions.clone()
    copy.fails(3, "pull", "data/nope")


def test_a_rebuilt_database_changes_no_answer(versions: World) -> None:
    for path in versions.local.glob("state.db*"):
        path.unlink()
    assert versions.json("status")["clean"]
    versions.write("data/mine.txt", b"extra")
    for path in versions.local.glob("state.db*"):
        path.unlink()
    versions.git("checkout", "-q", "v1")
    versions.ok("checkout")
    assert versions.read("data/a.txt") == b"a1" and versions.read("data/mine.txt") == b"extra"


@pytest.mark.parametrize("garbage", [b"", b"not a database at all" * 100])
def test_a_damaged_database_is_made_anew(versions: World, garbage: bytes) -> None:
    for path in versions.local.glob("state.db-*"):
        path.unlink()
    (versions.local / "state.db").write_bytes(garbage)
    assert versions.json("status")["clean"]
    assert versions.json("status")["clean"]


def test_a_damaged_cache_object_costs_only_its_path_and_is_set_aside(versions: World) -> None:
    (versions.root / "data/a.txt").unlink()
    (versions.root / "data/new.txt").unlink()
    (target,) = [p for p in (versions.cache / "objects").rglob("*") if p.is_file() and p.read_bytes() == b"a2!"]
    target.chmod(0o644)
    target.write_bytes(b"bad")
    ran = versions.fails(5, "checkout", "data")
    assert "data/a.txt" in ran.err
    assert not versions.exists("data/a.txt") and versions.read("data/new.txt") == b"new"
    assert [p.read_bytes() for p in (versions.cache / "corrupt").iterdir()] == [b"bad"]
    versions.ok("pull")
    assert versions.read("data/a.txt") == b"a2!"
    assert versions.json("status")["clean"]


def test_a_missing_cache_object_costs_only_its_path(versions: World) -> None:
    (versions.root / "data/a.txt").unlink()
    (versions.root / "data/new.txt").unlink()
    (target,) = [p for p in (versions.cache / "objects").rglob("*") if p.is_file() and p.read_bytes() == b"a2!"]
    target.unlink()
    done = versions.fails(4, "checkout", "data", "--json")
    assert done.json["artifacts"][0]["missing"] == ["data/a.txt"]
    assert versions.read("data/new.txt") == b"new"
    assert versions.json("status", "data")["artifacts"][0]["state"] == "partial"
    assert not versions.json("status", "data")["artifacts"][0]["cached"]


def test_conflict_markers_in_a_pointer_name_both_sides(versions: World) -> None:
    text = versions.read("data.dt")
    versions.write("data.dt", b"<<<<<<< HEAD\n" + text + b"=======\n" + text + b">>>>>>> feature\n")
    for command in (("checkout",), ("push",), ("fetch",), ("status",)):
        ran = versions.run(*command)
        assert ran.code in (1, 4), ran
        assert "HEAD" in ran.err and "feature" in ran.err and "data.dt" in ran.err
    assert versions.fails(1, "checkout", "data").err


def test_a_pointer_of_a_newer_format_version_is_refused_by_name(versions: World) -> None:
    versions.write("one.bin.dt", versions.read("one.bin.dt").replace(b"datatool: 1", b"datatool: 2"))
    ran = versions.fails(1, "status", "one.bin")
    assert "newer datatool" in ran.err and "one.bin.dt" in ran.err


def test_a_pull_killed_half_way_leaves_no_temporary_file_once_it_is_repeated(versions: World) -> None:
    copy = versions.clone()
    copy.ok("pull")
    gone = copy.write("data/sub/.datatool-tmp-0123456789abcdef", b"half a file")
    within = copy.write("data/.datatool-tmp-0123456789abcdee/sub/file", b"in half a directory")
    for path in (gone, within.parents[1]):
        os.utime(path, (1, 1))
    copy.ok("pull")
    assert not gone.exists() and not within.parents[1].exists()


def test_diff_tells_of_conflict_markers_in_a_pointer(versions: World) -> None:
    text = versions.read("data.dt")
    versions.write("data.dt", b"<<<<<<< HEAD\n" + text + b"=======\n" + text + b">>>>>>> feature\n")
    assert "feature" in versions.fails(1, "diff").err
    versions.ok("diff", "one.bin")


def test_a_single_file_that_cant_get_its_name_stops_no_other_one(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    names = ["a.bin", "b.bin", "c.bin"]
    for name in names:
        world.write(name, name.encode())
    world.ok("add", *names)
    for name in names:
        (world.root / name).unlink()
    give = batch._give_name

    def refuse(item: batch._Pending, *rest: Any) -> bool:
        if item.target == b"b.bin":
            raise OSError(errno.EIO, "Input/output error")
        return give(item, *rest)

    monkeypatch.setattr(batch, "_give_name", refuse)
    done = world.run("checkout", "--json").json["artifacts"]
    assert [(item["path"], item["changed"], "error" in item) for item in done] == [
        ("a.bin", True, False),
        ("b.bin", False, True),
        ("c.bin", True, False),
    ]
    assert world.read("a.bin") == b"a.bin" and not world.exists("b.bin") and world.read("c.bin") == b"c.bin"
    monkeypatch.undo()
    world.ok("checkout")
    assert world.json("status")["clean"]


def test_a_single_file_saved_after_another_one_failed_is_not_overwritten(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("a.bin", "b.bin"):
        world.write(name, name.encode())
    world.ok("add", "a.bin", "b.bin")
    for name in ("a.bin", "b.bin"):
        (world.root / name).unlink()
    give = batch._give_name

    def refuse_once(item: batch._Pending, *rest: Any) -> bool:
        if item.target == b"a.bin" and not world.exists("b.bin"):
            world.write("b.bin", b"saved by the user meanwhile")
            raise OSError(errno.EIO, "Input/output error")
        return give(item, *rest)

    monkeypatch.setattr(batch, "_give_name", refuse_once)
    world.run("checkout")
    assert world.read("a.bin") == b"a.bin"
    assert world.read("b.bin") == b"saved by the user meanwhile"


@pytest.mark.skipif(sys.platform == "win32", reason="the limit is one of POSIX")
def test_more_single_files_than_a_process_may_open_are_added_and_checked_out(world: World) -> None:
    for i in range(400):
        world.write(f"files/{i:03}.bin", b"%d" % i)
    names = sorted(f"files/{i:03}.bin" for i in range(400))
    few = ["sh", "-c", 'ulimit -Sn 256 && exec "$@"', "sh"]
    added = world.process("add", *names, before=few)
    assert added.code == 0, added.err
    for name in names:
        (world.root / name).unlink()
    done = world.process("checkout", before=few)
    assert done.code == 0, done.err
    assert world.json("status")["clean"] and world.read(names[-1]) == b"399"
