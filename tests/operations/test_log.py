"""`log`: the versions of an artifact, or of a path inside one, and the way back to each."""

from __future__ import annotations

import re
from typing import Any

import pytest

from world import World


def versions(world: World, *words: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = world.json("log", *words)["versions"]
    return found


def told(world: World, *words: str) -> list[tuple[str | None, str]]:
    """Subject and change of each version."""
    return [(item["subject"], item["change"]) for item in versions(world, *words)]


def record(world: World, subject: str, **files: bytes) -> str:
    """Write files (`a_txt` is `data/a.txt`), add the directory, commit."""
    for name, data in files.items():
        world.write(f"data/{name.replace('_', '.')}", data)
    world.ok("add", "data")
    return world.commit(subject)


@pytest.fixture
def study(world: World) -> World:
    """Three versions of `data`: `a.txt` differs in the first two, `b.txt` in the last two."""
    record(world, "one", a_txt=b"1", b_txt=b"1")
    record(world, "two", a_txt=b"22")
    record(world, "three", b_txt=b"333")
    return world


def test_each_commit_that_changed_the_artifact_is_told_newest_first(study: World) -> None:
    assert told(study, "data") == [("three", "modified"), ("two", "modified"), ("one", "added")]
    newest = versions(study, "data")[0]
    assert newest["commit"] == study.git("rev-parse", "HEAD")
    assert newest["date"] == study.git("log", "-1", "--format=%aI")
    assert newest["author"] == study.git("log", "-1", "--format=%an")
    assert (newest["kind"], newest["size"], newest["files"], newest["cached"]) == ("directory", 5, 2, True)
    assert newest["oid"] in study.read("data.dt").decode()


def test_other_commits_are_not_told(study: World) -> None:
    study.write("README.md", b"about")
    study.commit("only code")
    assert told(study, "data")[0] == ("three", "modified")


def test_the_newest_versions_may_be_enough(study: World) -> None:
    assert told(study, "data", "-n", "2") == [("three", "modified"), ("two", "modified")]
    assert told(study, "data/a.txt", "--max-count", "1") == [("two", "modified")]


def test_a_file_inside_has_only_the_versions_in_which_it_changed(study: World) -> None:
    assert told(study, "data/a.txt") == [("two", "modified"), ("one", "added")]
    assert told(study, "data/b.txt") == [("three", "modified"), ("one", "added")]
    assert [(item["kind"], item["size"]) for item in versions(study, "data/a.txt")] == [("file", 2), ("file", 1)]


def test_a_directory_inside_is_told_as_a_whole(study: World) -> None:
    study.write("data/deep/c.txt", b"c")
    record(study, "four")
    study.write("data/deep/d.txt", b"dd")
    record(study, "five")
    assert told(study, "data/deep") == [("five", "modified"), ("four", "added")]
    newest = versions(study, "data/deep")[0]
    assert (newest["kind"], newest["files"], newest["size"], newest["oid"]) == ("directory", 2, 3, None)


def test_a_file_that_went_and_came_back_is_told_so(study: World) -> None:
    (study.root / "data/a.txt").unlink()
    record(study, "gone")
    record(study, "back", a_txt=b"22")
    assert told(study, "data/a.txt")[:3] == [("back", "added"), ("gone", "deleted"), ("two", "modified")]


def test_what_is_not_committed_stands_on_top(study: World) -> None:
    study.write("data/a.txt", b"4444")
    assert study.json("log", "data")["state"] == "modified"
    assert told(study, "data")[0] == ("three", "modified")
    assert "the workspace is modified" in study.ok("log", "data").out
    study.ok("add", "data")
    assert told(study, "data")[:2] == [(None, "modified"), ("three", "modified")]
    assert told(study, "data/a.txt")[:2] == [(None, "modified"), ("two", "modified")]
    assert told(study, "data/b.txt")[0] == ("three", "modified")
    assert study.json("log", "data")["state"] == "clean"


def test_an_artifact_that_was_never_committed_has_one_version(study: World) -> None:
    study.write("new.bin", b"n")
    study.ok("add", "new.bin")
    assert told(study, "new.bin") == [(None, "added")]


def test_renames_are_followed(study: World) -> None:
    study.ok("move", "data", "moved")
    assert told(study, "moved")[:2] == [(None, "moved"), ("three", "modified")]
    study.commit("a new name")
    study.write("moved/a.txt", b"55555")
    study.ok("add", "moved")
    study.commit("later")
    assert [(item["subject"], item["path"]) for item in versions(study, "moved")] == [
        ("later", "moved"),
        ("a new name", "moved"),
        ("three", "data"),
        ("two", "data"),
        ("one", "data"),
    ]
    assert told(study, "moved")[1] == ("a new name", "moved")
    assert [item["path"] for item in versions(study, "moved/b.txt")] == ["data/b.txt", "data/b.txt"]


def test_another_artifact_that_went_in_the_same_commit_is_no_rename(study: World) -> None:
    study.write("other.bin", b"other data")
    study.ok("remove", "data", "--data")
    study.ok("add", "other.bin")
    study.commit("one for another")
    assert told(study, "other.bin") == [("one for another", "added")]


def test_labels_alone_are_told_as_such(study: World) -> None:
    study.ok("add", "data", "--label", "good")
    study.commit("labelled")
    assert told(study, "data")[0] == ("labelled", "described")


def test_versions_of_merged_branches_are_told(study: World) -> None:
    study.git("checkout", "-q", "-b", "side")
    record(study, "on the side", a_txt=b"side")
    study.git("checkout", "-q", "-")
    study.write("README.md", b"about")
    study.commit("code meanwhile")
    study.git("merge", "-q", "--no-edit", "side")
    study.ok("checkout")
    assert told(study, "data")[:2] == [("on the side", "modified"), ("three", "modified")]


def test_content_that_only_a_merge_has_is_told(study: World) -> None:
    study.git("checkout", "-q", "-b", "side")
    record(study, "on the side", a_txt=b"side")
    study.git("checkout", "-q", "-")
    study.ok("checkout")
    record(study, "on the main branch", a_txt=b"main")
    study.git("merge", "-q", "-s", "ours", "--no-commit", "side")
    record(study, "both", a_txt=b"both")
    assert told(study, "data")[0] == ("both", "modified")


def test_a_deleted_artifact_still_has_its_history_and_comes_back(study: World) -> None:
    study.ok("remove", "data", "--data")
    assert told(study, "data")[:2] == [(None, "deleted"), ("three", "modified")]
    study.commit("gone")
    assert told(study, "data")[:2] == [("gone", "deleted"), ("three", "modified")]
    assert told(study, "data/a.txt")[:2] == [("gone", "deleted"), ("two", "modified")]
    assert study.json("log", "data")["state"] is None
    study.ok(*way_back(study, "data"))
    assert study.read("data/b.txt") == b"333" and study.json("status", "data")["clean"]


def way_back(world: World, path: str) -> list[str]:
    """The words of the command that `log` suggests."""
    found = re.search(r"hint: datatool (checkout .+) goes back", world.ok("log", path).err)
    assert found is not None
    return found[1].split()


def test_the_command_that_goes_back_works(study: World) -> None:
    study.ok(*way_back(study, "data"))
    assert (study.read("data/a.txt"), study.read("data/b.txt")) == (b"22", b"1")
    assert study.git("diff", "--cached", "--name-only") == "data.dt"


def test_of_a_file_inside_the_way_back_leaves_the_others(study: World) -> None:
    study.ok(*way_back(study, "data/a.txt"))
    assert (study.read("data/a.txt"), study.read("data/b.txt")) == (b"1", b"333")
    assert study.git("status", "--short") == ""
    changes = study.json("status")["artifacts"][0]["changes"]
    assert changes == {"added": [], "modified": ["data/a.txt"], "deleted": []}
    study.ok("add", "data/a.txt")
    assert versions(study, "data/a.txt")[0]["oid"] == versions(study, "data/a.txt")[2]["oid"]


def test_the_way_back_is_named_as_seen_from_a_subdirectory(study: World) -> None:
    ran = study.ok("log", "a.txt", cwd=study.root / "data")
    assert "hint: datatool checkout a.txt --rev " in ran.err


def test_versions_whose_list_is_not_here_are_unknown_until_fetched(study: World) -> None:
    study.ok("push", "--all-commits")
    copy = study.clone()
    copy.ok("pull")
    assert told(copy, "data") == [("three", "modified"), ("two", "modified"), ("one", "added")]
    assert [item["cached"] for item in versions(copy, "data")] == [True, False, False]
    assert "unknown" in [change for _, change in told(copy, "data/a.txt")]
    hint = re.search(r"hint: datatool (fetch .+) brings", copy.ok("log", "data/a.txt").err)
    assert hint is not None
    copy.ok(*hint[1].split())
    assert told(copy, "data/a.txt") == [("two", "modified"), ("one", "added")]


def test_an_import_tells_the_commit_of_its_source(study: World) -> None:
    mine = World(study.top / "mine")
    mine.ok("import", str(study.root), "data")
    mine.commit("imported")
    source = versions(mine, "data")[0]["source"]
    assert source["commit"] == study.git("rev-parse", "HEAD")
    assert f"at {source['commit'][:10]}" in mine.ok("log", "data").out


def test_a_run_is_told_where_the_pointer_names_one(study: World) -> None:
    pointer = study.read("data.dt").decode()
    study.write("data.dt", (pointer + "source:\n  run: " + "ab" * 32 + "\n").encode())
    study.commit("by a run")
    assert versions(study, "data")[0]["run"] == "ab" * 32
    assert "run ababababab" in study.ok("log", "data").out


def test_a_pointer_that_does_not_read_is_told_with_its_problem(study: World) -> None:
    study.write("data.dt", b"datatool: 1\nkind: banana\n")
    study.commit("broken")
    newest = versions(study, "data")[0]
    assert (newest["subject"], newest["change"]) == ("broken", "unknown")
    assert "data.dt" in newest["problem"]


def test_a_hostile_message_is_shown_harmlessly(study: World) -> None:
    study.write("data/a.txt", b"h")
    study.ok("add", "data")
    study.git("commit", "-q", "-m", "evil \x1b[2J \x01 \u202e name")
    out = study.ok("log", "data").out
    assert "\x1b" not in out and "\u202e" not in out and "\\x1b[2J \\x01 \\u202e name" in out
    assert len(versions(study, "data")) == 4


def test_what_has_no_history_is_named_with_the_nearest(study: World) -> None:
    assert "did you mean data?" in study.fails(3, "log", "dada").err
    assert study.fails(3, "log", "data/c.txt").code == 3
    study.write("sub/x.bin", b"x")
    study.ok("add", "sub/x.bin")
    assert "sub/x.bin" in study.fails(2, "log", "sub").err
    assert study.fails(2, "log", ".").code == 2
    assert study.fails(2, "log", "data", "-n", "0").code == 2


def test_a_project_without_commits_has_a_log_too(world: World) -> None:
    bare = World(world.top / "bare", init=False)
    bare.root.mkdir(parents=True)
    bare.git("init", "-q")
    bare.ok("init")
    bare.write("a.bin", b"1")
    bare.ok("add", "a.bin")
    assert told(bare, "a.bin") == [(None, "added")]
