"""DVC projects through the command line: list, get and import."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from registry.dvc.dvc_world import ALL, EXPECTED
from world import World


@pytest.mark.parametrize(("name", "rev"), ALL)
def test_list_shows_what_dvc_lists(made_by_dvc: Path, world: World, name: str, rev: str) -> None:
    found = world.json("list", made_by_dvc / name, "-R", "--data-only", "--rev", rev)["entries"]
    known = {path for path, sha256 in EXPECTED[name][rev]["files"].items() if sha256 is not None}
    listed = {entry["path"] for entry in found if entry["kind"] == "file"}
    assert {path for path in listed if not path.startswith("teams/")} == known
    assert {entry["origin"] for entry in found} == {"dvc"}


@pytest.mark.parametrize(("name", "rev"), ALL)
def test_get_brings_what_dvc_gets(made_by_dvc: Path, world: World, tmp_path: Path, name: str, rev: str) -> None:
    files = EXPECTED[name][rev]["files"]
    for top in sorted({path.split("/")[0] for path, sha256 in files.items() if sha256 is not None}):
        world.ok("get", made_by_dvc / name, top, "-o", tmp_path / "out" / top, "--rev", rev)
    for path, sha256 in files.items():
        if sha256 is not None:
            assert hashlib.sha256((tmp_path / "out" / path).read_bytes()).hexdigest() == sha256, path


def test_an_import_remembers_where_it_came_from_and_moves_on(made_by_dvc: Path, world: World) -> None:
    world.ok("import", made_by_dvc / "songs", "music/songs", "--rev", "v1")
    assert (world.root / "songs/b.txt").read_bytes() == b"b\r\n"
    assert "origin: dvc" in (world.root / "songs.dt").read_text()
    assert (world.root / "songs/sub/deep/c.txt").read_bytes() == b"c\n"
    world.ok("update", "songs", "--rev", "v2")
    assert (world.root / "songs/a.txt").read_bytes() == b"a, again\n"
    assert not (world.root / "songs/b.txt").exists()


def test_a_directory_with_files_of_git_and_of_dvc_comes_as_one(made_by_dvc: Path, world: World) -> None:
    world.ok("get", made_by_dvc / "songs", "music", "--rev", "v2")
    assert sorted(path for path in world.tree("music") if "/" not in path) == ["notes.txt"]
    assert (world.root / "music/songs/a.txt").read_bytes() == b"a, again\n"


def test_the_executable_bit_comes_along(made_by_dvc: Path, world: World) -> None:
    world.ok("get", made_by_dvc / "songs", "bin/run.sh")
    assert (world.root / "run.sh").stat().st_mode & 0o100


def test_what_the_remote_lacks_is_told_with_its_path_and_hash(made_by_dvc: Path, world: World, tmp_path: Path) -> None:
    ran = world.fails(4, "get", made_by_dvc / "songs", "one.bin", "--remote", tmp_path / "nothing")
    assert "one.bin" in ran.err
    assert "md5" in ran.err
