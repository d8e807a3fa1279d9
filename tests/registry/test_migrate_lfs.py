"""`migrate`: the files that Git LFS keeps become artifacts, as one staged change, and nothing is lost on the way."""

from __future__ import annotations

import json
import shutil
import tarfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from archives import unpack
from datatool.operations.migration import lfs
from registry.lfs_world import oid_of, pointer
from world import World

GOLDEN = Path(__file__).parent / "golden"
LINE = "*.bin filter=lfs diff=lfs merge=lfs -text\n"
FILES = {"a.bin": b"one", "data/b.bin": b"two" * 1000, "data/deep/c d.bin": b"\0three"}


def lfs_project(
    tmp_path: Path,
    files: Mapping[str, bytes] = FILES,
    *,
    attributes: str = LINE,
    smudged: bool = True,
    kept: bool = True,
    name: str = "project",
) -> World:
    """A repository as git-lfs leaves it: pointers in git, data in the work tree (`smudged`) and in its own store."""
    world = World(tmp_path, name=name, init=False)
    world.root.mkdir()
    world.git("init", "-q", "-b", "main")
    world.write(".gitattributes", attributes.encode())
    for path, data in files.items():
        world.write(path, pointer(data))
    world.git("add", "-A")
    world.git("commit", "-q", "-m", "in LFS")
    for path, data in files.items():
        if kept:
            keep(world, data)
        if smudged:
            world.write(path, data)
    return world


def store_path(world: World, data: bytes) -> Path:
    oid = oid_of(data)
    return world.git_dir / "lfs/objects" / oid[:2] / oid[2:4] / oid


def keep(world: World, data: bytes) -> None:
    path = store_path(world, data)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)


def golden(tmp_path: Path) -> World:
    """A clone of the repository that the real git-lfs made; its smudge filter never ran."""
    world = World(tmp_path, name="songs", init=False)
    world.git("clone", "-q", "-b", "main", str(GOLDEN / "lfs.bundle"), str(world.root), cwd=tmp_path)
    with tarfile.open(GOLDEN / "lfs_objects.tar") as archive:
        unpack(archive, world.git_dir / "lfs")
    return world


def status(world: World) -> list[str]:
    return world.git("status", "--porcelain").splitlines()


def states(world: World) -> dict[str, str]:
    return {item["path"]: item["state"] for item in world.json("status")["artifacts"]}


def failed(found: Any) -> list[str]:
    return [item["path"] for item in found["failed"]]


def taken(found: Any) -> list[str]:
    return [item["path"] for item in found["artifacts"]]


def test_every_file_of_lfs_becomes_an_artifact(tmp_path: Path) -> None:
    world = lfs_project(tmp_path)
    world.write("data/b.bin", FILES["data/b.bin"], executable=False)
    found = world.json("migrate")
    assert found["failed"] == []
    assert found["artifacts"] == [
        {
            "path": path,
            "pointer": f"{path}.dt",
            "replaces": path,
            "from": "lfs",
            "kind": "file",
            "oid": f"sha256:{oid_of(data)}",
            "size": len(data),
            "files": None,
        }
        for path, data in FILES.items()
    ]
    assert set(FILES) <= set(found["removed"])
    assert all(line[1] == " " for line in status(world)), status(world)
    assert not set(FILES) & set(world.git("ls-files").splitlines())
    assert "filter=lfs" not in world.read(".gitattributes").decode()
    assert {path: world.read(path) for path in FILES} == FILES
    assert states(world) == dict.fromkeys(FILES, "clean")
    world.commit("migrated")
    assert status(world) == []
    for path in FILES:
        (world.root / path).unlink()
    shutil.rmtree(world.git_dir / "lfs")
    world.ok("checkout")
    assert {path: world.read(path) for path in FILES} == FILES


def test_what_the_real_git_lfs_made(tmp_path: Path) -> None:
    world = golden(tmp_path)
    found = world.json("migrate")
    assert taken(found) == ["a.bin", "raw data/deep/table.csv", "tool.bin"]
    assert found["failed"] == []
    assert all(line[1] == " " for line in status(world)), status(world)
    assert world.read("a.bin") == b"two"
    assert world.read("raw data/deep/table.csv") == b"id,value\n1,42\n"
    assert (world.root / "tool.bin").stat().st_mode & 0o100
    assert set(states(world).values()) == {"clean"}
    assert world.read("docs/pointer.txt").startswith(b"version ")
    files = world.git("ls-files").splitlines()
    assert {"empty.bin", "docs/pointer.txt", "a.bin.dt", "raw data/deep/table.csv.dt"} <= set(files)
    assert "lfs" not in world.read(".gitattributes").decode()
    world.commit("migrated")
    assert status(world) == []


