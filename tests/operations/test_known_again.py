"""A directory that is just as it was is known again by its mark: no remembered hash is looked up, and nothing that
changed passes for what it was."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import datatool.localfs.walk as walk
from datatool.formats import tree_object
from datatool.index.listing import Mark
from datatool.index.stamp import Stamp, stamp_of, stamps_of
from datatool.index.state import State
from datatool.localfs.walk import Found
from datatool.model.entry import Entry
from datatool.model.oid import ObjectId
from datatool.workspace import checkout, compare, present, save
from world import World


@pytest.fixture
def looked_up(monkeypatch: pytest.MonkeyPatch) -> list[bytes]:
    """What remembered hashes were asked for."""
    asked: list[bytes] = []
    recall = State.recall

    def counted(state: State, paths: Sequence[bytes]) -> list[tuple[bytes, Stamp, bytes] | None]:
        asked.extend(paths)
        return recall(state, paths)

    monkeypatch.setattr(State, "recall", counted)
    return asked


@pytest.fixture
def tracked(world: World) -> World:
    for n in range(40):
        world.write(f"data/part{n % 3}/f{n:02}.bin", b"content %d" % n)
    world.write("data/run.sh", b"#!/bin/sh\n", executable=True)
    (world.root / "data/link").symlink_to("run.sh")
    (world.root / "data/nothing").mkdir()
    world.settle()
    world.ok("add", "data")
    world.commit()
    return world


def test_what_was_just_added_is_known_at_a_glance(tracked: World, looked_up: list[bytes]) -> None:
    assert tracked.json("status")["clean"]
    tracked.ok("add", "data")
    assert not looked_up


def test_what_was_checked_out_is_known_from_the_second_look_on(tracked: World, looked_up: list[bytes]) -> None:
    tracked.ok("push")
    clone = tracked.clone()
    clone.ok("pull")
    assert clone.json("status")["clean"]
    looked_up.clear()
    assert clone.json("status")["clean"]
    clone.ok("checkout")
    assert not looked_up


def _touch(path: Path) -> None:
    at = path.stat()
    os.utime(path, ns=(at.st_atime_ns, at.st_mtime_ns + 1))


CHANGES: dict[str, Callable[[Path], object]] = {
    "another content": lambda top: (top / "part0/f00.bin").write_bytes(b"CONTENT 0"),
    "a new file": lambda top: (top / "part1/new").write_bytes(b""),
    "a file less": lambda top: (top / "part2/f38.bin").unlink(),
    "another name": lambda top: (top / "part2/f38.bin").rename(top / "part2/f39.bin"),
    "no longer executable": lambda top: (top / "run.sh").chmod(0o644),
    "another target": lambda top: ((top / "link").unlink(), (top / "link").symlink_to("part0")),
    "an empty directory less": lambda top: (top / "nothing").rmdir(),
    "an empty directory more": lambda top: (top / "nothing/deeper").mkdir(),
    "a file in place of a directory": lambda top: ((top / "nothing").rmdir(), (top / "nothing").write_bytes(b"")),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_whatever_changed_is_seen(tracked: World, change: Callable[[Path], object]) -> None:
    assert tracked.json("status")["clean"]
    change(tracked.root / "data")
    (found,) = tracked.json("status")["artifacts"]
    assert found["state"] == "modified"
    assert sum(len(paths) for paths in found["changes"].values()) >= 1


def test_a_directory_that_changed_is_walked_once(tracked: World, monkeypatch: pytest.MonkeyPatch) -> None:
    walked: list[bytes] = []
    listed = walk._listed

    def counted(directory: bytes, top: bytes) -> dict[bytes, os.stat_result]:
        walked.append(directory)
        return listed(directory, top)

    tracked.write("data/part1/f01.bin", b"changed")
    monkeypatch.setattr(walk, "_listed", counted)
    assert not tracked.json("status")["clean"]
    assert len(walked) == len(set(walked)) == 5


@pytest.mark.parametrize("kept", [0, 5])
def test_what_changed_is_told_of_a_directory_that_is_too_large_to_keep(
    tracked: World, kept: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("datatool.workspace.present.KEPT", kept)
    tracked.write("data/part1/f01.bin", b"changed")
    (found,) = tracked.json("status")["artifacts"]
    assert found["changes"]["modified"] == ["data/part1/f01.bin"]


def test_a_content_that_came_back_is_known_once_more(tracked: World, looked_up: list[bytes]) -> None:
    path = tracked.root / "data/part0/f00.bin"
    path.write_bytes(b"CONTENT 0")
    assert not tracked.json("status")["clean"]
    path.write_bytes(b"content 0")
    tracked.settle()
    for _ in range(2):  # hashed at the first look, all known at the second
        assert tracked.json("status")["clean"]
    looked_up.clear()
    assert tracked.json("status")["clean"] and not looked_up


def test_what_is_ignored_from_now_on_is_no_longer_part_of_it(tracked: World) -> None:
    assert tracked.json("status")["clean"]
    tracked.write(".datatoolignore", b"part0\n")
    (found,) = tracked.json("status")["artifacts"]
    assert found["state"] != "clean"


def test_a_file_that_may_have_changed_unseen_is_looked_at_again(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """The racy rule: what changed within a tick of the clock before it was hashed is not remembered."""
    monkeypatch.setattr("datatool.workspace.present.Workspace.clock", lambda *_, **__: 1)
    world.write("data/a.txt", b"one")
    world.ok("add", "data")
    path = world.root / "data/a.txt"
    before = path.stat()
    path.write_bytes(b"two")
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    monkeypatch.setattr("datatool.index.listing.Mark.finish", lambda _: b"equal")
    assert not world.json("status")["clean"]


def test_a_new_place_is_looked_at_anew(tracked: World) -> None:
    tracked.ok("move", "data", "moved")
    (tracked.root / "moved/part0/f00.bin").unlink()
    (found,) = tracked.json("status")["artifacts"]
    assert found["changes"]["deleted"] == ["moved/part0/f00.bin"]


@given(st.lists(st.integers(0, 3000), max_size=4))
def test_a_mark_does_not_depend_on_how_paths_come(counts: list[int]) -> None:
    stat = Path(__file__).stat()
    found = [Found(b"%d" % n, stat, "f", None) for n in range(sum(counts))]
    together, single = Mark(), Mark()
    start = 0
    for count in counts:
        some = found[start : start + count]
        together.saw(some, stamps_of(some))
        start += count
    for item in found:
        single.saw([item], [stamp_of(stat)])
    assert together.finish() == single.finish()


def test_of_what_changed_the_tree_is_read_and_of_the_rest_nothing(
    world: World, looked_up: list[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    for n in range(300):
        world.write(f"data/{n % 10}/{n:03}.bin", b"%03d" % n)
    world.settle()
    world.ok("add", "data")
    for n in range(0, 300, 50):
        world.write(f"data/{n % 10}/{n:03}.bin", b"longer than it was")
    looked_up.clear()
    read: list[str] = []
    decode = tree_object.decode_lines

    def counted(lines: Sequence[str]) -> list[Entry]:
        read.extend(lines)
        return decode(lines)

    monkeypatch.setattr(tree_object, "decode_lines", counted)
    (found,) = world.json("status")["artifacts"]
    assert len(found["changes"]["modified"]) == 6
    assert len(read) <= 6 + 1, "those that changed, and where the one page ends"
    assert sorted(looked_up) == sorted(set(looked_up)), "each file is looked up once"


def _many(world: World) -> None:
    for n in range(300):
        world.write(f"data/{n % 10}/{n:03}.bin", b"%03d" % n)
    world.write("data/run.sh", b"#!/bin/sh\n", executable=True)
    world.write("data/\udcff %41.bin", b"no text")
    (world.root / "data/link").symlink_to("run.sh")
    (world.root / "data/nothing").mkdir()
    world.settle()
    world.ok("add", "data")
    world.commit()


MORE: dict[str, Callable[[Path], object]] = {
    "another content": lambda top: (top / "1/001.bin").write_bytes(b"100"),
    "a new file": lambda top: (top / "1/new").write_bytes(b""),
    "a file less": lambda top: (top / "2/002.bin").unlink(),
    "another name": lambda top: (top / "2/002.bin").rename(top / "2/0020.bin"),
    "a name that is no text": lambda top: (top / "\udcff %41.bin").rename(top / "\udcfe %41.bin"),
    "executable": lambda top: (top / "3/003.bin").chmod(0o755),
    "no longer executable": lambda top: (top / "run.sh").chmod(0o644),
    "another target": lambda top: ((top / "link").unlink(), (top / "link").symlink_to("3")),
    "a link in place of a file": lambda top: ((top / "3/003.bin").unlink(), (top / "3/003.bin").symlink_to("013.bin")),
    "an empty directory less": lambda top: (top / "nothing").rmdir(),
    "an empty directory more": lambda top: (top / "nothing/deeper").mkdir(),
    "a file in place of a directory": lambda top: ((top / "nothing").rmdir(), (top / "nothing").write_bytes(b"")),
    "a directory in place of a file": lambda top: ((top / "run.sh").unlink(), (top / "run.sh").mkdir()),
    "another place": lambda top: (top / "5/005.bin").rename(top / "6/005.bin"),
}


@pytest.mark.parametrize("checked_out", [False, True])
@pytest.mark.parametrize("change", ["none", *MORE])
def test_what_is_told_by_stamps_is_what_is_told_by_lines(
    world: World, change: str, checked_out: bool, looked_up: list[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    _many(world)
    top = world.root / "data"
    if checked_out:
        (world.local / "state.db").unlink()
        world.ok("checkout")
        top.rename(world.root / "gone")
        world.ok("checkout")
    looked_up.clear()
    if change in MORE:
        MORE[change](top)
    (top / "0/010.bin").write_bytes(b"longer than it was")
    (found,) = world.json("status")["artifacts"]
    if not checked_out:  # a checkout may be too quick for the clock of files: then some are not remembered
        assert not looked_up, "stamps told it"
    monkeypatch.setattr("datatool.workspace.compare.apart", lambda *_: None)
    assert world.json("status")["artifacts"] == [found]
    assert found["state"] == "modified"
    assert "data/0/010.bin" in found["changes"]["modified"]


@pytest.mark.parametrize("kept", [0, 100])
def test_of_a_directory_that_is_too_large_to_keep_no_stamps_are_kept(
    world: World, kept: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    for place in (present, save, compare, checkout):  # all loaded before one is patched, as they share that name
        monkeypatch.setattr(place, "KEPT", kept)
    monkeypatch.setattr("datatool.workspace.present._TOGETHER", 50)
    monkeypatch.setattr("datatool.formats.tree_object.MAX_PAGE", 90)
    _many(world)
    oid = ObjectId(re.findall(r"[0-9a-f]{64}", world.read("data.dt").decode())[0])
    with State(world.local / "state.db") as state:
        assert not state.parts(b"data", oid)
    (world.root / "data").rename(world.root / "gone")
    world.ok("checkout")
    with State(world.local / "state.db") as state:
        assert not state.parts(b"data", oid)
    assert world.json("status")["clean"]


def test_where_much_changed_stamps_are_not_asked(world: World, looked_up: list[bytes]) -> None:
    _many(world)
    looked_up.clear()
    for n in range(0, 300, 5):
        world.write(f"data/{n % 10}/{n:03}.bin", b"longer than it was")
    (found,) = world.json("status")["artifacts"]
    assert len(found["changes"]["modified"]) == 60
    assert looked_up


def test_what_changed_is_told_though_the_version_that_the_pointer_names_was_never_fetched(tracked: World) -> None:
    tracked.write("data/part1/f01.bin", b"changed")
    pointer = tracked.read("data.dt")
    oid = re.search(rb"[0-9a-f]{64}", pointer)
    assert oid
    tracked.write("data.dt", pointer.replace(oid[0], b"0" * 64))
    (found,) = tracked.json("status")["artifacts"]
    assert found["state"] == "modified"
    assert found["changes"]["modified"] == ["data/part1/f01.bin"]
