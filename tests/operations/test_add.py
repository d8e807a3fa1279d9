"""`add`: what it records, keeps out of git and stages."""

from __future__ import annotations

import os
import sys

import pytest

from datatool.workspace import pointers
from world import World

LINUX = sys.platform == "linux"


def test_a_directory_gets_a_pointer_beside_it_and_an_ignore_line_and_both_are_staged(world: World) -> None:
    world.write("data/a.txt", b"one")
    world.write("data/sub/b.txt", b"two!")
    done = world.json("add", "data")
    (item,) = done["artifacts"]
    assert (item["path"], item["pointer"], item["size"], item["files"], item["changed"]) == (
        "data",
        "data.dt",
        7,
        2,
        True,
    )
    assert item["oid"].startswith("sha256:") and len(item["oid"]) == 71
    assert done["staged"] == [".gitignore", "data.dt"]
    assert world.read("data.dt").decode().splitlines()[:2] == ["datatool: 1", "kind: directory"]
    assert world.read(".gitignore") == b"/data\n"
    assert world.git("diff", "--cached", "--name-only").split() == [".gitignore", "data.dt"]


def test_a_file_is_recorded_with_its_size_and_executable_bit(world: World) -> None:
    world.write("tool.bin", b"#!/bin/sh\n", executable=True)
    world.ok("add", "tool.bin")
    text = world.read("tool.bin.dt").decode()
    assert "kind: file" in text and "size: 10" in text and "executable: true" in text


def test_adding_again_is_a_no_op_that_leaves_the_pointer_byte_identical(world: World) -> None:
    world.write("data/a.txt", b"one")
    world.ok("add", "data", "--description", "Songs", "--label", "audio", "--role", "source")
    before = world.read("data.dt")
    stat = os.lstat(world.root / "data.dt")
    done = world.json("add", "data")
    assert not done["artifacts"][0]["changed"]
    assert world.read("data.dt") == before
    after = os.lstat(world.root / "data.dt")
    assert (after.st_ino, after.st_mtime_ns) == (stat.st_ino, stat.st_mtime_ns)
    assert b"description: Songs" in before and b"labels: [audio]" in before and b"role: source" in before


def test_a_comment_in_the_pointer_survives_a_new_version(world: World) -> None:
    world.write("f.bin", b"1")
    world.ok("add", "f.bin")
    text = world.read("f.bin.dt")
    (world.root / "f.bin.dt").write_bytes(b"# who keeps this: Ada\n" + text)
    world.write("f.bin", b"22")
    world.ok("add", "f.bin")
    assert world.read("f.bin.dt").startswith(b"# who keeps this: Ada\n")
    assert b"size: 2" in world.read("f.bin.dt")


def test_a_path_inside_an_artifact_updates_it_and_only_that_path(world: World) -> None:
    world.write("data/a.txt", b"a")
    world.write("data/sub/b.txt", b"b")
    world.write("data/sub/c.txt", b"c")
    world.ok("add", "data")
    world.write("data/a.txt", b"changed")
    world.write("data/sub/b.txt", b"changed too")
    (world.root / "data/sub/c.txt").unlink()
    (item,) = world.json("add", "data/sub")["artifacts"]
    assert (item["path"], item["files"]) == ("data", 2)
    (state,) = world.json("status")["artifacts"]
    assert state["changes"] == {"added": [], "modified": ["data/a.txt"], "deleted": []}


def test_a_deleted_path_inside_an_artifact_can_be_recorded_by_name(world: World) -> None:
    world.write("data/a.txt", b"a")
    world.write("data/b.txt", b"b")
    world.ok("add", "data")
    (world.root / "data/b.txt").unlink()
    assert world.json("add", "data/b.txt")["artifacts"][0]["files"] == 1


def test_a_file_that_only_has_a_pointers_ending_is_data_inside_a_directory(world: World) -> None:
    world.write("plots/plot.dt", b"set autoscale\n")
    assert world.json("add", "plots")["artifacts"][0]["files"] == 1
    assert [item["path"] for item in world.json("status")["artifacts"]] == ["plots"]


