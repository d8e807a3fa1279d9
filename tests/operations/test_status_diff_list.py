"""What status, diff and list tell."""

from __future__ import annotations

import os
import re
import shlex
from pathlib import Path

import pytest

from world import World


@pytest.fixture
def tracked(world: World) -> World:
    world.write("data/a.txt", b"a1")
    world.write("data/sub/b.txt", b"b1")
    world.write("one.bin", b"one")
    world.write("code.py", b"print()\n")
    world.ok("add", "data", "one.bin")
    world.commit("one")
    world.git("tag", "v1")
    return world


def state(world: World, path: str) -> str:
    found: str = {item["path"]: item["state"] for item in world.json("status")["artifacts"]}[path]
    return found


def test_the_six_states(tracked: World) -> None:
    assert state(tracked, "one.bin") == "clean"
    tracked.write("one.bin", b"changed")
    assert state(tracked, "one.bin") == "modified"
    tracked.ok("add", "one.bin")
    tracked.commit("two")
    tracked.git("checkout", "-q", "v1")
    assert state(tracked, "one.bin") == "outdated"
    (tracked.root / "one.bin").unlink()
    assert state(tracked, "one.bin") == "missing"
    tracked.ok("push")
    tracked.git("checkout", "-q", "-b", "here")
    other = tracked.clone("other")
    assert state(other, "one.bin") == "absent" and state(other, "data") == "absent"
    other.ok("pull", "data/sub")
    assert state(other, "data") == "partial"


def test_exit_code_one_when_something_differs(tracked: World) -> None:
    tracked.ok("status", "--exit-code")
    tracked.ok("diff", "--exit-code")
    tracked.write("data/a.txt", b"changed")
    tracked.fails(1, "status", "--exit-code")
    tracked.fails(1, "diff", "--exit-code")
    tracked.ok("add", "data")
    tracked.ok("status", "--exit-code")


def test_what_the_user_puts_beside_a_part_is_new_only_where_the_version_lacks_it(tracked: World) -> None:
    tracked.ok("push")
    other = tracked.clone("other")
    other.ok("pull", "data/sub")
    other.write("data/a.txt", b"a1")
    found = other.json("status", "data")["artifacts"][0]
    assert found["state"] == "partial" and found["changes"] == {"added": [], "modified": [], "deleted": []}
    assert other.json("diff")["changes"] == []
    other.write("data/a.txt", b"a2")
    other.write("data/new.txt", b"n")
    found = other.json("status", "data")["artifacts"][0]
    assert found["state"] == "modified"
    assert found["changes"] == {"added": ["data/new.txt"], "modified": ["data/a.txt"], "deleted": []}
    assert [(item["path"], item["kind"]) for item in other.json("diff")["changes"]] == [
        ("data/a.txt", "modified"),
        ("data/new.txt", "added"),
    ]


def test_status_and_diff_tell_the_same_of_empty_directories(tracked: World) -> None:
    (tracked.root / "data/gone").mkdir()
    tracked.ok("add", "data")
    tracked.commit()
    (tracked.root / "data/gone").rmdir()
    (tracked.root / "data/new").mkdir()
    (tracked.root / "data/sub/b.txt").unlink()  # that directory is empty now
    changes = tracked.json("status", "data")["artifacts"][0]["changes"]
    assert changes == {"added": ["data/new"], "modified": [], "deleted": ["data/gone", "data/sub/b.txt"]}
    tracked.fails(1, "diff", "--exit-code")
    told = [(item["kind"], item["path"]) for item in tracked.json("diff")["changes"]]
    assert sorted(told) == [("added", "data/new"), ("deleted", "data/gone"), ("deleted", "data/sub/b.txt")]


def test_changes_are_complete_lists_of_paths(tracked: World) -> None:
    tracked.write("data/a.txt", b"longer than it was")
    tracked.write("data/new.txt", b"n")
    (tracked.root / "data/sub/b.txt").unlink()
    (item,) = (item for item in tracked.json("status")["artifacts"] if item["path"] == "data")
    assert item["state"] == "modified"
    assert item["changes"] == {"added": ["data/new.txt"], "modified": ["data/a.txt"], "deleted": ["data/sub/b.txt"]}
    text = tracked.ok("status").out
    assert "1 changed" in text and "1 new" in text
    assert "data/new.txt" in tracked.ok("status", "-v").out


def test_a_change_that_keeps_the_size_is_seen(tracked: World) -> None:
    tracked.settle()
    tracked.ok("status")
    tracked.write("data/a.txt", b"a2")
    assert state(tracked, "data") == "modified"