def test_old_commits_stay_readable(tmp_path: Path) -> None:
    world = golden(tmp_path)
    world.ok("migrate")
    world.commit("migrated")
    world.ok("get", ".", "a.bin", "--rev", "HEAD~2", "--out", "old.bin")
    assert world.read("old.bin") == b"one"
    assert [(i["origin"], i["size"]) for i in world.json("list", "a.bin", "--rev", "HEAD~2")["entries"]] == [("lfs", 3)]
    world.ok("get", ".", "raw data", "--rev", "HEAD~1", "--out", "before")
    assert world.read("before/deep/table.csv") == b"id,value\n1,42\n"
    world.ok("get", ".", "a.bin", "--out", "new.bin")
    assert world.read("new.bin") == b"two"


def test_it_is_done_once(tmp_path: Path) -> None:
    world = lfs_project(tmp_path)
    world.ok("migrate")
    after = status(world)
    again = world.json("migrate")
    assert again["artifacts"] == again["failed"] == again["staged"] == []
    assert status(world) == after
    world.commit()
    assert world.json("migrate")["artifacts"] == []


def test_a_dry_run_says_the_same_and_writes_nothing(tmp_path: Path) -> None:
    world = lfs_project(tmp_path)
    before, index = world.tree(), status(world)
    said = world.json("migrate", "--dry-run")
    assert world.tree() == before
    assert status(world) == index
    assert not world.local.exists()
    done = world.json("migrate")
    assert said["artifacts"] == done["artifacts"]
    assert said["removed"] == done["removed"]


def test_pointers_in_place_of_data_become_data(tmp_path: Path) -> None:
    world = lfs_project(tmp_path, smudged=False)
    world.ok("migrate")
    assert {path: world.read(path) for path in FILES} == FILES
    assert states(world) == dict.fromkeys(FILES, "clean")


def test_files_that_are_not_there_stay_away(tmp_path: Path) -> None:
    world = lfs_project(tmp_path)
    shutil.rmtree(world.root / "data")
    found = world.json("migrate")
    assert taken(found) == list(FILES)
    assert not world.exists("data/b.bin")
    world.ok("checkout")
    assert {path: world.read(path) for path in FILES} == FILES


@pytest.mark.parametrize("what", ["data", "pointer", "same size", "link", "attributes"])
def test_edits_that_git_does_not_have_are_not_lost(tmp_path: Path, what: str) -> None:
    world = lfs_project(tmp_path)
    if what == "data":
        world.write("data/b.bin", b"mine")
    elif what == "pointer":
        world.write("data/b.bin", pointer(b"mine"))
    elif what == "same size":
        world.write("data/b.bin", b"TWO" * 1000)
    elif what == "link":
        (world.root / "data/b.bin").unlink()
        (world.root / "data/b.bin").symlink_to("../a.bin")
    else:
        world.write(".gitattributes", LINE.encode() + b"*.csv text\n")
    before, index = world.tree(), status(world)
    ran = world.fails(7, "migrate")
    assert (".gitattributes" if what == "attributes" else "data/b.bin") in ran.err
    assert "git add" in ran.err
    assert world.tree() == before
    assert status(world) == index


def test_staged_versions_are_taken(tmp_path: Path) -> None:
    world = lfs_project(tmp_path)
    world.write("a.bin", pointer(b"newer"))
    world.git("add", "a.bin")
    world.write("a.bin", b"newer")
    keep(world, b"newer")
    world.ok("migrate")
    assert world.read("a.bin") == b"newer"
    assert states(world)["a.bin"] == "clean"


def test_other_lines_and_comments_stay(tmp_path: Path) -> None:
    attributes = f"# big\n{LINE}\n*.sh text eol=lf\n*.dat filter=lfs -text whitespace=-all\n*.csv -filter\n"
    world = lfs_project(tmp_path, attributes=attributes)
    world.write("sub/.gitattributes", b'"x y/*" filter=lfs diff=lfs merge=lfs -text lockable\n')
    world.git("add", "sub")
    world.ok("migrate")
    text = world.read(".gitattributes").decode()
    assert text.startswith("# big\n\n*.sh text eol=lf\n*.dat whitespace=-all\n*.csv -filter\n")
    assert not world.exists("sub/.gitattributes")
    assert "sub/.gitattributes" not in world.git("ls-files")


def test_a_macro_for_lfs_goes_with_its_lines(tmp_path: Path) -> None:
    world = lfs_project(tmp_path, attributes="[attr]big filter=lfs diff=lfs merge=lfs -text\n*.bin big\n*.c text\n")
    assert taken(world.json("migrate")) == list(FILES)
    assert world.read(".gitattributes").decode().startswith("*.c text\n")
    assert "big" not in world.read(".gitattributes").decode()


