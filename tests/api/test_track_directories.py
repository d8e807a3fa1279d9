"""`track()` of directories, of files in them, and of several paths at once."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

import datatool
from api.track_states import changed, directory
from api.tracking import NEW
from world import World


def test_a_directory_is_added_and_brought_back(desk: World) -> None:
    desk.write("data/a.txt", b"a\n")
    assert datatool.track("data") == desk.root / "data"
    desk.commit("data")
    (desk.root / "data/a.txt").unlink()
    (desk.root / "data").rmdir()
    datatool.track("data")
    assert desk.read("data/a.txt") == b"a\n"


def test_a_file_in_a_tracked_directory_is_brought_alone(desk: World) -> None:
    directory(desk)
    desk.ok("push")
    copy = desk.clone()
    assert datatool.track(copy.root / "data/deep/b.txt").read_bytes() == b"b\n"
    assert not copy.exists("data/a.txt")
    assert datatool.track(copy.root / "data/a.txt").read_bytes() == b"a\n"


def test_a_directory_that_was_gone_is_fetched_whole_after_one_of_its_files_was(desk: World) -> None:
    for name in "abc":
        desk.write(f"data/{name}", name.encode())
    desk.ok("add", "data")
    pointer = desk.read("data.dt")
    shutil.rmtree(desk.root / "data")
    datatool.track("data/b")
    assert sorted(path.name for path in datatool.track("data").iterdir()) == ["a", "b", "c"]
    assert desk.read("data.dt") == pointer


def test_a_file_of_a_tracked_directory_comes_back_from_the_cache_without_any_remote(desk: World) -> None:
    desk.ok("remote", "remove", "default")
    for name in "ab":
        desk.write(f"data/{name}", name.encode())
    desk.ok("add", "data")
    (desk.root / "data/a").unlink()
    assert datatool.track("data/a").read_bytes() == b"a"


def test_a_changed_file_in_a_tracked_directory_is_a_new_version_of_the_directory(desk: World) -> None:
    directory(desk)
    before = desk.read("data.dt")
    desk.write("data/a.txt", b"changed\n")
    datatool.track("data/a.txt")
    assert desk.read("data.dt") != before
    assert desk.json("status")["clean"]
    desk.write("data/new.txt", b"new\n")
    datatool.track("data/new.txt")
    assert desk.json("status")["clean"]
    assert b"files: 3" in desk.read("data.dt")


def test_a_file_that_a_tracked_directory_does_not_have_is_an_error(desk: World) -> None:
    directory(desk)
    with pytest.raises(FileNotFoundError, match="nothing tracks it") as missing:
        datatool.track("data/deep/c.txt")
    assert missing.value.hint == "did you mean data/deep/b.txt?"


def test_a_list_is_one_batch(desk: World) -> None:
    names = [f"parts/{i}.txt" for i in range(100)]
    for name in names:
        desk.write(name, name.encode())
    assert datatool.track(names) == [desk.root / name for name in names]
    assert all(desk.exists(f"{name}.dt") for name in names)
    assert datatool.track([Path("parts/1.txt"), Path("parts/1.txt")]) == [desk.root / "parts/1.txt"] * 2
    assert datatool.track([]) == []


def test_a_list_with_one_that_is_refused_changes_nothing(desk: World) -> None:
    changed(desk)
    desk.write("y.csv", b"y\n")
    before = desk.tree()
    with pytest.raises(datatool.Refused):
        datatool.track(["y.csv", "x.csv"], on_change="error")
    assert desk.tree() == before


def test_a_directory_that_git_tracks_is_refused_with_the_way_out(desk: World) -> None:
    desk.write("d/x.csv", NEW)
    desk.commit("in git")
    with pytest.raises(datatool.Refused, match="git tracks") as refused:
        datatool.track("d")
    assert "git rm" in (refused.value.hint or "")


def test_a_pointer_that_git_would_ignore_is_refused(desk: World) -> None:
    desk.write(".gitignore", b"data/\n")
    desk.write("data/x.csv", NEW)
    with pytest.raises(datatool.Refused, match="ignored by git"):
        datatool.track("data/x.csv")
