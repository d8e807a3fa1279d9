"""`migrate`: a DVC project becomes ours, as one staged change, and nothing is lost on the way."""

from __future__ import annotations

import hashlib
import os
import shutil
from pathlib import Path
from typing import Any

import pytest

from registry.dvc.dvc_world import EXPECTED, FIXTURES, git
from world import World

STORES = {"songs": "store", "old": "store-old", "pipeline": "store-pipeline", "mono": "store-mono"}


def project(made_by_dvc: Path, tmp_path: Path, name: str) -> World:
    """A clone of a fixture that has everything in DVC's own cache, and no data in its work tree yet."""
    world = World(tmp_path / "w", name=name, init=False)
    git(tmp_path, "clone", "-q", "-b", "main", str(FIXTURES / f"{name}.bundle"), str(world.root))
    git(world.root, "config", "user.name", "T")
    git(world.root, "config", "user.email", "t@example.org")
    store = made_by_dvc / STORES.get(name, f"store-{name}")
    if store.exists():
        shutil.copytree(store, world.root / ".dvc/cache")
    return world


def bring_data(world: World, files: dict[str, str | None]) -> None:
    """Put the data into the work tree, as `dvc checkout` would."""
    objects = {
        hashlib.sha256(path.read_bytes()).hexdigest(): path.read_bytes()
        for path in (world.root / ".dvc/cache").rglob("*")
        if path.is_file()
    }
    for path, sha256 in files.items():
        if sha256 is not None:
            world.write(path, objects[sha256], executable=path.endswith(".sh"))


def files_of(name: str) -> dict[str, str]:
    revs = EXPECTED[name]
    found: dict[str, str] = revs[max(revs)]["files"]
    return found


def status(world: World) -> list[str]:
    return world.git("status", "--porcelain").splitlines()


def check_data(world: World, files: dict[str, Any]) -> None:
    for path, sha256 in files.items():
        if sha256 is not None:
            assert hashlib.sha256(world.read(path)).hexdigest() == sha256, path


@pytest.mark.parametrize("name", ["songs", "old"])
def test_a_whole_project_becomes_ours(made_by_dvc: Path, tmp_path: Path, name: str) -> None:
    world = project(made_by_dvc, tmp_path, name)
    bring_data(world, files_of(name))
    before = world.tree()
    found = world.json("migrate")
    assert found["failed"] == []
    assert {item["path"] + ".dt" for item in found["artifacts"]} <= set(found["staged"])
    left = [path for path in world.git("ls-files").splitlines() if path.endswith(".dvc") or ".dvc/" in path]
    assert left == [item["path"] for item in found["stays"]] == (["hidden/secret.txt.dvc"] if name == "songs" else [])
    assert all(line[1] == " " for line in status(world)), status(world)
    check_data(world, files_of(name))
    shown = world.json("status")
    assert {item["state"] for item in shown["artifacts"]} == {"clean"}
    world.commit("migrated")
    for item in found["artifacts"]:
        full = world.root / item["path"]
        shutil.rmtree(full) if full.is_dir() else full.unlink()
    shutil.rmtree(world.root / ".dvc/cache")
    world.ok("checkout", "--force")
    check_data(world, files_of(name))
    assert set(before) - set(world.tree()) >= {".dvc/config"}


def test_it_is_done_once(made_by_dvc: Path, tmp_path: Path) -> None:
    world = project(made_by_dvc, tmp_path, "songs")
    world.ok("migrate")
    after = status(world)
    again = world.json("migrate")
    assert again["artifacts"] == again["failed"] == []
    assert status(world) == after
    world.commit()
    assert world.json("migrate")["artifacts"] == []


def test_a_dry_run_says_the_same_and_writes_nothing(made_by_dvc: Path, tmp_path: Path) -> None:
    world = project(made_by_dvc, tmp_path, "songs")
    before = world.tree()
    said = world.json("migrate", "--dry-run")
    assert world.tree() == before
    assert status(world) == []
    done = world.json("migrate")
    assert [item["path"] for item in said["artifacts"]] == [item["path"] for item in done["artifacts"]]
    assert said["removed"] == done["removed"]
    assert said["remotes"] == done["remotes"]


