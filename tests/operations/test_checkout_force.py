"""`--force` moves unsaved files to lost+found for what comes in their stead; where nothing comes, they are back."""

from __future__ import annotations

import errno
import os
import shutil
from pathlib import Path

import pytest

import needs
from datatool.localfs import batch
from datatool.operations import space
from datatool.workspace.placing import Placing
from world import World, objects_of


@pytest.fixture
def edited(versions: World) -> World:
    """A clone with everything, where a file of the directory and the single file have unsaved changes."""
    copy = versions.clone()
    copy.ok("pull")
    copy.write("data/a.txt", b"mine")
    copy.write("data/new.txt", b"mine too")
    copy.write("one.bin", b"my own")
    return copy


def mine(world: World) -> tuple[bytes, bytes, bytes]:
    return world.read("data/a.txt"), world.read("data/new.txt"), world.read("one.bin")


def lost(world: World) -> list[Path]:
    return [path for path in (world.local / "lost+found").rglob("*") if path.is_file() or path.is_symlink()]


def _full(*_: object, **__: object) -> None:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def test_on_a_full_disk_what_was_moved_is_back(edited: World, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(batch, "write_all", _full)
        told = edited.fails(1, "checkout", "--force", "--json").json
    assert mine(edited) == (b"mine", b"mine too", b"my own") and lost(edited) == []
    assert [(item["changed"], item["saved_to"]) for item in told["artifacts"]] == [(False, None), (False, None)]
    edited.ok("checkout", "--force")
    assert mine(edited) == (b"a2!", b"new", b"second") and len(lost(edited)) == 3


def test_a_file_in_the_place_of_a_directory_is_back_too(edited: World, monkeypatch: pytest.MonkeyPatch) -> None:
    edited.ok("checkout", "--force")
    shutil.rmtree(edited.root / "data")
    edited.write("data", b"a file of mine")
    with monkeypatch.context() as patch:
        patch.setattr(batch, "write_all", _full)
        edited.fails(1, "checkout", "--force", "data")
    assert edited.read("data") == b"a file of mine"
    edited.ok("checkout", "--force", "data")
    assert edited.read("data/a.txt") == b"a2!"


def test_nothing_is_moved_for_what_is_not_there(edited: World) -> None:
    edited.ok("checkout", "--force")
    shutil.rmtree(edited.root / "data")
    edited.write("data", b"a file of mine")
    edited.write("one.bin", b"mine")
    shutil.rmtree(edited.cache)
    there = lost(edited)
    edited.fails(4, "checkout", "--force")
    assert (edited.read("data"), edited.read("one.bin")) == (b"a file of mine", b"mine") and lost(edited) == there


def test_of_a_directory_what_does_not_come_is_back(edited: World) -> None:
    (found,) = objects_of(edited.cache, b"a2!")
    found.unlink()
    told = edited.fails(4, "checkout", "--force", "data", "--json").json["artifacts"][0]
    assert edited.read("data/a.txt") == b"mine" and edited.read("data/new.txt") == b"new"
    assert told["missing"] == ["data/a.txt"] and told["saved_to"] is not None
    assert [path.name for path in lost(edited)] == ["new.txt"]


def test_an_interrupted_one_puts_it_back(edited: World, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    for target in ("data", "one.bin"):
        with monkeypatch.context() as patch:
            patch.setattr(Placing, "put", interrupted)
            ran = edited.fails(130, "checkout", "--force", target)
        assert mine(edited) == (b"mine", b"mine too", b"my own") and lost(edited) == []
        assert "lost+found" not in ran.err


def test_where_something_came_in_its_stead_it_is_said_where_it_is(
    edited: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish = batch.Batch._publish_all
    went: list[int] = []

    def half(self: batch.Batch, settled: object) -> object:
        done = publish(self, settled)  # type: ignore[arg-type]
        went.append(len(done))
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    with monkeypatch.context() as patch:
        patch.setattr(batch.Batch, "_publish_all", half)
        ran = edited.fails(1, "checkout", "--force", "data")
    assert went and edited.read("data/a.txt") == b"a2!"
    assert "saved  unsaved files of data in " in ran.out
    assert sorted(path.read_bytes() for path in lost(edited)) == [b"mine", b"mine too"]


def test_an_interruption_says_where_what_it_moved_is(edited: World, monkeypatch: pytest.MonkeyPatch) -> None:
    (edited.root / "data/a.txt").unlink()
    (edited.root / "data/new.txt").unlink()
    (edited.root / "data/new.txt").symlink_to(edited.top)  # a link to a directory
    publish = batch.Batch._publish_all

    def half(self: batch.Batch, settled: object) -> object:
        publish(self, settled)  # type: ignore[arg-type]
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(batch.Batch, "_publish_all", half)
        ran = edited.fails(130, "checkout", "--force", "data")
    assert "unsaved files were moved to " in ran.err and "lost+found" in ran.err


def test_somebodys_own_link_to_nothing_is_unsaved(edited: World) -> None:
    (edited.root / "one.bin").unlink()
    (edited.root / "one.bin").symlink_to("/mnt/not/mounted/one.bin")
    (one,) = [item for item in edited.json("status")["artifacts"] if item["path"] == "one.bin"]
    assert one["state"] == "modified"
    ran = edited.fails(7, "checkout", "one.bin")
    assert "move the link away" in ran.err and "datatool add" not in ran.err
    assert os.readlink(edited.root / "one.bin") == "/mnt/not/mounted/one.bin"
    edited.ok("checkout", "--force", "one.bin")
    assert edited.read("one.bin") == b"second"
    assert [os.readlink(path) for path in lost(edited)] == ["/mnt/not/mounted/one.bin"]


@pytest.mark.parametrize("target", ["one.bin", "data/a.txt/x"], ids=["loop", "below a file"])
def test_a_link_that_leads_nowhere_otherwise_is_unsaved_too(target: str, edited: World) -> None:
    needs.linux()
    (edited.root / "one.bin").unlink()
    (edited.root / "one.bin").symlink_to(target)
    assert "modified" in edited.ok("status", "one.bin").out
    edited.fails(7, "checkout", "one.bin")
    edited.ok("checkout", "--force")
    assert edited.read("one.bin") == b"second"


def test_a_link_into_a_cache_that_has_moved_is_nothing(edited: World) -> None:
    (edited.root / "one.bin").unlink()
    (edited.root / "one.bin").symlink_to(f"/moved/cache/objects/ab/{'c' * 62}")
    edited.ok("checkout", "one.bin")
    assert edited.read("one.bin") == b"second" and lost(edited) == []


def test_the_room_that_is_told_is_that_of_the_disk_that_is_full(edited: World, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    def heard(place: str) -> str:
        asked.append(place)
        return "1 kB"

    monkeypatch.setattr(space, "free_text", heard)
    monkeypatch.setattr(batch, "write_all", _full)
    ran = edited.fails(1, "checkout", "--force", "data")
    assert "1 kB free" in ran.err
    assert asked and all(place.startswith(f"{edited.root}/data/") for place in asked)


def test_files_that_may_not_be_written_are_named(versions: World) -> None:
    needs.linux()
    copy = versions.clone()
    copy.ok("fetch")
    copy.root.chmod(0o555)
    try:
        ran = copy.process("checkout", "one.bin", before=needs.without_root_override())
    finally:
        copy.root.chmod(0o755)
    assert ran.code == 1 and "one.bin: Permission denied" in ran.err