def test_a_change_right_after_add_is_seen_however_fast_it_comes(world: World) -> None:
    for number in range(5):
        world.write("f.bin", b"old%d" % number)
        world.ok("add", "f.bin")
        world.write("f.bin", b"new%d" % number)
        assert state(world, "f.bin") == "modified"


def test_a_pointer_that_lost_its_first_line_is_damaged_not_gone(tracked: World) -> None:
    for text in (b"", b"datatol: 1\nkind: file\n"):
        tracked.write("data.dt", text)
        for command in (["status"], ["status", "data"], ["add", "data"], ["push"], ["checkout"], ["diff"]):
            ran = tracked.run(*command)
            assert ran.code in (1, 4) and "data.dt" in ran.err and "git checkout -- data.dt" in ran.err, ran
    tracked.fails(1, "doctor")
    tracked.write("notes.dt", b"not a pointer, nor ever one")
    tracked.git("checkout", "data.dt")
    assert tracked.json("status")["clean"]
    tracked.write("notes", b"x")
    assert "notes.dt" in tracked.fails(7, "add", "notes").err


def test_a_mistyped_path_inside_an_artifact_is_found_by_no_command(tracked: World) -> None:
    for command in ("add", "status", "diff", "push", "fetch", "pull", "checkout", "list", "edit"):
        assert "data/a.txt" in tracked.fails(3, command, "data/a.tx").err, command


def test_hints_name_paths_from_where_the_user_stands(tracked: World) -> None:
    tracked.write("part/x", b"")
    ran = tracked.fails(3, "pull", "../data/sbu", cwd=tracked.root / "part")
    assert "../data/sub" in ran.err


def test_an_unknown_remote_is_not_found_even_when_there_is_nothing_to_do(tracked: World) -> None:
    tracked.ok("push")
    for command in ("status", "fetch", "pull", "push"):
        assert "default" in tracked.fails(3, command, "-r", "defualt").err


def test_touching_a_file_changes_nothing(tracked: World) -> None:
    os.utime(tracked.root / "data/a.txt")
    assert state(tracked, "data") == "clean"


@pytest.mark.skipif(os.name == "nt", reason="modes do not bind on Windows")
def test_the_executable_bit_is_a_change_where_modes_bind(tracked: World) -> None:
    (tracked.root / "data/a.txt").chmod(0o755)
    assert state(tracked, "data") == "modified"
    (tracked.root / "data/a.txt").chmod(0o644)
    assert state(tracked, "data") == "clean"
    tracked.git("config", "core.fileMode", "false")
    (tracked.root / "data/a.txt").chmod(0o755)
    assert state(tracked, "data") == "clean"
    pointer = tracked.read("data.dt")
    tracked.ok("add", "data")
    assert tracked.read("data.dt") == pointer


def test_pointer_states(tracked: World) -> None:
    def pointers() -> dict[str, str]:
        return {item["path"]: item["pointer_state"] for item in tracked.json("status")["artifacts"]}

    assert pointers() == {"data": "committed", "one.bin": "committed"}
    tracked.write("one.bin", b"two")
    tracked.write("fresh.bin", b"3")
    tracked.ok("add", "one.bin", "fresh.bin")
    assert pointers() == {"data": "committed", "one.bin": "changed", "fresh.bin": "new"}


def test_status_of_a_part_and_of_one_artifact(tracked: World) -> None:
    tracked.write("data/sub/b.txt", b"changed")
    assert [i["path"] for i in tracked.json("status", "one.bin")["artifacts"]] == ["one.bin"]
    assert tracked.json("status", "data/a.txt")["clean"]
    assert not tracked.json("status", "data/sub")["clean"]
    assert [i["path"] for i in tracked.json("status", "data.dt")["artifacts"]] == ["data"]


def test_paths_are_shown_relative_to_the_current_directory_and_json_to_the_root(tracked: World) -> None:
    tracked.write("deep/x.bin", b"1")
    tracked.ok("add", "deep/x.bin")
    assert "x.bin" in tracked.ok("status", cwd=tracked.root / "deep").out
    assert "../data" in tracked.ok("status", cwd=tracked.root / "deep").out
    assert {i["path"] for i in tracked.json("status", cwd=tracked.root / "deep")["artifacts"]} == {
        "data",
        "one.bin",
        "deep/x.bin",
    }


def test_work_for_one_artifact_does_not_read_the_others(tracked: World) -> None:
    for number in range(20):
        tracked.write(f"many/{number}.bin.dt", b"datatool: 1\nthis is broken\n")
    assert tracked.json("status", "one.bin")["clean"]
    tracked.write("one.bin", b"two")
    tracked.ok("add", "one.bin")


