"""What checkout and pull write, what they refuse, and what they leave alone."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from datatool.operations.checkout import checkout
from datatool.progress import Silent, Spared, Task
from datatool.project.project import open_project
from datatool.workspace.checkout import Checkout
from world import World, executables


@pytest.mark.parametrize("change", [None, "data/a.txt"])
def test_what_is_in_place_counts_as_done_in_the_progress_of_a_checkout(versions: World, change: str | None) -> None:
    if change:
        (versions.root / change).unlink()
    heard = Heard()
    with open_project(versions.root, flags={}, environ=versions.env) as project:
        checkout(project, cwd=versions.root, progress=heard)
    size = sum(len(versions.read(path)) for path in ("data/a.txt", "data/new.txt", "data/sub/c.txt", "data/run.sh"))
    size += len(versions.read("one.bin"))
    assert (heard.bytes, heard.files) == (size, 5) and heard.total == size
    assert heard.spared == size - (len(versions.read(change)) if change else 0)


class Heard(Silent):
    """What a task was told."""

    total: int | None = None
    bytes = files = spared = 0

    @contextmanager
    def task(self, title: str, *, bytes: int | None = None, files: int | None = None) -> Iterator[Task]:
        self.total = bytes
        yield self

    def advance(self, *, bytes: int = 0, files: int = 0) -> None:
        self.bytes += bytes
        self.files += files
        self.spared += bytes if isinstance(bytes, Spared) else 0


def test_executable_bits_come_back(versions: World) -> None:
    copy = versions.clone()
    copy.ok("pull")
    assert "data/run.sh" in executables(copy.root)
    assert "data/a.txt" not in executables(copy.root)


def test_parts_of_one_artifact_are_told_as_one(versions: World) -> None:
    copy = versions.clone()
    done = copy.json("pull", "data/a.txt", "data/sub")
    (told,) = done["checkout"]
    assert (told["path"], told["ok"], told["written"], told["changed"]) == ("data", True, 2, True)
    (copy.root / "data/a.txt").unlink()
    (copy.root / "data/sub/c.txt").unlink()
    assert copy.ok("checkout", "data/a.txt", "data/sub").out.count("2 files written") == 1
    copy.write("data/a.txt", b"precious")
    (copy.root / "data/sub/c.txt").unlink()
    ran = copy.fails(4, "checkout", "data/a.txt", "data/sub")
    assert "data/a.txt: unsaved changes" in ran.err and copy.exists("data/sub/c.txt")


def test_unsaved_files_stop_their_artifact_and_nothing_of_it_is_touched(versions: World) -> None:
    versions.write("data/a.txt", b"precious")
    versions.git("checkout", "-q", "v1")
    before = versions.tree("data")
    ran = versions.fails(4, "checkout")
    assert "data/a.txt" in ran.err and "lost+found" in ran.err
    assert versions.tree("data") == before and versions.read("one.bin") == b"first"
    assert versions.fails(7, "checkout", "data").err
    assert versions.fails(7, "pull", "data").err
    assert versions.tree("data") == before


def test_force_keeps_unsaved_files_in_lost_and_found(versions: World) -> None:
    versions.write("data/a.txt", b"precious")
    versions.git("checkout", "-q", "v1")
    versions.ok("pull", "--force")
    assert versions.read("data/a.txt") == b"a1"
    (kept,) = list((versions.local / "lost+found").rglob("a.txt"))
    assert kept.read_bytes() == b"precious"
    assert kept.as_posix().endswith("data/a.txt")


def test_extra_files_stay_and_are_reported(versions: World) -> None:
    versions.write("data/mine.txt", b"mine")
    versions.git("checkout", "-q", "v1")
    done = versions.json("checkout")
    assert versions.read("data/mine.txt") == b"mine"
    assert done["artifacts"][0]["kept"] == ["data/mine.txt"]


def test_a_file_that_datatool_wrote_and_the_new_version_lacks_is_deleted_unless_it_was_changed(versions: World) -> None:
    versions.git("checkout", "-q", "v1")
    versions.ok("checkout")
    versions.write("data/b.txt", b"changed since")
    versions.git("checkout", "-q", "v2")
    versions.ok("checkout")
    assert versions.read("data/b.txt") == b"changed since"
    assert versions.read("data/a.txt") == b"a2!"


def test_content_that_the_cache_holds_is_replaced_without_asking(versions: World) -> None:
    versions.write("data/a.txt", b"a1")
    versions.write("one.bin", b"first")
    versions.ok("checkout")
    assert versions.read("data/a.txt") == b"a2!" and versions.read("one.bin") == b"second"


def test_missing_files_come_back(versions: World) -> None:
    (versions.root / "data/a.txt").unlink()
    (versions.root / "one.bin").unlink()
    states = {item["path"]: item["state"] for item in versions.json("status")["artifacts"]}
    assert states == {"data": "modified", "one.bin": "missing"}
    versions.ok("checkout")
    assert versions.read("data/a.txt") == b"a2!" and versions.read("one.bin") == b"second"


def test_after_fetch_with_the_remote_renamed_away_checkout_works(versions: World) -> None:
    copy = versions.clone()
    copy.ok("fetch")
    assert [item["state"] for item in copy.json("status")["artifacts"]] == ["absent", "absent"]
    versions.remote.rename(versions.top / "away")
    copy.ok("checkout")
    assert copy.tree("data") == versions.tree("data")
    assert copy.json("status")["clean"]


def test_after_pulling_a_part_nothing_counts_as_deleted_and_add_drops_nothing(versions: World) -> None:
    copy = versions.clone()
    copy.ok("pull", "data/sub")
    assert copy.tree("data") == {"sub/c.txt": b"c1"}
    (state,) = copy.json("status", "data")["artifacts"]
    assert state["state"] == "partial" and state["changes"] == {"added": [], "modified": [], "deleted": []}
    pointer = copy.read("data.dt")
    copy.ok("add", "data")
    assert copy.read("data.dt") == pointer
    assert copy.json("diff")["changes"] == []
    copy.write("data/sub/c.txt", b"c2 is longer")
    copy.write("data/sub/d.txt", b"d")
    (added,) = copy.json("add", "data")["artifacts"]
    assert added["files"] == 5
    assert copy.json("status", "data")["artifacts"][0]["state"] == "partial"
    copy.commit("part")
    copy.ok("push")
    copy.ok("pull")
    assert copy.tree("data") == {
        "a.txt": b"a2!",
        "new.txt": b"new",
        "run.sh": b"#!/bin/sh\n",
        "sub/c.txt": b"c2 is longer",
        "sub/d.txt": b"d",
    }
    assert copy.json("status")["clean"]


@pytest.mark.parametrize("command", [("pull",), ("checkout",), ("checkout", "--rev", "v1")])
def test_of_a_directory_that_was_gone_the_rest_is_absent_when_a_part_comes_back(
    versions: World, command: tuple[str, ...]
) -> None:
    pointer = versions.read("data.dt")
    shutil.rmtree(versions.root / "data")
    versions.ok(*command, "data/sub")
    (state,) = versions.json("status", "data")["artifacts"]
    assert state["changes"]["deleted"] == []
    versions.ok("add", "data")
    assert versions.read("data.dt") == pointer
    versions.ok("pull")
    assert sorted(versions.tree("data")) == ["a.txt", "new.txt", "run.sh", "sub/c.txt"]
    (versions.root / "data/a.txt").unlink()  # but what goes from a directory that is there was deleted
    versions.ok("pull", "data/sub")
    assert versions.json("status", "data")["artifacts"][0]["changes"]["deleted"] == ["data/a.txt"]


def test_of_a_directory_that_was_gone_nothing_counts_as_deleted_when_its_checkout_is_killed(
    versions: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    pointer = versions.read("data.dt")
    shutil.rmtree(versions.root / "data")

    def killed(*_: object, **__: object) -> None:
        versions.write("data/a.txt", b"a2!")
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(Checkout, "apply", killed)
        versions.fails(130, "checkout", "data")
    versions.ok("add", "data")
    assert versions.read("data.dt") == pointer
    versions.ok("checkout")
    assert versions.json("status")["clean"] and "new.txt" in versions.tree("data")


def test_prune_drops_what_was_never_fetched(versions: World) -> None:
    copy = versions.clone()
    copy.ok("pull", "data/sub")
    assert copy.json("add", "--prune", "data")["artifacts"][0]["files"] == 1


def test_a_file_inside_an_artifact_can_be_pulled_alone(versions: World) -> None:
    copy = versions.clone()
    copy.ok("pull", "data/a.txt")
    assert copy.tree("data") == {"a.txt": b"a2!"}
    copy.ok("pull", "data/new.txt")
    assert copy.tree("data") == {"a.txt": b"a2!", "new.txt": b"new"}
    assert copy.json("status", "data")["artifacts"][0]["state"] == "partial"


def test_a_file_where_a_directory_was_and_the_reverse(world: World) -> None:
    world.write("data/x", b"file")
    world.write("data/y/z", b"deep")
    world.ok("add", "data")
    first = world.commit("one")
    (world.root / "data/x").unlink()
    shutil.rmtree(world.root / "data/y")
    world.write("data/x/inner", b"now a directory")
    world.write("data/y", b"now a file")
    world.ok("add", "data")
    second = world.commit("two")
    for commit, expected in (
        (first, {"x": b"file", "y/z": b"deep"}),
        (second, {"x/inner": b"now a directory", "y": b"now a file"}),
        (first, {"x": b"file", "y/z": b"deep"}),
    ):
        world.git("checkout", "-q", commit)
        world.ok("checkout")
        assert world.tree("data") == expected
        assert world.json("status")["clean"]


def test_an_unsaved_file_in_the_way_of_a_directory_is_refused(world: World) -> None:
    world.write("data/x", b"file")
    world.ok("add", "data")
    first = world.commit("one")
    (world.root / "data/x").unlink()
    world.write("data/x/inner", b"deep")
    world.ok("add", "data")
    world.commit("two")
    world.git("checkout", "-q", first)
    world.ok("checkout")
    world.write("data/x", b"precious")
    world.git("checkout", "-q", "-")
    world.fails(7, "checkout")
    assert world.read("data/x") == b"precious"
    world.ok("checkout", "--force")
    assert world.read("data/x/inner") == b"deep"
    assert [path.read_bytes() for path in (world.local / "lost+found").rglob("x")] == [b"precious"]


def test_an_extra_file_in_the_way_of_a_file_is_refused(world: World) -> None:
    world.write("data/x", b"file")
    world.ok("add", "data")
    world.commit("one")
    (world.root / "data/x").unlink()
    world.write("data/x/precious", b"precious")
    world.fails(7, "checkout")
    assert world.read("data/x/precious") == b"precious"
    world.ok("checkout", "--force")
    assert world.read("data/x") == b"file"
    assert [path.read_bytes() for path in (world.local / "lost+found").rglob("precious")] == [b"precious"]


def test_an_artifact_that_changes_from_file_to_directory_and_back(world: World) -> None:
    world.write("thing", b"file")
    world.ok("add", "thing")
    first = world.commit("one")
    (world.root / "thing").unlink()
    world.write("thing/inner", b"deep")
    world.ok("add", "thing")
    second = world.commit("two")
    for commit in (first, second, first):
        world.git("checkout", "-q", commit)
        world.ok("checkout")
        assert world.tree("")["thing" if commit == first else "thing/inner"] == (
            b"file" if commit == first else b"deep"
        )
        assert world.json("status")["clean"]


def test_data_about_to_be_written_is_ignored_by_git_and_status_says_where_no_gitignore_does_it(versions: World) -> None:
    copy = versions.clone()
    copy.write(".gitignore", b"")
    copy.ok("pull")
    assert copy.git("status", "--porcelain", "--untracked-files=all") == "M .gitignore" or "data" not in copy.git(
        "status", "--porcelain", "--untracked-files=all"
    )
    assert b"/data" in (copy.git_dir / "info/exclude").read_bytes()
    ran = copy.ok("status", "--json")
    assert any("data" in note and ".gitignore" in note for note in ran.json["notes"])


def test_a_directory_that_was_emptied_comes_back_empty(world: World) -> None:
    world.write("data/f", b"f")
    world.write("data/g/h", b"h")
    world.ok("add", "data")
    world.commit("one")
    (world.root / "data/g/h").unlink()
    world.ok("add", "data")
    world.commit("two")
    for commit, expected in (("HEAD~1", b"h"), ("-", None), ("-", b"h"), ("-", None)):
        world.git("checkout", "-q", commit)
        world.ok("checkout")
        assert world.tree("data") == ({"f": b"f", "g/h": b"h"} if expected else {"f": b"f", "g": None})
        assert world.json("status")["clean"]
