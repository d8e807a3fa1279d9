"""`migrate` of a repository that keeps some of its data with DVC and some with Git LFS."""

from __future__ import annotations

from pathlib import Path

from registry.dvc.test_migrate import project as dvc_project
from registry.lfs_world import pointer
from registry.test_migrate_lfs import LINE, keep, taken


def test_a_project_that_has_both(made_by_dvc: Path, tmp_path: Path) -> None:
    world = dvc_project(made_by_dvc, tmp_path, "songs")
    world.write(".gitattributes", LINE.replace("*.bin", "*.big").encode())
    world.write("x.big", pointer(b"big"))
    world.git("add", "-A")
    world.git("commit", "-q", "-m", "and LFS")
    keep(world, b"big")
    said = world.json("migrate", "--dry-run")
    found = world.json("migrate")
    assert found["failed"] == []
    assert {item["path"]: item["from"] for item in found["artifacts"]}.items() >= {
        "x.big": "lfs",
        "one.bin": "dvc",
    }.items()
    assert taken(said) == taken(found)
    assert world.read("x.big") == b"big"
    assert not world.exists(".dvc/config")