def test_remotes_and_ignore_rules_come_along(made_by_dvc: Path, tmp_path: Path) -> None:
    world = project(made_by_dvc, tmp_path, "songs")
    (world.root / ".dvc/config.local").write_text("['remote \"storage\"']\n    user = me\n    password = secret\n")
    found = world.json("migrate")
    assert found["remotes"] == ["storage"]
    config = (world.root / ".datatool/config.yaml").read_text()
    assert "../store" in config
    assert "secret" not in config
    assert "secret" in (world.local / "config.yaml").read_text()
    assert world.ok("config", "get", "remote").out.strip() == "storage"
    assert "/hidden" in (world.root / ".datatoolignore").read_text()
    assert "/songs" in (world.root / "music/.gitignore").read_text()
    world.commit()
    store = tmp_path / "w/store"
    shutil.copytree(made_by_dvc / "store", store)
    kept = {path for path in store.rglob("*") if path.is_file()}
    world.ok("push")
    assert kept < {path for path in store.rglob("*") if path.is_file()}
    assert (store / "datatool-remote.json").exists()


def md5(data: bytes) -> str:
    return hashlib.md5(data, usedforsecurity=False).hexdigest()


def keep(world: World, data: bytes) -> None:
    """Put an object into DVC's cache."""
    world.write(f".dvc/cache/files/md5/{md5(data)[:2]}/{md5(data)[2:]}", data)


def lose(world: World, data: bytes) -> None:
    """Take an object out of DVC's cache."""
    kept = world.root / ".dvc/cache/files/md5" / md5(data)[:2] / md5(data)[2:]
    kept.chmod(0o644)
    kept.unlink()


@pytest.mark.parametrize("data", [b"c\n", bytes(range(256)) * 16], ids=["in a directory", "a file"])
def test_a_dry_run_foresees_what_is_missing(made_by_dvc: Path, tmp_path: Path, data: bytes) -> None:
    world = project(made_by_dvc, tmp_path, "songs")
    lose(world, data)
    before = world.tree()
    said = world.fails(4, "migrate", "--dry-run", "--json").json
    assert world.tree() == before and status(world) == []
    done = world.fails(4, "migrate", "--json").json
    assert said["failed"] == done["failed"] != []
    assert [item["path"] for item in said["artifacts"]] == [item["path"] for item in done["artifacts"]] != []
    assert said["removed"] == done["removed"]
    again = world.fails(4, "migrate", "--dry-run", "--json").json
    assert again["failed"] == done["failed"] and again["artifacts"] == []


@pytest.mark.parametrize("damaged", [False, True])
def test_where_nothing_is_taken_over_nothing_is_changed(made_by_dvc: Path, tmp_path: Path, damaged: bool) -> None:
    world = project(made_by_dvc, tmp_path, "songs")
    world.write(".gitattributes", b"*.txt text\n")
    world.git("add", ".gitattributes")
    world.write(".dvc/config.local", b"['remote \"storage\"']\n    user = me\n")
    files = [path for path in (world.root / ".dvc/cache").rglob("*") if path.is_file()]
    for path in files:
        path.chmod(0o644)
        path.write_bytes(b"damaged") if damaged else path.unlink()
    before, staged = world.tree(), status(world)
    found = world.fails(5 if damaged else 4, "migrate", "--json").json
    assert found["failed"] and found["artifacts"] == found["remotes"] == found["staged"] == []
    after = world.tree()
    assert {path: after[path] for path in after if not path.startswith(".git/")} == {
        path: data for path, data in before.items() if not path.startswith(".git/")
    }
    assert status(world) == staged


def test_a_missing_object_leaves_its_artifact_as_it_was(made_by_dvc: Path, tmp_path: Path) -> None:
    world = project(made_by_dvc, tmp_path, "songs")
    gone = hashlib.md5(b"c\n", usedforsecurity=False).hexdigest()
    kept = world.root / ".dvc/cache/files/md5" / gone[:2] / gone[2:]
    data = kept.read_bytes()
    kept.chmod(0o644)
    kept.unlink()
    ran = world.fails(4, "migrate", "--json")
    assert [item["path"] for item in ran.json["failed"]] == ["music/songs"]
    assert world.exists("music/songs.dvc")
    assert not world.exists("music/songs.dt")
    assert world.exists(".dvc/config")
    assert world.exists("one.bin.dt")
    kept.write_bytes(data)
    again = world.json("migrate")
    assert [item["path"] for item in again["artifacts"]] == ["music/songs"]
    assert not world.exists("music/songs.dvc")
    assert not world.exists(".dvc/config")


