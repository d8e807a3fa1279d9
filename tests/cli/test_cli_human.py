"""What a person sees: aligned lines on standard output, the rest on standard error."""

from __future__ import annotations

import os
import re
import shutil
from pathlib import Path

import pytest

from datatool.cli.summary import up_to_date
from datatool.errors import LocalError, PartlyDone, Unsaved
from datatool.operations.failures import failure_of
from world import World


@pytest.fixture
def songs(world: World) -> World:
    """Two artifacts, committed: a directory of three files and a file of 1.2 MB."""
    for name in "abc":
        world.write(f"music/songs/{name}.ogg", name.encode() * 1000)
    world.write("models/m.bin", b"m" * 1_200_000)
    world.ok("add", "music/songs", "models/m.bin")
    world.commit()
    return world


def test_status_is_aligned(songs: World) -> None:
    songs.settle()
    songs.write("music/songs/a.ogg", b"changed")
    songs.write("music/songs/new.ogg", b"new")
    assert songs.ok("status").out.splitlines() == [
        "clean     models/m.bin           1.2 MB                    pointer committed, not pushed",
        "modified  music/songs/  3 files  3.0 kB  1 changed, 1 new  pointer committed, not pushed",
    ]


def test_status_names_changed_files_with_v(songs: World) -> None:
    songs.write("music/songs/new.ogg", b"new")
    out = songs.ok("-v", "status").out.splitlines()
    assert out[2] == "    added     music/songs/new.ogg"
    assert len(out) == 3


def test_status_shows_paths_from_where_the_user_stands(songs: World) -> None:
    out = songs.ok("status", cwd=songs.root / "music").out
    assert "  ../models/m.bin" in out
    assert "  songs/" in out


def test_status_says_what_to_do_about_absent_data(songs: World) -> None:
    songs.ok("push")
    copy = songs.clone()
    assert copy.ok("status").out.splitlines() == [
        "absent  models/m.bin           1.2 MB  datatool pull models/m.bin  pointer committed",
        "absent  music/songs/  3 files  3.0 kB  datatool pull music/songs   pointer committed",
    ]
    copy.ok("pull", "models")
    first = copy.ok("status").out.splitlines()[0]
    assert re.fullmatch(r"clean   models/m.bin .* pointer committed, pushed \(as of 20.*Z\)", first)
    assert "pointer committed, on the remote" in copy.ok("status", "--remote").out


def test_status_says_what_the_cache_lacks_and_pull_brings(songs: World) -> None:
    songs.ok("push")
    songs.commit()
    songs.write("models/m.bin", b"n")
    songs.ok("add", "models/m.bin")
    shutil.rmtree(songs.cache / "objects")
    assert "pointer changed, not cached" in songs.ok("status").out.splitlines()[0]
    songs.git("checkout", "-q", "HEAD", "models/m.bin.dt")
    outdated = songs.ok("status").out.splitlines()[0]
    assert "datatool pull models/m.bin" in outdated and "not cached" in outdated


def test_status_of_an_empty_project_hints_at_add(world: World) -> None:
    ran = world.ok("status")
    assert (ran.out, ran.err) == ("", "hint: nothing is tracked yet: datatool add PATH…\n")
    assert world.ok("status", "-q").err == ""


def test_states_are_coloured_where_colours_are_forced(songs: World) -> None:
    out = songs.ok("status", env={"FORCE_COLOR": "1"}).out
    assert out.startswith("\x1b[32mclean\x1b[0m  models/m.bin")
    assert "\x1b" not in songs.ok("status", env={"FORCE_COLOR": "1", "NO_COLOR": "1"}).out
    assert "\x1b" not in songs.ok("status", "--json", env={"FORCE_COLOR": "1"}).out


def test_a_refused_pull_says_what_was_kept_and_what_to_do(songs: World) -> None:
    songs.ok("push")
    copy = songs.clone()
    copy.ok("pull", "music/songs")
    copy.write("music/songs/a.ogg", b"mine")
    ran = copy.fails(4, "pull")
    assert ran.err.startswith("error: music/songs/a.ogg: unsaved changes; nothing in music/songs was touched\nhint: ")
    assert ran.out.splitlines()[-1] == "1 of 2 artifacts up to date, 1 refused"
    again = copy.fails(7, "pull", "-q")
    assert again.out.splitlines() == ["1 of 2 artifacts up to date, 1 refused"]
    assert copy.read("music/songs/a.ogg") == b"mine"


def test_a_pull_sums_up(songs: World) -> None:
    songs.ok("push")
    copy = songs.clone()
    ran = copy.ok("pull")
    assert re.match(r"fetched \d objects, 1.2 MB \(default\)\n", ran.out)
    assert "checked out  music/songs  3 files written\n" in ran.out
    assert ran.out.endswith("\n2 artifacts up to date\n")
    assert copy.ok("pull", "-q").out == ""


def test_a_push_says_what_it_would_send(songs: World) -> None:
    assert songs.ok("push", "--dry-run").out.startswith("would push ")
    assert songs.ok("push").out.startswith("pushed ")
    assert songs.ok("push").out == "2 artifacts up to date\n"


