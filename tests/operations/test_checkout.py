"""What checkout and pull write, what they refuse, and what they leave alone."""

from __future__ import annotations

import errno
import os
import shlex
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from datatool.errors import NoSpace
from datatool.localfs import batch
from datatool.operations.checkout import checkout
from datatool.progress import Silent, Spared, Task
from datatool.project.project import open_project
from needs import linux, without_root_override
from world import World, executables


@pytest.fixture
def versions(world: World) -> World:
    """Two versions of a directory and a file, committed and pushed; tags v1 and v2."""
    world.write("data/a.txt", b"a1")
    world.write("data/b.txt", b"b1")
    world.write("data/sub/c.txt", b"c1")
    world.write("data/run.sh", b"#!/bin/sh\n", executable=True)
    world.write("one.bin", b"first")
    world.ok("add", "data", "one.bin")
    world.commit("one")
    world.git("tag", "v1")
    world.write("data/a.txt", b"a2!")
    (world.root / "data/b.txt").unlink()
    world.write("data/new.txt", b"new")
    world.write("one.bin", b"second")
    world.ok("add", "data", "one.bin")
    world.commit("two")
    world.git("tag", "v2")
    world.ok("push", "--all-commits")
    return world


def test_git_checkout_of_another_version_is_outdated_and_checkout_brings_its_data(versions: World) -> None:
    versions.git("checkout", "-q", "v1")
    assert [item["state"] for item in versions.json("status")["artifacts"]] == ["outdated", "outdated"]
    versions.ok("checkout")
    assert versions.read("data/a.txt") == b"a1" and versions.read("data/b.txt") == b"b1"
    assert not versions.exists("data/new.txt") and versions.read("one.bin") == b"first"
    assert versions.json("status")["clean"]


def test_checkout_with_a_revision_takes_the_old_pointer_staged_and_the_old_data(versions: World) -> None:
    done = versions.json("checkout", "--rev", "v1", "data")
    assert done["staged"] == ["data.dt"]
    assert versions.read("data/a.txt") == b"a1" and versions.read("one.bin") == b"second"
    assert versions.git("diff", "--cached", "--name-only") == "data.dt"
    assert versions.json("status", "data")["artifacts"][0]["pointer_state"] == "changed"


def test_a_refused_checkout_of_a_revision_leaves_pointer_and_index_alone(versions: World) -> None:
    versions.write("data/a.txt", b"MINE")
    done = versions.fails(4, "checkout", "--rev", "v1", "--json").json
    assert done["staged"] == ["one.bin.dt"]
    assert versions.git("status", "--porcelain") == "M  one.bin.dt"
    versions.fails(7, "checkout", "--rev", "v1", "data")
    assert versions.read("data/a.txt") == b"MINE"


def test_a_checkout_of_a_revision_that_cant_be_written_leaves_the_pointer_alone(versions: World) -> None:
    linux()
    (versions.root / "data").chmod(0o555)
    ran = versions.process("checkout", "--rev", "v1", "data", before=without_root_override())
    (versions.root / "data").chmod(0o755)
    assert ran.code == 1 and "data" in ran.err
    assert versions.git("status", "--porcelain") == ""
    versions.ok("checkout", "--rev", "v1", "data")
    assert versions.read("data/a.txt") == b"a1" and versions.git("status", "--porcelain") == "M  data.dt"


def test_a_checkout_of_a_revision_that_the_cache_lacks_takes_the_pointer_so_that_pull_completes_it(
    versions: World,
) -> None:
    copy = versions.clone()
    copy.ok("pull")
    copy.fails(4, "checkout", "--rev", "HEAD~1", "data")
    assert copy.git("status", "--porcelain") == "M  data.dt"
    copy.ok("pull", "data")
    assert copy.read("data/a.txt") == b"a1"


