"""`track()` of directories that were fetched in part and edited: what was never here comes too."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Literal

import pytest

import datatool
from api.test_track_damage import damage
from api.test_track_runs import run_of
from api.tracking import script
from datatool.model.pointer import ArtifactKind
from world import World


def partly_fetched(desk: World) -> World:
    """A clone that has one file of a directory, and nothing else in its cache."""
    for name in ("a", "b", "deep/c", "deep/d"):
        desk.write(f"data/{name}", name.encode())
    desk.settle()
    desk.ok("add", "data")
    desk.commit("data")
    desk.ok("push")
    copy = desk.clone()
    copy.ok("pull", "data/a")
    return copy


def names(top: Path) -> list[str]:
    return sorted(path.relative_to(top).as_posix() for path in top.rglob("*") if path.is_file())


EDITS: dict[str, tuple[Callable[[World], object], list[str]]] = {
    "a new file": (lambda copy: copy.write("data/z", b"z"), ["a", "b", "deep/c", "deep/d", "z"]),
    "a changed file": (lambda copy: copy.write("data/a", b"mine"), ["a", "b", "deep/c", "deep/d"]),
    "a deleted file": (lambda copy: (copy.root / "data/a").unlink(), ["b", "deep/c", "deep/d"]),
    "a file over one that is not here": (lambda copy: copy.write("data/b", b"mine"), ["a", "b", "deep/c", "deep/d"]),
    "a file where a directory is not here": (lambda copy: copy.write("data/deep", b"mine"), ["a", "b", "deep"]),
    "a directory where a file is not here": (
        lambda copy: copy.write("data/b/x", b"mine"),
        ["a", "b/x", "deep/c", "deep/d"],
    ),
}


@pytest.mark.parametrize("edit", EDITS)
@pytest.mark.parametrize("on_change", ["add", "keep"])
def test_an_edited_directory_that_was_fetched_in_part_is_complete(
    desk: World, edit: str, on_change: Literal["add", "keep"]
) -> None:
    copy = partly_fetched(desk)
    change, expected = EDITS[edit]
    change(copy)
    mine = {name: (copy.root / "data" / name).read_bytes() for name in names(copy.root / "data")}
    pointer = copy.read("data.dt")
    assert names(datatool.track(copy.root / "data", on_change=on_change)) == expected
    assert {name: copy.read(f"data/{name}") for name in mine} == mine
    assert (copy.read("data.dt") == pointer) == (on_change == "keep")
    status = copy.json("status")["artifacts"][0]
    assert status["state"] == ("modified" if on_change == "keep" else "clean")
    assert names(datatool.track(copy.root / "data", on_change=on_change)) == expected
    if on_change == "add":
        assert f"files: {len(expected)}".encode() in copy.read("data.dt")


def test_an_edited_part_of_a_directory_comes_alone(desk: World) -> None:
    copy = partly_fetched(desk)
    copy.ok("pull", "data/deep/c")
    copy.write("data/deep/c", b"mine")
    assert names(datatool.track(copy.root / "data/deep")) == ["c", "d"]
    assert names(copy.root / "data") == ["a", "deep/c", "deep/d"]


def test_a_directory_and_a_file_of_it_that_is_not_here_are_both_complete(desk: World) -> None:
    copy = partly_fetched(desk)
    copy.write("data/z", b"z")
    found = datatool.track([copy.root / "data", copy.root / "data/b"])
    assert names(found[0]) == ["a", "b", "deep/c", "deep/d", "z"]
    assert copy.json("status")["clean"]


def test_an_edited_directory_whose_rest_nobody_has_is_an_error_and_not_recorded(desk: World) -> None:
    copy = partly_fetched(desk)
    copy.write("data/z", b"z")
    pointer = copy.read("data.dt")
    desk.remote.rename(desk.top / "gone")
    desk.remote.mkdir()
    with pytest.raises(datatool.DatatoolError):
        datatool.track(copy.root / "data")
    assert copy.read("data.dt") == pointer
    assert copy.read("data/z") == b"z"


def test_the_rest_is_fetched_again_where_the_cache_had_it_damaged(desk: World) -> None:
    copy = partly_fetched(desk)
    copy.ok("fetch")
    copy.write("data/z", b"z")
    damage(copy, b"deep/c")
    assert "deep/c" in names(datatool.track(copy.root / "data"))
    assert copy.read("data/deep/c") == b"deep/c"


def test_an_edited_directory_whose_pointer_moved_on_is_completed_with_what_it_was(desk: World) -> None:
    copy = partly_fetched(desk)
    desk.write("data/new", b"new")
    desk.ok("add", "data")
    desk.commit("new")
    copy.write("data/a", b"mine")
    desk.git("push", "-q", str(desk.origin), "HEAD")
    copy.git("pull", "-q")
    assert names(datatool.track(copy.root / "data")) == ["a", "b", "deep/c", "deep/d"]


@pytest.mark.parametrize("on_change", ["add", "keep"])
def test_what_an_edited_directory_holds_is_the_input(desk: World, on_change: str) -> None:
    copy = partly_fetched(desk)
    copy.write("data/z", b"z")
    code = (
        "import datatool\n"
        f"n = len(list(datatool.track('data', on_change={on_change!r}).iterdir()))\n"
        f"k = len(list(datatool.track('data/deep', on_change={on_change!r}).iterdir()))\n"
        "datatool.track('out.txt', output=True).write_text(f'{n} {k}')\n"
    )
    ran = script(copy, code)
    assert ran.code == 0, ran
    assert copy.read("out.txt") == b"4 2"
    record = run_of(copy, "out.txt.dt")
    assert [(file.path, file.kind, file.files) for file in record.inputs if file.path == b"data"] == [
        (b"data", ArtifactKind.DIRECTORY, 5)
    ]
    assert on_change == "keep" or copy.json("reproduce", "--force", "out.txt")["runs"][0]["same"]