@pytest.fixture
def several(made_by_dvc: Path, tmp_path: Path) -> World:
    """A project with one pointer to two outputs, of which DVC's cache has the first."""
    world = project(made_by_dvc, tmp_path, "songs")
    outs = b""
    for name, data in (("here.txt", b"here"), ("gone.txt", b"gone")):
        keep(world, data)
        outs += b"- md5: %s\n  hash: md5\n  path: %s\n" % (md5(data).encode(), name.encode())
    lose(world, b"gone")
    world.write("both.dvc", b"outs:\n" + outs)
    world.commit("both")
    return world


def test_a_pointer_to_several_outputs_stays_while_one_of_them_is_missing(several: World) -> None:
    said = several.fails(4, "migrate", "--dry-run", "--json").json
    done = several.fails(4, "migrate", "--json").json
    for found in (said, done):
        assert [item["path"] for item in found["failed"]] == ["gone.txt"]
        assert "both.dvc" not in found["removed"]
        assert ("here.txt", "both.dvc") in {(item["path"], item["replaces"]) for item in found["artifacts"]}
    assert several.exists("both.dvc") and several.exists("here.txt.dt") and not several.exists("gone.txt.dt")
    assert several.exists(".dvc/config")
    keep(several, b"gone")
    again = several.json("migrate")
    assert {item["path"] for item in again["artifacts"]} == {"here.txt", "gone.txt"}
    assert not several.exists("both.dvc") and not several.exists(".dvc/config")
    several.ok("checkout")
    assert (several.read("here.txt"), several.read("gone.txt")) == (b"here", b"gone")


def test_of_a_pointer_to_several_outputs_the_one_that_is_there_can_be_had(several: World, tmp_path: Path) -> None:
    out = tmp_path / "out"
    ran = several.fails(4, "get", several.root, "here.txt", "gone.txt", "-o", out)
    assert (out / "here.txt").read_bytes() == b"here" and not (out / "gone.txt").exists()
    assert "gone.txt" in ran.err
    several.fails(4, "get", several.root, "gone.txt", "-o", out / "alone.txt")
    assert {"here.txt", "gone.txt"} <= {item["path"] for item in several.json("list", several.root)["entries"]}


def test_a_damaged_object_is_told_and_not_taken(made_by_dvc: Path, tmp_path: Path) -> None:
    world = project(made_by_dvc, tmp_path, "songs")
    name = hashlib.md5(bytes(range(256)) * 16, usedforsecurity=False).hexdigest()
    kept = world.root / ".dvc/cache/files/md5" / name[:2] / name[2:]
    kept.chmod(0o644)
    kept.write_bytes(b"damaged")
    ran = world.fails(5, "migrate", "--json")
    assert [item["path"] for item in ran.json["failed"]] == ["one.bin"]
    assert world.exists("one.bin.dvc")


def test_pipelines_are_listed_and_left(made_by_dvc: Path, tmp_path: Path) -> None:
    world = project(made_by_dvc, tmp_path, "pipeline")
    before = world.tree()
    found = world.json("migrate")
    assert found["artifacts"] == found["remotes"] == found["staged"] == []
    assert {"dvc.yaml", "model"} <= {item["path"] for item in found["stays"]}
    assert world.tree() == before and status(world) == []


def test_imports_keep_their_source(made_by_dvc: Path, tmp_path: Path) -> None:
    world = project(made_by_dvc, tmp_path, "consumer")
    shutil.copytree(made_by_dvc / "store", world.root / ".dvc/cache", dirs_exist_ok=True)
    ran = world.run("migrate", "--json")
    assert ran.code in (0, 4), ran
    taken = {item["path"] for item in ran.json["artifacts"]}
    assert {"songs-v1", "latest.txt", "own.txt"} <= taken
    pointer = (world.root / "songs-v1.dt").read_text()
    assert "repo: ../songs" in pointer
    assert "rev: v1" in pointer
    assert "origin: dvc" in pointer
    assert {item["path"] for item in ran.json["stays"]} == {"later.bin.dvc"}
    assert world.exists("later.bin.dvc")
    assert world.exists(".dvc/config")