@pytest.mark.parametrize("rev", ["HEAD~1", "HEAD^{commit}~1"])
@pytest.mark.parametrize(("path", "content"), [("one.bin", b"first"), ("data", None), ("data/a.txt", b"a1")])
def test_a_version_that_the_cache_lacks_is_brought_by_the_command_that_the_hint_names(
    versions: World, path: str, content: bytes | None, rev: str
) -> None:
    copy = versions.clone()
    copy.ok("pull")
    hint = copy.fails(4, "checkout", path, "--rev", rev, "--json").error["hint"]
    command = shlex.split(hint.partition(" gets it ")[0])
    assert command == ["datatool", "pull", path, "--rev", rev]
    copy.git("reset", "-q", "--hard")  # the command alone has to do
    copy.ok(*command[1:])
    assert copy.read("data/a.txt" if content is None else path) == (content or b"a1")
    if path == "data/a.txt":
        assert copy.read("data/new.txt") == b"new" and copy.git("status", "--porcelain") == ""


def test_a_checkout_of_a_revision_takes_what_it_had_removed_since_included_and_leaves_all_else(versions: World) -> None:
    versions.ok("remove", "--data", "data")
    versions.write("later.bin", b"later")
    versions.ok("add", "later.bin")
    versions.commit("three")
    versions.write("later.bin", b"MINE")
    versions.ok("checkout", "--rev", "v1")
    assert versions.read("data/a.txt") == b"a1" and versions.read("one.bin") == b"first"
    assert versions.git("status", "--porcelain").splitlines() == ["A  data.dt", "M  one.bin.dt"]
    versions.ok("checkout", "--rev", "v2", "data/new.txt")
    assert versions.read("data/new.txt") == b"new" and versions.read("data/a.txt") == b"a1"
    versions.fails(3, "checkout", "--rev", "v1", "later.bin")
    versions.fails(3, "checkout", "--rev", "v1", "data/nothing")


def test_a_checkout_of_a_revision_warns_where_git_cant_stage_the_pointer(versions: World) -> None:
    linux()
    versions.git_dir.chmod(0o555)
    ran = versions.process("checkout", "--rev", "v1", "one.bin", before=without_root_override())
    versions.git_dir.chmod(0o755)
    assert ran.code == 0 and "git add -- one.bin.dt" in ran.err, ran
    assert versions.read("one.bin") == b"first" and versions.git("status", "--porcelain") == " M one.bin.dt"


def test_a_checkout_that_wrote_nothing_leaves_no_directory_and_the_artifact_absent(
    versions: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    copy = versions.clone()
    copy.ok("fetch")

    def full(*_: object, **__: object) -> None:
        raise NoSpace("data: the disk is full")

    with monkeypatch.context() as patch:
        patch.setattr("datatool.workspace.checkout.place", full)
        copy.fails(1, "checkout", "data")
    assert not copy.exists("data")
    assert copy.json("status", "data")["artifacts"][0]["state"] == "absent"
    copy.ok("checkout", "data")
    assert copy.read("data/sub/c.txt") == b"c1"


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


def test_a_pull_killed_half_way_leaves_no_temporary_file_once_it_is_repeated(versions: World) -> None:
    copy = versions.clone()
    copy.ok("pull")
    gone = copy.write("data/sub/.datatool-tmp-0123456789abcdef", b"half a file")
    os.utime(gone, (1, 1))
    copy.ok("pull")
    assert not gone.exists()


def test_diff_tells_of_conflict_markers_in_a_pointer(versions: World) -> None:
    text = versions.read("data.dt")
    versions.write("data.dt", b"<<<<<<< HEAD\n" + text + b"=======\n" + text + b">>>>>>> feature\n")
    assert "feature" in versions.fails(1, "diff").err
    versions.ok("diff", "one.bin")


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


def test_a_path_inside_a_directory_comes_from_a_revision_alone(versions: World) -> None:
    done = versions.json("checkout", "--rev", "v1", "data/a.txt")
    assert done["staged"] == [] and done["artifacts"][0]["written"] == 1
    assert (versions.read("data/a.txt"), versions.read("data/new.txt")) == (b"a1", b"new")
    assert versions.git("status", "--short") == ""
    assert versions.json("status", "data")["artifacts"][0]["changes"]["modified"] == ["data/a.txt"]


def test_a_path_that_a_revision_lacks_is_not_found_and_stays(versions: World) -> None:
    ran = versions.fails(3, "checkout", "--rev", "v1", "data/new.txt")
    assert "was not in data then" in ran.err
    assert versions.exists("data/new.txt")