NAMES = [
    b"with space",
    b"new\nline",
    b'quo"te',
    b"-dash",
    b"#hash",
    b"star*[x]?",
    b"back\\slash",
    b" lead",
    b"trail ",
    "ünï".encode(),
]


if LINUX:
    NAMES.append(b"caf\xe9.bin")


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such names")
@pytest.mark.parametrize("name", NAMES, ids=[repr(name) for name in NAMES])
def test_any_name_round_trips_and_is_ignored_by_git(world: World, name: bytes) -> None:
    text = os.fsdecode(name)
    world.write(name, b"content")
    world.write(b"dir/" + name + b"/" + name, b"inner")
    world.ok("add", "--", text, "dir/" + text)
    ignored = world.git("status", "--porcelain", "-z", "--untracked-files=all")
    assert {part[3:] for part in ignored.split("\0") if part} == {
        ".gitignore",
        "dir/.gitignore",
        f"{text}.dt",
        f"dir/{text}.dt",
    }
    world.commit()
    world.ok("push")
    copy = world.clone()
    copy.ok("pull")
    assert (copy.root / text).read_bytes() == b"content"
    assert (copy.root / "dir" / text / text).read_bytes() == b"inner"
    assert copy.git("status", "--porcelain") == ""
    assert copy.json("status")["clean"]


def test_symlinks_inside_are_kept_dangling_ones_too_and_leaving_ones_refused(world: World) -> None:
    world.write("data/a", b"1")
    world.write("outside.txt", b"from outside")
    (world.root / "data/link").symlink_to("a")
    (world.root / "data/dangling").symlink_to("nowhere")
    (world.root / "data/deep").mkdir()
    (world.root / "data/deep/up").symlink_to("../a")
    world.ok("add", "data")
    world.commit()
    world.ok("push")
    copy = world.clone()
    copy.ok("pull")
    assert os.readlink(copy.root / "data/link") == "a"
    assert os.readlink(copy.root / "data/dangling") == "nowhere"
    assert os.readlink(copy.root / "data/deep/up") == "../a"
    (world.root / "data/leaving").symlink_to("../outside.txt")
    before = world.read("data.dt")
    ran = world.fails(7, "add", "data")
    assert "data/leaving" in ran.err and "--follow" in ran.err and world.read("data.dt") == before
    world.ok("add", "data", "--follow")
    world.commit()
    world.ok("push")
    copy.git("pull", "-q", str(world.root), "HEAD")
    copy.ok("pull")
    assert copy.read("data/leaving") == b"from outside"
    assert world.json("status")["clean"]


def test_empty_files_and_directories_come_back(world: World) -> None:
    world.write("data/empty", b"")
    (world.root / "data/void/deeper").mkdir(parents=True)
    world.write("alone", b"")
    world.ok("add", "data", "alone")
    world.commit()
    world.ok("push")
    copy = world.clone()
    copy.ok("pull")
    assert copy.tree("data") == world.tree("data") == {"empty": b"", "void/deeper": None}
    assert copy.read("alone") == b""


def test_an_artifact_may_be_an_empty_directory(world: World) -> None:
    (world.root / "data").mkdir()
    assert world.json("add", "data")["artifacts"][0]["files"] == 0
    assert world.json("status")["clean"]


def test_datatoolignore_keeps_things_out(world: World) -> None:
    world.write("data/a", b"1")
    world.write("data/.DS_Store", b"mac")
    world.write("data/.ipynb_checkpoints/x", b"junk")
    world.write("data/skip.tmp", b"junk")
    with (world.root / ".datatoolignore").open("a") as file:
        file.write("*.tmp\n")
    assert world.json("add", "data")["artifacts"][0]["files"] == 1


def test_staging_can_be_turned_off(world: World) -> None:
    world.ok("config", "set", "git.stage", "false")
    world.commit()
    world.write("a.bin", b"1")
    assert world.json("add", "a.bin")["staged"] == []
    assert world.git("diff", "--cached", "--name-only") == ""


