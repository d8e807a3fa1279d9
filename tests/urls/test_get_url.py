"""get-url: as `cp -r` would, from wherever the files lie."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from urls.sources import NAMES, Source
from world import World, tree

BIG = os.urandom(20 << 20)


def test_a_directory_comes_whole_with_all_its_names(world: World, source: Source, tmp_path: Path) -> None:
    done = world.json("get-url", source.url, tmp_path / "out", *source.options)
    assert tree(tmp_path / "out") == NAMES
    (got,) = done["artifacts"]
    assert (got["ok"], got["kind"], got["files"], got["written"]) == (True, "directory", len(NAMES), len(NAMES))
    assert got["size"] == sum(map(len, NAMES.values()))


def test_no_project_is_needed(source: Source, world: World, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    world.ok("get-url", source.url, *source.options, cwd=tmp_path / "elsewhere")
    assert tree(tmp_path / "elsewhere/raw") == NAMES


@pytest.mark.parametrize("name", sorted(NAMES))
def test_a_single_file_may_have_any_name(world: World, source: Source, name: str, tmp_path: Path) -> None:
    (tmp_path / "there").mkdir()
    done = world.json("get-url", source.at(name), tmp_path / "there", *source.options)
    own = name.rpartition("/")[2]
    assert tree(tmp_path / "there") == {own: NAMES[name]}
    assert done["etag"]
    world.ok("get-url", source.at(name), tmp_path / "renamed", *source.options)
    assert (tmp_path / "renamed").read_bytes() == NAMES[name]


def test_a_directory_inside_and_a_slash_at_the_end_mean_the_same(world: World, source: Source, tmp_path: Path) -> None:
    inside = {name.removeprefix("deep/er/"): data for name, data in NAMES.items() if name.startswith("deep/er/")}
    for url, out in ((source.at("deep/er"), "one"), (source.at("deep/er") + "/", "two")):
        world.ok("get-url", url, tmp_path / out, *source.options)
        assert tree(tmp_path / out) == inside
    world.ok("get-url", source.at("deep/er") + "/", f"{tmp_path}/made/", *source.options)
    assert tree(tmp_path / "made/er") == inside


def test_a_large_file_comes_in_parts_in_order(world: World, source: Source, tmp_path: Path) -> None:
    source.write("big.bin", BIG)
    world.ok("get-url", source.at("big.bin"), tmp_path / "big.bin", *source.options)
    assert (tmp_path / "big.bin").read_bytes() == BIG


def test_a_directory_of_many_files_of_all_sizes(world: World, source: Source, tmp_path: Path) -> None:
    sizes = (0, 1, 100, (8 << 20) - 1, 8 << 20, (8 << 20) + 1, 17 << 20, 5)
    wanted = {f"f{n:02}": BIG[n : n + size] for n, size in enumerate(sizes)}
    for name, data in wanted.items():
        source.write(f"sizes/{name}", data)
    world.ok("get-url", source.at("sizes"), tmp_path / "out", *source.options)
    assert tree(tmp_path / "out") == wanted


def test_what_differs_is_not_overwritten_unless_forced(world: World, source: Source, tmp_path: Path) -> None:
    world.ok("get-url", source.url, tmp_path / "box/raw", *source.options)
    out = tmp_path / "box/raw"
    (out / "own.txt").write_bytes(b"mine alone")
    (done,) = world.json("get-url", source.url, tmp_path / "box", *source.options)["artifacts"]
    assert (done["out"], done["written"]) == (str(out), 0)
    (out / "a.csv").write_bytes(b"mine")
    refused = world.fails(7, "get-url", source.url, tmp_path / "box", *source.options, "--json")
    assert refused.error["code"] == "unsaved"
    assert (out / "a.csv").read_bytes() == b"mine"
    (forced,) = world.json("get-url", source.url, tmp_path / "box", "--force", *source.options)["artifacts"]
    assert [path.read_bytes() for path in Path(forced["saved_to"]).rglob("a.csv")] == [b"mine"]
    assert tree(out) == {**NAMES, "own.txt": b"mine alone"}


def test_what_is_not_there_is_named(world: World, source: Source, tmp_path: Path) -> None:
    ran = world.fails(3, "get-url", source.at("nothing here"), tmp_path / "out", *source.options, "--json")
    assert ran.error["code"] == "path_not_found"
    assert not (tmp_path / "out").exists()


def test_an_unknown_setting_is_a_usage_error(world: World, source: Source) -> None:
    world.fails(2, "get-url", source.url, "--set", "endpoint=x")
    world.fails(2, "get-url", source.url, "--set", "url=elsewhere")