def test_diff_tells_added_modified_deleted_and_renamed_with_sizes(tracked: World) -> None:
    tracked.write("data/a.txt", b"longer")
    tracked.write("data/new.txt", b"new!")
    (tracked.root / "data/sub/b.txt").rename(tracked.root / "data/sub/c.txt")
    (tracked.root / "one.bin").unlink()
    changes = {item["path"]: item for item in tracked.json("diff")["changes"]}
    assert {path: item["kind"] for path, item in changes.items()} == {
        "data/a.txt": "modified",
        "data/new.txt": "added",
        "data/sub/c.txt": "renamed",
        "one.bin": "deleted",
    }
    assert changes["data/sub/c.txt"]["old_path"] == "data/sub/b.txt"
    assert (changes["data/a.txt"]["old_size"], changes["data/a.txt"]["new_size"]) == (2, 6)


def test_diff_between_revisions_and_with_paths(tracked: World) -> None:
    tracked.write("data/a.txt", b"second")
    (tracked.root / "data/sub/b.txt").rename(tracked.root / "data/moved.txt")
    tracked.write("one.bin", b"uno")
    tracked.ok("add", "data", "one.bin")
    tracked.commit("two")
    changes = {item["path"]: item for item in tracked.json("diff", "v1", "HEAD")["changes"]}
    assert {path: item["kind"] for path, item in changes.items()} == {
        "data/a.txt": "modified",
        "data/moved.txt": "renamed",
        "one.bin": "modified",
    }
    assert changes["data/moved.txt"]["old_path"] == "data/sub/b.txt"
    assert [i["path"] for i in tracked.json("diff", "v1", "HEAD", "one.bin")["changes"]] == ["one.bin"]
    assert [i["path"] for i in tracked.ok("diff", "--json", "v1", "--", "data/a.txt").json["changes"]] == ["data/a.txt"]
    assert {i["path"] for i in tracked.json("diff", "v1")["changes"]} == {"data/a.txt", "data/moved.txt", "one.bin"}
    assert tracked.json("diff")["changes"] == []
    tracked.fails(3, "diff", "nonsense")


def test_list_shows_git_and_data_files_together(tracked: World) -> None:
    entries = {item["path"]: item for item in tracked.json("list", "-R")["entries"]}
    assert entries["code.py"]["origin"] == "git" and entries["data.dt"]["origin"] == "git"
    assert entries["data/sub/b.txt"]["origin"] == "datatool" and entries["data/sub/b.txt"]["size"] == 2
    assert entries["data/sub/b.txt"]["oid"].startswith("sha256:")
    assert entries["data"]["kind"] == "directory" and entries["one.bin"]["kind"] == "file"
    assert {item["path"] for item in tracked.json("list", "-R", "--data-only")["entries"]} == {
        "data",
        "data/a.txt",
        "data/sub/b.txt",
        "one.bin",
    }
    assert {item["path"] for item in tracked.json("list", "data")["entries"]} == {"data/a.txt", "data/sub"}
    top = {item["path"] for item in tracked.json("list")["entries"]}
    assert {"data", "data.dt", "one.bin", "code.py", ".datatool"} <= top and "data/a.txt" not in top


def test_list_at_a_revision(tracked: World) -> None:
    tracked.write("data/later.txt", b"x")
    tracked.ok("add", "data")
    tracked.commit("two")
    assert "data/later.txt" in {item["path"] for item in tracked.json("list", "-R")["entries"]}
    assert "data/later.txt" not in {item["path"] for item in tracked.json("list", "-R", "--rev", "v1")["entries"]}
    tracked.fails(2, "list", "--rev", "")
    tracked.fails(3, "list", "--rev", "v9")


def test_list_at_a_revision_of_a_directory_that_there_was_not_yet(tracked: World) -> None:
    tracked.write("later/a.txt", b"x")
    tracked.commit("two")
    assert tracked.json("list", "--rev", "v1", cwd=tracked.root / "later")["entries"] == []
    tracked.fails(3, "list", "later", "--rev", "v1")


def test_list_at_a_revision_in_a_partial_clone(tracked: World) -> None:
    tracked.write("data/later.txt", b"x")
    tracked.ok("add", "data")
    tracked.commit("two")
    tracked.ok("push")
    for setting in ("allowFilter", "allowAnySHA1InWant"):
        tracked.git("config", f"uploadpack.{setting}", "true")
    tracked.git("clone", "-q", "--filter=blob:none", tracked.root.as_uri(), str(tracked.top / "partial"))
    copy = World(tracked.top, name="partial", init=False)
    copy.fails(6, "--offline", "list", "--rev", "v1")
    entries = {item["path"]: item for item in copy.json("list", "-R", "--rev", "v1")["entries"]}
    assert entries["data/a.txt"]["origin"] == "datatool" and "data/later.txt" not in entries
    assert entries["code.py"]["size"] is None


