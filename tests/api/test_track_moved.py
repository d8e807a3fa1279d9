"""`track()` of a directory whose pointer moved on, as after a merge, while a user put files of his own into it."""

from __future__ import annotations

import shutil

import pytest

import datatool
from datatool.errors import Refused
from world import World


@pytest.fixture
def moved(desk: World) -> World:
    """Here is the first version; the pointer names the second one, which changes `a` and `sub/c`, has `new`, and lacks
    `old`. The cache has only the first."""
    for path in ("a", "b", "old", "sub/c"):
        desk.write(f"d/{path}", b"first")
    desk.ok("add", "d")
    desk.commit("first")
    desk.ok("push")
    colleague = desk.clone("colleague")
    colleague.ok("pull")
    for path in ("a", "new", "sub/c"):
        colleague.write(f"d/{path}", b"second, longer")
    (colleague.root / "d/old").unlink()
    colleague.ok("add", "d")
    colleague.commit("second")
    colleague.ok("push")
    desk.git("pull", "-q", str(colleague.root), "HEAD")
    return desk


SECOND = {"a": b"second, longer", "b": b"first", "new": b"second, longer", "sub/c": b"second, longer"}


def test_the_new_version_comes_beside_a_file_that_it_does_not_name_and_both_are_recorded(
    moved: World, capsys: pytest.CaptureFixture[str]
) -> None:
    moved.write("d/notes/mine", b"scratch")
    datatool.track("d")
    assert moved.tree("d") == {**SECOND, "notes/mine": b"scratch"}
    assert b"files: 5" in moved.read("d.dt")
    assert "moved" not in capsys.readouterr().err
    assert {item["state"] for item in moved.json("status")["artifacts"]} == {"clean"}


def test_what_both_deleted_stands_in_nobodys_way(moved: World) -> None:
    (moved.root / "d/old").unlink()
    datatool.track("d")
    assert moved.tree("d") == SECOND and moved.git("status", "--short") == ""


@pytest.mark.parametrize("path", ["new", "new/mine", "b", "a"])
def test_what_the_user_changed_and_the_new_version_names_is_recorded_as_it_is(moved: World, path: str) -> None:
    moved.write(f"d/{path}", b"mine")
    datatool.track("d")
    assert moved.tree("d")[path] == b"mine" and "old" in moved.tree("d")


def test_a_file_that_the_user_deleted_and_the_new_version_has_stays_away(moved: World) -> None:
    (moved.root / "d/b").unlink()
    datatool.track("d")
    assert "b" not in moved.tree("d")


def test_it_is_refused_where_changes_are(moved: World) -> None:
    moved.write("d/notes", b"scratch")
    with pytest.raises(Refused, match="is not what"):
        datatool.track("d", on_change="error")
    assert moved.tree("d")["a"] == b"first"


def test_with_keep_the_new_version_comes_and_the_pointer_stays(moved: World) -> None:
    pointer = moved.read("d.dt")
    moved.write("d/notes", b"scratch")
    datatool.track("d", on_change="keep")
    assert moved.tree("d") == {**SECOND, "notes": b"scratch"} and moved.read("d.dt") == pointer


def test_a_version_that_no_commit_names_does_not_give_way(moved: World) -> None:
    pointer = moved.read("d.dt")
    moved.ok("pull", "d")
    moved.write("d/a", b"mine")
    moved.ok("add", "d")
    moved.write("d.dt", pointer)
    moved.git("reset", "-q")
    moved.write("d/notes", b"scratch")
    datatool.track("d")
    assert moved.tree("d")["a"] == b"mine"


@pytest.mark.parametrize("listed", [True, False])
def test_a_part_of_it_is_the_new_version_whatever_lies_elsewhere(moved: World, listed: bool) -> None:
    moved.write("d/notes", b"scratch")
    if listed:
        moved.ok("fetch", "d")
    assert (datatool.track("d/sub") / "c").read_bytes() == SECOND["sub/c"]
    assert moved.tree("d")["a"] == b"first"
    datatool.track("d")
    assert moved.tree("d") == {**SECOND, "notes": b"scratch"}


def test_a_directory_of_which_only_a_part_was_fetched_is_complete_beside_a_new_file(moved: World) -> None:
    moved.ok("pull", "d")
    shutil.rmtree(moved.root / "d")
    datatool.track("d/sub/c")
    moved.write("d/mine", b"mine")
    datatool.track("d")
    assert [name for name, data in sorted(moved.tree("d").items()) if isinstance(data, bytes)] == [
        "a",
        "b",
        "mine",
        "new",
        "sub/c",
    ]
    assert b"files: 5" in moved.read("d.dt")
