"""Files in other filesystems of fsspec: in memory, on a real WebDAV server; and those that are not read from."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from fsspec.implementations.memory import MemoryFileSystem

from datatool.cache.local import Cache
from datatool.errors import PathNotFound
from datatool.hashing import digest
from datatool.index.state import State
from datatool.model.settings import Durability
from datatool.progress import NOBODY
from datatool.remote.plain import PART, Changed
from datatool.remote.plain_copy import Lost, copy_plain
from datatool.remote.stores.other_kinds import KINDS, READABLE, Opened
from datatool.remote.stores.plain_other import OtherFiles
from servers.webdav import PASSWORD, USER, webdav_server
from urls.sources import NAMES
from world import World, tree


class OwnMemory(MemoryFileSystem):  # type: ignore[misc]
    """fsspec's filesystem in memory, for one test alone."""

    cachable = False

    def __init__(self) -> None:
        super().__init__(global_store=False)


@pytest.fixture
def memory() -> OwnMemory:
    return OwnMemory()


def fill(filesystem: Any, files: Mapping[str, bytes]) -> None:
    for name, data in files.items():
        filesystem.pipe_file(f"/raw/{name}", data)


def at(filesystem: Any, top: str) -> OtherFiles:
    return OtherFiles(lambda: Opened(filesystem=filesystem, top=top), label=f"memory://{top}")


def brought(files: OtherFiles, cache: Cache) -> dict[str, bytes]:
    found = files.look()
    rows = list(copy_plain(files, found.files, cache, NOBODY))
    return {os.fsdecode(file.path): cache.load(oid) for file, oid, _ in rows}


@pytest.fixture
def cache(tmp_path: Path) -> Cache:
    return Cache(tmp_path / "cache", State(None), durability=Durability.NONE)


def test_a_directory_and_a_file_are_told_apart_and_read(memory: OwnMemory, cache: Cache) -> None:
    fill(memory, NAMES)
    assert brought(at(memory, "/raw"), cache) == NAMES
    assert brought(at(memory, "/raw/a.csv"), cache) == {"": NAMES["a.csv"]}
    assert at(memory, "/raw/deep").look().name == b"deep"
    with pytest.raises(PathNotFound):
        at(memory, "/raw/nothing").look()


def test_large_files_come_in_parts(memory: OwnMemory, cache: Cache) -> None:
    big = os.urandom(2 * PART + 5)
    fill(memory, {"big": big, "small": b"1"})
    files = at(memory, "/raw")
    rows = {file.path: (oid, size) for file, oid, size in copy_plain(files, files.look().files, cache, NOBODY)}
    assert rows == {b"big": (digest(big), len(big)), b"small": (digest(b"1"), 1)}


def test_what_changed_since_it_was_looked_at_is_lost_alone(memory: OwnMemory, cache: Cache) -> None:
    fill(memory, {"a": b"1", "b": os.urandom(PART + 5), "c": b"3", "d": b"4"})
    files = at(memory, "/raw")
    found = files.look()
    fill(memory, {"a": b"longer", "b": os.urandom(PART + 5)})
    memory.rm_file("/raw/c")
    taken = []
    with pytest.raises(Lost) as lost:
        for file, _, _ in copy_plain(files, found.files, cache, NOBODY):
            taken.append(file.path)
    assert taken == [b"d"]
    assert {file.path for file, _ in lost.value.files} == {b"a", b"b", b"c"}
    assert all(isinstance(error, Changed) for _, error in lost.value.files)
    assert not [path for path in (cache.top / "tmp").iterdir() if path.is_file()]


def test_files_on_a_webdav_server_are_imported(world: World) -> None:
    top = world.top / "served/raw"
    names = {name: data for name, data in NAMES.items() if "?" not in name}  # docs/explanation/limits.md
    for name, data in names.items():
        (top / name).parent.mkdir(parents=True, exist_ok=True)
        (top / name).write_bytes(data)
    options = ["--set", f"user={USER}", "--set", f"password={PASSWORD}"]
    with webdav_server(top.parent) as url:
        world.ok("import-url", f"{url}/raw", "data", *options)
        assert tree(world.root / "data") == names
        assert PASSWORD.encode() not in world.read("data.dt")
        before = world.read("data.dt")
        world.ok("update", *options)
        assert world.read("data.dt") == before
        (top / "a.csv").write_bytes(b"another one")
        world.ok("update", *options)
        assert world.read("data/a.csv") == b"another one"
        world.fails(6, "get-url", f"{url}/raw", "out", "--set", f"user={USER}", "--set", "password=wrong")
        world.fails(3, "get-url", f"{url}/raw/nothing", "out", *options)


@pytest.mark.parametrize("protocol", ["zip", "reference", "memory", "cached", "simplecache", "local", "git"])
def test_what_wraps_others_or_is_this_machine_is_not_read_from(world: World, protocol: str) -> None:
    assert protocol not in {**KINDS, **READABLE}
    ran = world.run("get-url", f"{protocol}://x/y", "out", "--json")
    assert ran.code in (2, 6) and not world.exists("out")


def test_a_missing_package_is_named(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(protocol: str) -> Any:
        raise ImportError(protocol)

    monkeypatch.setattr("datatool.remote.stores.other_kinds.get_filesystem_class", missing)
    ran = world.fails(6, "get-url", "gs://bucket/x", "out", "--json")
    assert "gcsfs" in ran.error["message"]
    assert "pip install gcsfs" in ran.error["hint"]