def test_list_fetches_the_list_of_a_directory_but_none_of_its_files(tracked: World) -> None:
    tracked.ok("push")
    copy = tracked.clone()
    assert [item["path"] for item in copy.json("list", "data/sub")["entries"]] == ["data/sub/b.txt"]
    assert not copy.exists("data")
    assert copy.json("fetch")["objects"] == 3
    near = copy.fails(3, "pull", "data/sbu")
    assert "data/sub" in near.err


def test_list_marks_what_can_not_be_read_and_goes_on(tracked: World) -> None:
    tracked.ok("push")
    copy = tracked.clone()
    tracked.remote.rename(tracked.top / "away")
    ran = copy.ok("list", "-R", "--json")
    entries = {item["path"]: item for item in ran.json["entries"]}
    assert entries["one.bin"]["size"] == 3 and entries["data"]["size"] == 4
    assert entries["data"]["problem"] and "fetch" in entries["data"]["problem"]


# ---- where git stands differently


def test_before_the_first_commit_everything_local_works(tmp_path: Path) -> None:
    world = World(tmp_path, init=False)
    world.root.mkdir()
    world.ok("init", "--remote", str(world.remote))
    world.write("a.bin", b"1")
    world.ok("add", "a.bin")
    assert world.json("status")["artifacts"][0]["pointer_state"] == "new"
    assert [item["kind"] for item in world.json("diff")["changes"]] == ["added"]
    assert {"a.bin", "a.bin.dt", ".gitignore"} <= {item["path"] for item in world.json("list", "-R")["entries"]}
    world.ok("push")
    (world.root / "a.bin").unlink()
    world.ok("pull")
    assert world.read("a.bin") == b"1"


def test_detached_head(tracked: World) -> None:
    tracked.git("checkout", "-q", "--detach")
    tracked.write("one.bin", b"two")
    tracked.ok("add", "one.bin")
    tracked.ok("push")
    assert tracked.json("status")["clean"]


def test_linked_worktrees_share_the_cache_and_have_their_own_state(tracked: World) -> None:
    tracked.git("worktree", "add", "-q", "-b", "side", "../linked")
    linked = World(tracked.top, name="linked", init=False)
    assert state(linked, "data") == "absent"
    linked.ok("checkout")
    assert linked.tree("data") == tracked.tree("data")
    assert linked.json("status")["clean"]
    linked.write("one.bin", b"side")
    linked.ok("add", "one.bin")
    assert not (linked.root / ".git" / "datatool").exists()
    assert tracked.json("status")["clean"] and tracked.read("one.bin") == b"one"


def test_a_submodule_is_a_project_of_its_own(tracked: World) -> None:
    outer = World(tracked.top / "outer")
    outer.git("-c", "protocol.file.allow=always", "submodule", "--quiet", "add", str(tracked.root), "inner")
    outer.commit("submodule")
    assert "-C inner" in outer.fails(7, "status", "inner/one.bin").err
    assert "-C inner" in outer.fails(7, "add", "inner/one.bin").err
    inner = outer.root / "inner"
    done = outer.run("status", "--json", cwd=inner)
    assert {item["path"] for item in done.json["artifacts"]} == {"data", "one.bin"}
    assert outer.json("status")["artifacts"] == []
    tracked.ok("push")
    outer.ok("pull", cwd=inner)
    assert (inner / "one.bin").read_bytes() == b"one"


def test_a_hook_that_sets_git_dir(tracked: World) -> None:
    env = {"GIT_DIR": ".git", "GIT_INDEX_FILE": ".git/index"}
    assert tracked.run("status", "--json", env=env).json["clean"]
    tracked.write("one.bin", b"two")
    tracked.ok("add", "one.bin", env={"GIT_DIR": str(tracked.git_dir)})
    tracked.ok("push", env={"GIT_DIR": str(tracked.git_dir)})


