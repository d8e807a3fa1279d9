"""The promises a user relies on, each in the smallest world that can break it.

Fast on purpose: these are also what catches the mutants in tests/mutants.
"""

from __future__ import annotations

import os
import random
from pathlib import Path
from struct import pack

import pytest

from datatool.errors import FormatError
from datatool.formats import zstd
from datatool.formats.shard import PushRecord
from datatool.formats.tree_object import parse_page
from datatool.index.stamp import Stamp
from datatool.index.state import State
from datatool.localfs.atomic import write_file
from datatool.localfs.batch import Batch, Published
from datatool.model.oid import ObjectId
from datatool.model.settings import Durability
from datatool.remote.state import is_valid
from datatool.workspace.present import Workspace
from world import World, executables, tree

OID = b"0" * 64


def one(pattern: str, top: Path) -> Path:
    """The only file that matches."""
    found = [path for path in top.rglob(pattern) if path.is_file()]
    assert len(found) == 1, found
    return found[0]


def damage(path: Path, at: int) -> None:
    """Change one byte, as a failing disk does."""
    path.chmod(0o644)
    data = bytearray(path.read_bytes())
    data[at] ^= 0xFF
    path.write_bytes(data)


# ---- no wrong byte passes


def test_wrong_bytes_from_a_remote_are_never_used(world: World) -> None:
    world.write("model.bin", random.Random(1).randbytes(10_000))
    world.ok("add", "model.bin")
    world.commit()
    world.ok("push")
    copy = world.clone()
    damage(one("*.pack", world.remote), 100)
    copy.fails(5, "pull")
    assert not copy.exists("model.bin")


def test_a_wrong_object_in_the_cache_is_set_aside_and_not_checked_out(world: World) -> None:
    world.write("model.bin", b"right bytes\n")
    world.ok("add", "model.bin")
    damage(one("objects/??/*", world.cache), 0)
    (world.root / "model.bin").unlink()
    assert world.run("checkout").code in {4, 5}
    assert not world.exists("model.bin")
    assert not [path for path in (world.cache / "objects").rglob("*") if path.is_file()]


def test_read_only_modes_prove_nothing_about_an_object(world: World) -> None:
    world.write("model.bin", b"right bytes\n")
    world.ok("add", "model.bin")
    target = one("objects/??/*", world.cache)
    damage(target, 0)
    target.chmod(0o444)
    (world.root / "model.bin").unlink()
    assert world.run("checkout").code in {4, 5}
    assert not world.exists("model.bin")


def test_a_wrong_object_never_leaves_for_a_remote(world: World) -> None:
    world.write("model.bin", b"right bytes\n")
    world.ok("add", "model.bin")
    damage(one("objects/??/*", world.cache), 0)
    (world.root / "model.bin").unlink()
    assert world.run("push").code in {4, 5}
    assert world.json("status", "--remote")["artifacts"][0]["remote"] is False


# ---- what is seen


def test_an_edit_of_the_same_size_right_after_add_is_seen(world: World) -> None:
    for i in range(10):
        path = world.write("a.txt", b"%04d" % i)
        stat = path.stat()
        world.ok("add", "a.txt")
        path.write_bytes(b"%04d" % (i + 1))
        os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))
        assert world.json("status")["artifacts"][0]["state"] == "modified"


def test_an_edit_and_a_new_file_among_many_are_seen(world: World) -> None:
    for i in range(40):
        world.write(f"data/{i}.txt", b"%02d" % i)
    world.ok("add", "data")
    world.commit()
    assert world.json("status")["clean"]
    world.write("data/7.txt", b"xx")
    world.write("data/new.txt", b"xx")
    (item,) = world.json("status")["artifacts"]
    assert (item["changes"]["modified"], item["changes"]["added"]) == (["data/7.txt"], ["data/new.txt"])


def test_a_hash_is_not_remembered_for_a_file_that_may_change_unseen(tmp_path: Path) -> None:
    with State(tmp_path / "state.db") as state:
        workspace = Workspace(tmp_path, state)
        earlier, same_instant = (Stamp(pack("<6q", 5, 9, changed, 1, 2, 0o100644)) for changed in (99, 100))
        workspace.remember([(b"earlier", earlier, ObjectId("0" * 64)), (b"now", same_instant, ObjectId("0" * 64))], 100)
        assert list(state.rows(b"now")) == []
        assert len(list(state.rows(b"earlier"))) == 1