def test_a_missing_object_is_had_from_the_origin_later(tmp_path: Path) -> None:
    world = lfs_project(tmp_path, smudged=False)
    world.git("init", "-q", "--bare", str(world.origin))
    world.git("remote", "add", "origin", "../origin.git")
    world.git("push", "-q", "origin", "main")
    head = world.git("rev-parse", "HEAD")
    data = FILES["data/b.bin"]
    there = world.origin / store_path(world, data).relative_to(world.git_dir)
    there.parent.mkdir(parents=True)
    store_path(world, data).rename(there)
    found = world.json("migrate")
    assert found["failed"] == []
    assert taken(found) == list(FILES)
    text = world.read("data/b.bin.dt").decode()
    assert f"oid: sha256:{oid_of(data)}" in text
    assert "repo: ../../origin.git" in text
    assert f"commit: {head}" in text
    assert "origin: lfs" in text
    assert "source" not in world.read("a.bin.dt").decode()
    assert not world.exists("data/b.bin")
    world.commit("migrated")
    world.ok("pull")
    assert world.read("data/b.bin") == data
    world.git("push", "-q", "origin", "main")
    before = world.read("data/b.bin.dt")
    for words in (["update", "--check"], ["update"]):
        (shown,) = world.json(*words)["artifacts"]
        assert shown["available"] is None and not shown["changed"], "the data is the project's own"
    assert world.read("data/b.bin.dt") == before
    world.ok("remote", "add", "r", str(world.remote))
    world.ok("push")
    assert set(states(world).values()) == {"clean"}
    assert not any(item["available"] for item in world.json("status", "--remote")["artifacts"])


def test_a_password_of_the_origin_s_url_is_not_written_down(tmp_path: Path) -> None:
    world = lfs_project(tmp_path, smudged=False, kept=False)
    world.git("remote", "add", "origin", "https://me:secret@example.org/songs.git")
    world.ok("migrate")
    text = world.read("a.bin.dt").decode()
    assert "repo: https://example.org/songs.git" in text
    assert not any("secret" in str(data) for data in world.tree().values())


def test_a_missing_object_without_an_origin_leaves_its_file_as_it_was(tmp_path: Path) -> None:
    world = lfs_project(tmp_path, smudged=False, attributes="a.bin filter=lfs -text\ndata/** filter=lfs -text\n")
    data = FILES["data/b.bin"]
    store_path(world, data).unlink()
    assert failed(world.fails(4, "migrate", "--dry-run", "--json").json) == ["data/b.bin"]
    ran = world.fails(4, "migrate", "--json")
    assert failed(ran.json) == ["data/b.bin"]
    assert "git lfs fetch" in ran.json["failed"][0]["error"]["hint"]
    assert taken(ran.json) == ["a.bin", "data/deep/c d.bin"]
    assert world.read("data/b.bin") == pointer(data)
    assert not world.exists("data/b.bin.dt")
    text = world.read(".gitattributes").decode()
    assert "a.bin filter=lfs" not in text
    assert "data/** filter=lfs" in text
    shown = world.git("check-attr", "filter", "--", "data/b.bin", "data/deep/c d.bin.dt", "data/deep/.gitignore")
    assert [line.rpartition(" ")[2] for line in shown.splitlines()] == ["lfs", "unspecified", "unspecified"]
    keep(world, data)
    assert taken(world.json("migrate")) == ["data/b.bin"]
    assert "filter" not in world.read(".gitattributes").decode()
    assert {path: world.read(path) for path in FILES} == FILES


def test_data_that_only_the_workspace_has_is_saved(tmp_path: Path) -> None:
    world = lfs_project(tmp_path, kept=False)
    assert taken(world.json("migrate")) == list(FILES)
    for path in FILES:
        (world.root / path).unlink()
    world.ok("checkout")
    assert {path: world.read(path) for path in FILES} == FILES


def test_a_damaged_object_is_told_and_not_taken(tmp_path: Path) -> None:
    world = lfs_project(tmp_path, smudged=False)
    store_path(world, FILES["a.bin"]).write_bytes(b"eno")
    ran = world.fails(5, "migrate", "--json")
    assert failed(ran.json) == ["a.bin"]
    assert world.read("a.bin") == pointer(FILES["a.bin"])
    assert "a.bin" in world.git("ls-files").splitlines()