def test_a_project_inside_another(made_by_dvc: Path, tmp_path: Path) -> None:
    world = project(made_by_dvc, tmp_path, "mono")
    shutil.copytree(made_by_dvc / "store-red", world.root / "teams/red/.dvc/cache")
    found = world.json("migrate")
    assert [item["path"] for item in found["artifacts"]] == ["teams/red/data", "top.txt"]
    assert found["remotes"] == ["other", "storage"]
    assert "../store-red" in (world.root / ".datatool/config.yaml").read_text()


@pytest.mark.parametrize("change", ["edited", "new"])
def test_pointers_that_git_does_not_have_are_not_lost(made_by_dvc: Path, tmp_path: Path, change: str) -> None:
    world = project(made_by_dvc, tmp_path, "songs")
    if change == "edited":
        world.write("one.bin.dvc", world.read("one.bin.dvc") + b"# mine\n")
    else:
        world.write("two.bin.dvc", world.read("one.bin.dvc").replace(b"one", b"two"))
    before = world.tree()
    ran = world.fails(7, "migrate")
    assert "git add" in ran.err
    assert world.tree() == before


def test_a_run_that_broke_off_goes_on(made_by_dvc: Path, tmp_path: Path) -> None:
    world = project(made_by_dvc, tmp_path, "songs")
    world.ok("migrate")
    whole = world.git("write-tree")
    # As if it had been killed between our pointers and DVC's.
    world.git("checkout", "HEAD", "--", "one.bin.dvc", ".dvc", ".dvcignore")
    found = world.json("migrate")
    assert [item["path"] for item in found["artifacts"]] == ["one.bin"]
    assert world.git("write-tree") == whole


def test_local_changes_stay_and_show(made_by_dvc: Path, tmp_path: Path) -> None:
    world = project(made_by_dvc, tmp_path, "songs")
    bring_data(world, files_of("songs"))
    world.write("music/songs/a.txt", b"mine")
    world.ok("migrate")
    assert world.read("music/songs/a.txt") == b"mine"
    changes = {item["path"]: item["state"] for item in world.json("status")["artifacts"]}
    assert changes["music/songs"] == "modified"


def test_a_link_into_dvcs_cache_is_left(made_by_dvc: Path, tmp_path: Path) -> None:
    world = project(made_by_dvc, tmp_path, "songs")
    os.symlink(world.root / ".dvc/cache/x", world.root / "one.bin")
    ran = world.fails(4, "migrate")
    assert "cache.type copy" in ran.err
    assert (world.root / "one.bin").is_symlink()
    assert world.exists("one.bin.dvc")


def test_old_commits_are_listed_as_dvc_had_them(made_by_dvc: Path, tmp_path: Path) -> None:
    world = project(made_by_dvc, tmp_path, "old")
    world.ok("migrate")
    world.commit("migrated")
    now = {item["path"]: item["origin"] for item in world.json("list", "-R", "--rev", "HEAD")["entries"]}
    then = {item["path"]: item["origin"] for item in world.json("list", "-R", "--rev", "HEAD~1")["entries"]}
    data = {path for path, sha256 in files_of("old").items() if sha256 is not None}
    ours = {path for path in data if now[path] == "datatool"}
    assert ours and {then[path] for path in ours} == {"dvc"}
    inside = next(path for path in sorted(ours) if "/" in path)
    directory = inside.rpartition("/")[0]
    shown = world.json("list", directory, "--rev", "HEAD~1")["entries"]
    assert inside in {item["path"] for item in shown}


def test_elsewhere_it_says_that_there_is_nothing(tmp_path: Path) -> None:
    world = World(tmp_path, name="plain", init=False)
    world.root.mkdir()
    world.fails(3, "migrate")
    world.git("init", "-q")
    world.fails(3, "migrate")
    world.ok("init")
    assert world.json("migrate")["artifacts"] == []
