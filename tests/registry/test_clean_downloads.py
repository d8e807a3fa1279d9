"""`cache clean --downloads`: what was downloaded of registries goes, and comes back when it is asked for."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from servers.git_daemon import GitDaemon
from world import World, tree

KEPT = ("CACHEDIR.TAG", "lost+found", "state", "uploads", "locks")


def home(world: World) -> Path:
    return Path(world.env["XDG_CACHE_HOME"]) / "datatool"


def read_all(world: World, url: str, remote: Path) -> None:
    world.ok("get", url, "music", "model.bin", "-o", "got", "--force", "--remote", remote)
    code = f"import datatool; datatool.path('model.bin', repo={url!r}, remote={str(remote)!r})"
    subprocess.run([sys.executable, "-P", "-c", code], cwd=world.root, env=world.env, check=True)


@pytest.fixture
def taken(registry: World, project: World, daemon: GitDaemon) -> World:
    """A project whose user has read a registry, with a cache directory of its own."""
    project.env["XDG_CACHE_HOME"] = str(project.top / "home cache")
    project.write("own.bin", b"own")
    project.ok("add", "own.bin")
    (project.root / "got").mkdir()
    read_all(project, daemon.url("registry"), registry.remote)
    return project


def test_downloads_go_and_come_back(registry: World, taken: World, daemon: GitDaemon) -> None:
    (home(taken) / "lost+found/x").mkdir(parents=True)
    (home(taken) / "lost+found/x/mine").write_bytes(b"mine")
    before = tree(home(taken))
    own = tree(taken.cache)
    said = taken.json("cache", "clean", "--downloads", "--dry-run")
    assert said["dry_run"] and said["downloads"] and tree(home(taken)) == before
    done = taken.json("cache", "clean", "--downloads")
    assert (done["removed"], done["bytes"]) == (said["removed"], said["bytes"]) and done["bytes"] > 0
    left = {path.split("/")[0] for path, data in tree(home(taken)).items() if data is not None}
    assert left - {"git"} <= set(KEPT) and (home(taken) / "lost+found/x/mine").read_bytes() == b"mine"
    assert not [path for path in tree(home(taken) / "git") if not path.endswith((".lock", "CACHEDIR.TAG"))]
    assert tree(taken.cache) == own, "the project's cache is no download"
    assert taken.json("cache", "clean", "--downloads")["removed"] == 0
    read_all(taken, daemon.url("registry"), registry.remote)


def test_without_the_option_downloads_stay(taken: World) -> None:
    before = tree(home(taken))
    assert taken.json("cache", "clean")["downloads"] is False
    assert tree(home(taken)) == before


def test_outside_of_a_project_only_downloads_can_be_removed(taken: World, tmp_path: Path) -> None:
    (tmp_path / "nowhere").mkdir()
    taken.fails(3, "cache", "clean", cwd=tmp_path / "nowhere")
    assert taken.json("cache", "clean", "--downloads", cwd=tmp_path / "nowhere")["removed"] > 0


def test_a_project_s_cache_among_the_downloads_is_not_deleted(taken: World) -> None:
    taken.ok("config", "set", "cache.dir", str(home(taken) / "objects"))
    taken.ok("add", "own.bin")
    before = tree(home(taken) / "objects")
    assert "cache.dir" in taken.fails(7, "cache", "clean", "--downloads").err
    assert tree(home(taken) / "objects") == before


def test_what_a_killed_run_left_is_swept(taken: World) -> None:
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    code = f"import os\nos.getpid = lambda: {gone.pid}\n"
    code += "from datatool.localfs import temps as t; print(t.temp_name().decode())"
    name = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env=taken.env
    ).stdout
    os.rename(home(taken) / "views", home(taken) / name.strip())
    taken.ok("cache", "clean", "--downloads")
    assert not (home(taken) / name.strip()).exists()


@pytest.mark.skipif(sys.platform == "win32", reason="links need a privilege there")
def test_a_link_to_another_disk_stays_and_is_emptied(taken: World) -> None:
    elsewhere = taken.top / "large disk"
    os.rename(home(taken) / "objects", elsewhere)
    (home(taken) / "objects").symlink_to(elsewhere)
    taken.ok("cache", "clean", "--downloads")
    assert (home(taken) / "objects").is_symlink() and os.listdir(elsewhere) == []