def test_what_can_not_be_tracked_is_named_and_left(tmp_path: Path) -> None:
    changed = pointer(b"x").replace(b"oid ", b"ext-0-case sha256:" + b"0" * 64 + b"\noid ", 1)
    world = lfs_project(tmp_path, {"a.bin": b"one", "x.DT": b"dt", "hidden/h.bin": b"h"}, attributes="* filter=lfs\n")
    world.write("changed.bin", changed)
    world.write(".gitignore", b"hidden/*.dt\n")
    world.git("-c", "filter.lfs.clean=", "add", "changed.bin", ".gitignore")
    ran = world.fails(4, "migrate", "--json")
    assert failed(ran.json) == ["changed.bin", "hidden/h.bin", "x.DT"]
    assert taken(ran.json) == ["a.bin"]
    assert {"changed.bin", "hidden/h.bin", "x.DT"} <= set(world.git("ls-files").splitlines())


def test_git_lfs_s_filters_do_not_run(tmp_path: Path) -> None:
    """Not even where git-lfs is not installed but configured, as a global `git lfs install` of old leaves it."""
    world = lfs_project(tmp_path, attributes="data/** filter=lfs -text\na.bin filter=lfs -text\n", smudged=False)
    for name in ("clean", "smudge", "process"):
        world.git("config", f"filter.lfs.{name}", "false")
    world.git("config", "filter.lfs.required", "true")
    world.ok("migrate")
    for path in FILES:
        assert world.git("show", f":{path}.dt").startswith("datatool: 1")
    assert all(line[1] == " " for line in status(world)), status(world)
    assert world.git("config", "filter.lfs.required") == "true"


def test_another_place_of_the_store(tmp_path: Path) -> None:
    world = lfs_project(tmp_path, smudged=False)
    (world.git_dir / "lfs").rename(tmp_path / "elsewhere")
    world.git("config", "lfs.storage", str(tmp_path / "elsewhere"))
    assert taken(world.json("migrate")) == list(FILES)


def test_a_linked_worktree_uses_the_same_store(tmp_path: Path) -> None:
    world = lfs_project(tmp_path)
    world.git("worktree", "add", "-q", "-f", str(tmp_path / "linked"), "-b", "other")
    linked = World(tmp_path, name="linked", init=False)
    assert taken(linked.json("migrate")) == list(FILES)
    assert {path: linked.read(path) for path in FILES} == FILES


@pytest.mark.parametrize("step", ["_record", "publish", "_replace_texts", "forget", "_clean_attributes", "stage_paths"])
@pytest.mark.parametrize("after", [False, True])
def test_a_run_that_was_killed_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str, after: bool) -> None:
    whole = lfs_project(tmp_path / "whole", smudged=False)
    whole.ok("migrate")
    world = lfs_project(tmp_path / "killed", smudged=False)

    class Killed(BaseException):
        pass

    real = getattr(lfs, step)

    def killed(*arguments: object, **options: object) -> None:
        if after:
            real(*arguments, **options)
        raise Killed

    with monkeypatch.context() as patched:
        patched.setattr(lfs, step, killed)
        with pytest.raises(Killed):
            world.run("migrate")
    world.ok("migrate")
    config = ".datatool/config.yaml"
    assert {path: data for path, data in world.tree().items() if path != config} == {
        path: data for path, data in whole.tree().items() if path != config
    }
    assert status(world) == status(whole)
    assert states(world) == dict.fromkeys(FILES, "clean")


def test_thousands_of_files_are_one_pass(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files = {f"data/{number:05}.bin": b"%d" % number for number in range(600)}
    world = lfs_project(tmp_path, files)
    calls: list[object] = []
    real = lfs.publish
    monkeypatch.setattr(lfs, "publish", lambda *words: calls.append(words) or real(*words))
    assert len(world.json("migrate")["artifacts"]) == len(files)
    assert len(calls) == 1
    assert world.read("data/.gitignore").splitlines() == [b"/%05d.bin" % number for number in range(600)]
    assert set(states(world).values()) == {"clean"}


def test_staging_that_is_off_is_said(tmp_path: Path) -> None:
    world = lfs_project(tmp_path)
    world.ok("init")
    world.ok("config", "set", "git.stage", "false")
    ran = world.fails(7, "migrate", "--json")
    assert failed(ran.json) == list(FILES)
    assert not world.exists("a.bin.dt")


def test_the_text_says_what_is_next(tmp_path: Path) -> None:
    ran = lfs_project(tmp_path).ok("migrate")
    assert "took over  a.bin" in ran.out
    assert ran.err.count("git lfs uninstall") == 1
    assert json.loads(lfs_project(tmp_path, name="other").ok("migrate", "--json").out)["command"] == "migrate"
