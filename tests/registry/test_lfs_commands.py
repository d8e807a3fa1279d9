"""Data of Git LFS at the terminal: listed, got, imported and updated as any other."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from registry.lfs_world import LfsWorld, oid_of
from servers.lfs import LfsServer, lfs_server
from world import World

SMALL = {"data/a.bin": b"one", "data/b.bin": b"two" * 1000}


@pytest.fixture
def songs(tmp_path: Path) -> LfsWorld:
    songs = LfsWorld(top=tmp_path / "lfs")
    songs.make(SMALL)
    songs.write("data/notes.md", b"# notes\n")
    songs.publish()
    return songs


@pytest.fixture
def server(songs: LfsWorld) -> Iterator[LfsServer]:
    with lfs_server(songs.served) as server:
        for data in SMALL.values():
            server.keep(data)
        yield server


def url(server: LfsServer) -> str:
    return f"{server.url}/songs.git"


def test_list_tells_size_id_and_origin_and_asks_for_no_object(project: World, server: LfsServer) -> None:
    entries = {entry["path"]: entry for entry in project.json("list", url(server), "-R")["entries"]}
    assert entries["data/a.bin"]["origin"] == "lfs"
    assert entries["data/a.bin"]["size"] == 3
    assert entries["data/a.bin"]["oid"] == f"sha256:{oid_of(b'one')}"
    assert entries["data/notes.md"]["origin"] == "git"
    assert server.batches == []


def test_get_writes_the_bytes_and_not_the_pointers(project: World, server: LfsServer) -> None:
    project.ok("get", url(server), "data")
    assert project.tree("data") == {"a.bin": b"one", "b.bin": b"two" * 1000, "notes.md": b"# notes\n"}
    assert len(server.batches) == 1


def test_get_of_one_missing_object_keeps_the_others(project: World, server: LfsServer) -> None:
    server.objects.pop(oid_of(b"one"))
    ran = project.fails(4, "get", url(server), "data")
    assert "data/a.bin" in ran.err
    assert project.read("data/b.bin") == b"two" * 1000


def test_get_without_a_login_ends_with_6_and_says_how_to_log_in(project: World, server: LfsServer) -> None:
    server.login = ("me", "right")
    ran = project.fails(6, "get", url(server), "data/a.bin", "--json")
    assert "/songs.git/info/lfs" in ran.error["message"]
    assert "git credential" in ran.error["hint"]


def test_get_ends_with_7_where_the_registry_names_what_it_may_not(
    project: World, songs: LfsWorld, server: LfsServer
) -> None:
    songs.write(".lfsconfig", b"[lfs]\n\turl = https://169.254.169.254/lfs\n")
    songs.publish()
    ran = project.fails(7, "get", url(server), "data/a.bin")
    assert "169.254.169.254" in ran.err
    assert "--remote" in ran.err


def test_import_remembers_that_lfs_kept_it_and_update_follows(
    project: World, songs: LfsWorld, server: LfsServer
) -> None:
    project.ok("import", url(server), "data")
    assert "origin: lfs" in project.read("data.dt").decode()
    assert project.read("data/a.bin") == b"one"
    songs.make({"data/a.bin": b"three"})
    server.keep(b"three")
    server.asked.clear()
    project.ok("update")
    assert project.read("data/a.bin") == b"three"
    assert len(server.downloads) == 1


def test_pull_brings_an_import_back_from_the_server(project: World, server: LfsServer) -> None:
    project.ok("import", url(server), "data")
    project.commit()
    clone = project.clone()
    clone.ok("pull")
    assert clone.read("data/b.bin") == b"two" * 1000