def test_diff_names_files_and_sizes(songs: World) -> None:
    songs.write("music/songs/a.ogg", b"changed")
    songs.write("music/songs/new.ogg", b"new")
    os.rename(songs.root / "music/songs/b.ogg", songs.root / "music/songs/z.ogg")
    songs.ok("add", "music/songs")
    songs.commit()
    assert songs.ok("diff", "HEAD~1", "HEAD", cwd=songs.root / "music").out.splitlines() == [
        "modified  songs/a.ogg                1.0 kB → 7 B",
        "added     songs/new.ogg              3 B",
        "renamed   songs/b.ogg → songs/z.ogg  1.0 kB",
        "3 files: 1 added, 1 modified, 1 renamed",
    ]


def test_a_name_that_ends_with_a_space_is_quoted(world: World) -> None:
    if os.name == "nt":
        pytest.skip("no such names on Windows")
    world.write("name ", b"1")
    world.write("name", b"1")
    world.ok("add", "name ", "name")
    assert [re.split(r"  +", line)[1] for line in world.ok("status").out.splitlines()] == ["name", "'name '"]


def test_paths_after_dashes_are_paths(songs: World) -> None:
    songs.write("music/songs/a.ogg", b"changed")
    assert songs.ok("diff", "HEAD", "--", "models").out == ""
    assert songs.ok("diff", "HEAD", "--", "music").out.endswith("\n1 file: 1 modified\n")


def test_a_list_can_be_plain_long_or_a_tree(songs: World) -> None:
    plain = songs.ok("list").out.splitlines()
    assert "music/" in plain and "models/" in plain
    tree = songs.ok("list", "--tree", "--data-only").out.splitlines()
    assert tree == ["models/", "  m.bin", "music/", "  songs/", "    a.ogg", "    b.ogg", "    c.ogg"]
    long = songs.ok("list", "-R", "--long", "--data-only", "models").out
    assert re.fullmatch(r"1\.2 MB  datatool  -  [0-9a-f]{12}  models/m\.bin\n", long)


def test_what_was_added_is_said_with_its_size(world: World) -> None:
    world.write("data/a.csv", b"12345")
    out = world.ok("add", "data").out
    assert out.startswith("added  data/  1 file, 5 B\nstaged in git: ")
    assert world.ok("add", "data").out.splitlines()[0] == "unchanged  data/  1 file, 5 B"
    assert world.ok("-q", "add", "data").out == ""


@pytest.mark.skipif(os.name == "nt", reason="Windows can't have such names")
def test_strange_names_are_harmless_at_the_terminal_and_exact_in_json(world: World) -> None:
    name = b"a\x1b[2J\xff\n.bin"
    world.write(name, b"1")
    assert r"added  a\x1b[2J\xff\n.bin  1 B" in world.ok("add", os.fsdecode(name)).out
    assert r"a\x1b[2J\xff\n.bin" in world.ok("status").out
    assert os.fsencode(world.json("status")["artifacts"][0]["path"]) == name


def test_removing_warns_that_git_sees_the_data(songs: World) -> None:
    ran = songs.ok("remove", "models/m.bin")
    assert ran.out == "no longer tracked  models/m.bin\n"
    assert "warning: models/m.bin: git sees this data again\n" in ran.err
    assert songs.exists("models/m.bin")


def test_moving_names_both_places(songs: World) -> None:
    assert songs.ok("move", "models/m.bin", "best.bin").out == "moved  models/m.bin → best.bin\n"


def test_settings_are_printed_bare_or_with_their_origin(world: World) -> None:
    world.ok("config", "set", "jobs", "3")
    assert world.ok("config", "get", "jobs").out == "3\n"
    assert "jobs=3" in world.ok("config", "list").out.splitlines()
    assert re.search(r"^project +jobs=3$", world.ok("config", "list", "--show-origin").out, re.MULTILINE)
    ran = world.fails(3, "config", "get", "cache.dir")
    assert ran.err == "error: cache.dir: not set\nhint: datatool config set cache.dir VALUE\n"


def test_the_users_settings_work_outside_any_project(tmp_path: Path, world: World) -> None:
    world.ok("config", "set", "jobs", "5", "--user", cwd=tmp_path)
    assert world.ok("config", "get", "jobs", cwd=tmp_path).out == "5\n"
    assert world.fails(3, "status", cwd=tmp_path).err.startswith("error: ")


def test_the_cache_says_where_and_how_big_it_is(songs: World) -> None:
    path = songs.ok("cache", "dir").out.rstrip("\n")
    assert Path(path).is_dir()
    assert "size       1.2 MB" in songs.ok("cache", "info").out


def test_doctor_lists_checks_and_versions(songs: World) -> None:
    out = songs.ok("doctor").out
    assert re.search(r"^ok +git +git version", out, re.MULTILINE)
    assert re.search(r"^datatool +0\.1\.0$", out, re.MULTILINE)


def test_offline_reaches_the_operation(songs: World) -> None:
    assert songs.json("config", "list", "--offline")["items"]
    told = {item["key"]: item["value"] for item in songs.json("config", "list", "--offline")["items"]}
    assert told["offline"] == "true"
    told = {item["key"]: item["value"] for item in songs.json("config", "list")["items"]}
    assert told["offline"] == "false"


def test_the_summary_counts_each_kind_of_failure() -> None:
    failures = [failure_of(error("x")) for error in (Unsaved, PartlyDone, LocalError)]
    assert up_to_date([None, *failures]) == "1 of 4 artifacts up to date, 1 refused, 1 incomplete, 1 failed"