def test_a_gitignore_with_the_users_own_unstaged_edits_is_not_staged(world: World) -> None:
    world.write(".gitignore", b"*.log\n")
    world.commit()
    world.write(".gitignore", b"*.log\n*.mine\n")
    world.write("a.bin", b"1")
    assert world.json("add", "a.bin")["staged"] == ["a.bin.dt"]
    assert set(world.read(".gitignore").splitlines()) == {b"*.log", b"*.mine", b"/a.bin"}


def test_a_locked_git_index_is_a_warning_that_names_the_command(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    from datatool.git import staging

    monkeypatch.setattr(staging, "PATIENCE", 0.05)
    monkeypatch.setattr(staging.stage, "__kwdefaults__", {"patience": 0.05})
    world.write("a.bin", b"1")
    (world.git_dir / "index.lock").write_bytes(b"")
    ran = world.ok("add", "a.bin")
    assert "git add" in ran.err and world.exists("a.bin.dt")


def test_two_branches_that_each_add_an_artifact_beside_the_other_merge_without_conflict(world: World) -> None:
    branch = world.git("branch", "--show-current")
    world.write("base.bin", b"0")
    world.ok("add", "base.bin")
    world.commit()
    world.git("checkout", "-q", "-b", "left")
    world.write("left.bin", b"l")
    world.ok("add", "left.bin")
    world.commit()
    world.git("checkout", "-q", branch)
    world.write("right.bin", b"r")
    world.ok("add", "right.bin")
    world.commit()
    world.git("merge", "-q", "-m", "merge", "left")
    assert set(world.read(".gitignore").splitlines()) == {b"/base.bin", b"/left.bin", b"/right.bin"}
    assert {item["path"] for item in world.json("status")["artifacts"]} == {"base.bin", "left.bin", "right.bin"}


def test_many_small_files_become_packs_and_larger_ones_stay_linkable(world: World) -> None:
    for number in range(300):
        world.write(f"data/{number:03}", b"%d" % number)
    world.write("data/large", b"x" * 70_000)
    world.ok("add", "data")
    assert list((world.cache / "packs").rglob("*.pack"))
    loose = [path for path in (world.cache / "objects").rglob("*") if path.is_file()]
    assert [path.stat().st_size for path in loose] == [70_000]
    assert loose[0].stat().st_mode & 0o777 == 0o444


def test_portability_problems_are_warned_of(world: World) -> None:
    if sys.platform in ("win32", "darwin"):
        pytest.skip("this system can't hold such names")
    world.write("data/CON", b"1")
    world.write("data/what:why", b"1")
    world.write("data/Case", b"1")
    world.write("data/case", b"2")
    err = world.ok("add", "data").err
    assert "data/CON" in err and "data/what:why" in err and "case" in err.lower()


def test_the_current_directory_says_what_relative_paths_mean(world: World) -> None:
    world.write("sub/data.bin", b"1")
    world.ok("add", "data.bin", cwd=world.root / "sub")
    assert world.exists("sub/data.bin.dt") and world.read("sub/.gitignore") == b"/data.bin\n"
    world.write("sub/other.bin", b"1")
    world.ok("-C", "sub", "add", "other.bin")
    assert world.exists("sub/other.bin.dt")
    world.fails(3, "add", str(world.top / "elsewhere"))


def test_a_pointer_that_another_process_writes_in_the_same_moment_is_not_taken_for_damaged(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.write("x.csv", b"x")
    world.ok("add", "x.csv")
    text = world.read("x.csv.dt")
    world.write("x.csv.dt", b"")
    original = pointers.is_pointer

    def slow(found: bytes) -> bool:
        world.write("x.csv.dt", text)
        return original(found)

    monkeypatch.setattr(pointers, "is_pointer", slow)
    found = pointers.find_artifact(world.root, b"x.csv")
    assert found is not None
    assert found.text == text