def test_git_dir_and_git_work_tree_name_the_project_from_anywhere(tracked: World) -> None:
    env = {"GIT_DIR": str(tracked.git_dir), "GIT_WORK_TREE": str(tracked.root)}
    assert tracked.json("status", env=env, cwd=tracked.top)["clean"]
    name = tracked.root.name
    assert tracked.json("status", env={"GIT_DIR": f"{name}/.git", "GIT_WORK_TREE": name}, cwd=tracked.top)["clean"]
    tracked.fails(3, "status", env={"GIT_DIR": str(tracked.git_dir)}, cwd=tracked.top)


@pytest.mark.parametrize("more", [{"GIT_WORK_TREE": ".."}, {}], ids=["with a work tree", "alone"])
def test_a_relative_git_dir_is_meant_from_where_the_command_began(tracked: World, more: dict[str, str]) -> None:
    env = {"GIT_DIR": "../.git", **more}
    below = tracked.root / "data"
    assert tracked.json("status", env=env, cwd=below)["clean"]
    tracked.write("one.bin", b"another")
    tracked.ok("add", "../one.bin", env=env, cwd=below)
    assert not tracked.exists(".datatool/local")
    assert tracked.json("status", env=env, cwd=below)["clean"]
    hook = {"GIT_DIR": ".git"}  # as git sets it at the top, before the hook goes elsewhere
    assert tracked.json("status", env=hook, cwd=below)["clean"]


def test_without_git_status_fetch_checkout_and_pull_work(tracked: World) -> None:
    import shutil

    tracked.ok("push")
    plain = tracked.top / "plain"
    shutil.copytree(tracked.root, plain, ignore=shutil.ignore_patterns(".git", "data", "one.bin"))
    ran = tracked.ok("status", "--json", cwd=plain)
    assert {item["state"] for item in ran.json["artifacts"]} == {"absent"}
    tracked.ok("pull", cwd=plain)
    assert (plain / "one.bin").read_bytes() == b"one"
    assert tracked.ok("status", "--json", cwd=plain).json["clean"]
    assert (plain / ".datatool/local/cache/FORMAT").exists()


def test_a_directory_outside_any_project_says_so(tmp_path: Path) -> None:
    world = World(tmp_path, init=False)
    world.root.mkdir()
    for command in (["status"], ["add", "x"], ["push"], ["list"]):
        ran = world.fails(3, *command)
        assert "datatool init" in ran.err


# ---- lists that are not here


def test_diff_of_a_fresh_clone_takes_no_list(tracked: World) -> None:
    copy = tracked.clone()
    assert copy.json("diff")["changes"] == []
    assert copy.json("diff", "HEAD", "data")["changes"] == []
    assert copy.json("diff", "HEAD", "HEAD")["changes"] == []
    assert copy.ok("diff", "--exit-code", "data/a.txt").code == 0


@pytest.mark.parametrize("words", [("v1",), ("v1", "HEAD"), ("HEAD~1", "data/a.txt"), ("HEAD^{/one}", "--", "data")])
def test_diff_without_a_list_names_the_commands_that_bring_it(tracked: World, words: tuple[str, ...]) -> None:
    tracked.ok("push")
    tracked.write("data/a.txt", b"another\n")
    tracked.ok("add", "data")
    tracked.commit("second")
    tracked.ok("push")
    copy = tracked.clone()
    copy.git("fetch", "-q", "--tags", str(tracked.root))
    run_hints(copy, copy.fails(4, "diff", *words).err)
    assert [item["path"] for item in copy.ok("diff", "--json", *words).json["changes"]] == ["data/a.txt"]


def test_diff_of_an_edited_directory_whose_pointer_moved_on_names_the_old_version(tracked: World) -> None:
    tracked.ok("push")
    copy = tracked.clone()
    copy.ok("pull", "data")
    tracked.write("data/a.txt", b"another\n")
    tracked.ok("add", "data")
    tracked.commit("second")
    tracked.ok("push")
    tracked.git("push", "-q", str(tracked.origin), "HEAD")
    copy.git("pull", "-q")
    copy.write("data/mine.txt", b"mine\n")
    assert "diff HEAD data shows what that takes back" in copy.ok("add", "data").err
    refused = copy.fails(4, "diff", "HEAD", "data")
    assert "hint: datatool fetch data --rev HEAD gets it from the remote" in refused.err
    run_hints(copy, refused.err)
    assert {item["path"] for item in copy.json("diff", "HEAD", "data")["changes"]} == {"data/a.txt", "data/mine.txt"}


def run_hints(world: World, said: str) -> None:
    """Run the commands that a hint names."""
    (hint,) = (line for line in said.splitlines() if line.startswith("hint: "))
    commands = re.findall(r"datatool (.+?)(?= and datatool| gets? )", hint)
    assert commands
    for command in commands:
        world.ok(*shlex.split(command))