def test_a_file_that_was_written_just_now_is_not_remembered_without_a_wait(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("datatool.localfs.batch.time.sleep", lambda seconds: None)  # a wait that ends too early
    published: list[Published] = []
    with Batch(tmp_path, durability=Durability.NONE, on_published=published.extend) as batch:
        batch.write(b"a", b"1", mode=0o644, replace=True)
    assert [item.stat for item in published] == [None]


def test_an_executable_file_stays_executable(world: World) -> None:
    world.write("tools/run.sh", b"#!/bin/sh\n", executable=True)
    world.write("tools/data.txt", b"x")
    world.write("single.sh", b"#!/bin/sh\n", executable=True)
    world.ok("add", "tools", "single.sh")
    world.commit()
    world.ok("push")
    copy = world.clone()
    copy.ok("pull")
    assert executables(copy.root) == {"tools/run.sh", "single.sh"}


def test_every_page_of_a_large_tree_travels(world: World) -> None:
    for i in range(4000):
        world.write(f"data/{i // 100:02}/{i:04}.txt", b"%d\n" % i)
    assert world.json("add", "data")["artifacts"][0]["files"] == 4000
    world.commit()
    world.ok("push")
    copy = world.clone()
    copy.ok("pull")
    assert tree(copy.root / "data") == tree(world.root / "data")


# ---- unsaved work and what was never fetched


def test_unsaved_work_stops_checkout_and_is_kept(world: World) -> None:
    world.write("data/a.txt", b"saved\n")
    world.write("data/b.txt", b"saved too\n")
    world.ok("add", "data")
    world.write("data/a.txt", b"not saved\n")
    (world.root / "data/b.txt").unlink()
    world.fails(7, "checkout")
    assert tree(world.root / "data") == {"a.txt": b"not saved\n"}, "nothing of the artifact is touched"


def test_files_that_nobody_recorded_stay(world: World) -> None:
    world.write("data/a.txt", b"first\n")
    world.ok("add", "data")
    world.commit()
    world.write("data/a.txt", b"second\n")
    world.ok("add", "data")
    world.write("data/mine.txt", b"never added\n")
    world.ok("checkout", "--rev", "HEAD", "data")
    assert tree(world.root / "data") == {"a.txt": b"first\n", "mine.txt": b"never added\n"}


def test_what_was_never_fetched_is_not_dropped_by_add(world: World) -> None:
    world.write("data/sub/a.txt", b"a\n")
    world.write("data/other/b.txt", b"b\n")
    world.ok("add", "data")
    world.commit()
    world.ok("push")
    copy = world.clone()
    copy.ok("pull", "data/sub")
    copy.write("data/sub/a.txt", b"changed\n")
    assert copy.json("add", "data")["artifacts"][0]["files"] == 2


# ---- what a push proves


def test_an_artifact_with_a_missing_object_is_not_published(world: World) -> None:
    world.write("whole.txt", b"whole\n")
    world.write("data/a.txt", b"a\n")
    world.write("data/b.txt", b"b\n")
    world.ok("add", "data", "whole.txt")
    kept = tree(world.cache / "objects")
    lost = next(name for name, data in kept.items() if data == b"b\n")
    (world.cache / "objects" / lost).unlink()
    (world.root / "data/b.txt").unlink()
    world.fails(4, "push")
    found = {item["path"]: item["remote"] for item in world.json("status", "--remote")["artifacts"]}
    assert found == {"data": False, "whole.txt": True}


def test_another_projects_push_is_no_proof_for_this_one(tmp_path: Path) -> None:
    one_project, other = World(tmp_path, name="one"), World(tmp_path, name="other")
    for world in (one_project, other):
        world.write("same.bin", b"the same bytes\n" * 100)
        world.ok("add", "same.bin")
    one_project.ok("push")
    shards = len(list((one_project.remote / "index").iterdir()))
    other.ok("push")
    assert len(list((other.remote / "index").iterdir())) == shards + 1


@pytest.mark.parametrize(("after", "counts"), [(599, True), (601, False)])
def test_a_push_that_was_committed_too_late_is_void(after: int, counts: bool) -> None:
    record = PushRecord(id="0", time=1000.0, checked=1000.0, project="p", commit=None, roots=(), extra={})
    assert is_valid(record, 1000.0 + after) is counts


# ---- how things are written

NAMING = {"replace", "rename", "link"}


def recorded_calls(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The order of the calls that sync a file or give it a name, from now on."""
    order: list[str] = []

    def record(name: str) -> None:
        original = getattr(os, name)

        def call(*arguments: object, **options: object) -> object:
            order.append(name)
            return original(*arguments, **options)

        monkeypatch.setattr(os, name, call)

    for name in ("fsync", *NAMING):
        record(name)
    return order


def test_a_file_is_on_disk_before_it_gets_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    order = recorded_calls(monkeypatch)
    write_file(tmp_path / "a.txt", b"text", durability=Durability.BATCH)
    assert order[0] == "fsync", order
    assert order[-1] == "fsync", "the directory too"
    assert NAMING & set(order[1:-1])


def test_a_batch_is_on_disk_before_any_of_it_gets_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    order = recorded_calls(monkeypatch)
    with Batch(tmp_path, durability=Durability.BATCH) as batch:
        for name in (b"a", b"b", b"c"):
            batch.write(name, b"text", mode=0o644, replace=True)
    first_name = next(i for i, call in enumerate(order) if call in NAMING)
    assert order[:first_name] == ["fsync"] * 3, order
    assert order[-1] == "fsync", "the directory too"


def test_a_batch_leaves_a_name_that_is_taken(tmp_path: Path) -> None:
    (tmp_path / "taken").write_bytes(b"old")
    with Batch(tmp_path, durability=Durability.NONE) as batch:
        batch.write(b"taken", b"new", mode=0o644, replace=False)
    assert (tmp_path / "taken").read_bytes() == b"old"
    assert sorted(os.listdir(tmp_path)) == ["taken"]


def test_a_batch_that_fails_publishes_nothing(tmp_path: Path) -> None:
    def half_way() -> None:
        with Batch(tmp_path, durability=Durability.BATCH) as batch:
            batch.write(b"a", b"1", mode=0o644, replace=True)
            raise RuntimeError("stop")

    with pytest.raises(RuntimeError, match="stop"):
        half_way()
    assert os.listdir(tmp_path) == []


# ---- cleaning up deletes only what nobody needs


def dropped(world: World) -> Path:
    """The object of a file that is tracked no more, and was never committed."""
    world.write("model.bin", b"needed by nobody\n")
    world.ok("add", "model.bin")
    found = one("objects/??/*", world.cache)
    world.ok("remove", "model.bin", "--data")
    return found


def test_what_nobody_needs_is_deleted_only_after_a_day_in_the_trash(world: World) -> None:
    found = dropped(world)
    world.ok("gc", "--keep-days", "0")
    assert found.exists()
    for _ in range(2):
        world.ok("gc", "--apply", "--keep-days", "0")
        assert one("trash/objects/*/*", world.cache).read_bytes() == b"needed by nobody\n"
    for batch in (world.cache / "trash/objects").iterdir():
        os.utime(batch, (1, 1))
    world.ok("gc", "--apply", "--keep-days", "0")
    assert not list((world.cache / "trash/objects").iterdir())


def test_what_git_can_bring_back_survives_gc(world: World) -> None:
    world.write("model.bin", b"only in the reflog\n")
    world.ok("add", "model.bin")
    world.commit()
    world.git("reset", "-q", "--hard", "HEAD~")
    for path in [*world.local.glob("state.db*"), world.git_dir / "ORIG_HEAD"]:
        path.unlink(missing_ok=True)
    world.ok("gc", "--apply", "--keep-days", "0")
    assert one("objects/??/*", world.cache).read_bytes() == b"only in the reflog\n"


def test_what_a_pointer_names_by_now_is_not_deleted_but_brought_back(world: World) -> None:
    found = dropped(world)
    world.ok("gc", "--apply", "--keep-days", "0")
    for batch in (world.cache / "trash/objects").iterdir():
        os.utime(batch, (1, 1))
    pointer = f"datatool: 1\nkind: file\noid: sha256:{found.parent.name}{found.name}\nsize: 17\n"
    world.write("model.bin.dt", pointer.encode())
    world.ok("gc", "--apply", "--keep-days", "0")
    assert found.read_bytes() == b"needed by nobody\n"


# ---- what is foreign


@pytest.mark.parametrize(
    "path", [b"../out", b"a/../b", b"/abs", b"a//b", b".git/config", b"x/.datatool/y", b"a\\..\\b"]
)
def test_a_tree_with_a_path_that_escapes_is_refused(path: bytes) -> None:
    page = b"dt-tree 1 page\nf %s 1 - %s\n" % (OID, path)
    with pytest.raises(FormatError):
        parse_page(page)


def test_a_tree_out_of_order_is_refused() -> None:
    page = b"dt-tree 1 page\nf %s 1 - b\nf %s 1 - a\n" % (OID, OID)
    with pytest.raises(FormatError):
        parse_page(page)


def test_decompression_stops_at_the_size_that_was_promised() -> None:
    packed = zstd.compress_if_worth(b"\0" * 1_000_000)
    assert packed is not None
    with pytest.raises(FormatError):
        zstd.decompress(packed, limit=999_999)
