"""What `add` refuses, and how it says so: nothing is recorded then."""

from __future__ import annotations

import errno
import os
import socket
import sys
from pathlib import Path

import pytest

from datatool.cache import writer
from needs import without_root_override
from world import World


def test_several_targets_are_all_added_or_none(world: World) -> None:
    world.write("one.bin", b"1")
    world.write("two/x", b"2")
    world.git("add", "two/x")
    ran = world.fails(7, "add", "one.bin", "two")
    assert "git rm -r --cached two" in ran.err
    assert not world.exists("one.bin.dt") and not world.exists("two.dt") and not world.exists(".gitignore")
    world.git("rm", "-q", "--cached", "two/x")
    assert len(world.json("add", "one.bin", "two")["artifacts"]) == 2


def test_a_path_that_git_tracks_is_refused_with_the_line_that_helps_and_force_runs_it(world: World) -> None:
    world.write("data/a.txt", b"1")
    world.commit()
    ran = world.fails(7, "add", "data")
    assert "data/a.txt" in ran.err and "git rm -r --cached data" in ran.err
    world.ok("add", "data", "--force")
    assert world.git("ls-files", "data") == ""
    assert world.read("data/a.txt") == b"1"


def test_a_path_around_another_artifact_is_refused_and_names_it(world: World) -> None:
    world.write("data/inner/a.txt", b"1")
    world.ok("add", "data/inner")
    ran = world.fails(7, "add", "data")
    assert "data/inner" in ran.err


def test_a_pointer_that_git_would_ignore_is_refused_with_the_rule_and_the_lines_that_mend_it(world: World) -> None:
    world.write(".gitignore", b"# mine\n*.dt\n")
    world.write("a.bin", b"1")
    ran = world.fails(7, "add", "a.bin")
    assert "*.dt" in ran.err and ".gitignore" in ran.err and "!" in ran.err and "line 2" in ran.err
    assert not world.exists("a.bin.dt")


@pytest.mark.parametrize("rule", ["/ign/", "ign", "*.dt", "a.dt"])
def test_the_two_lines_that_are_told_really_mend_it(world: World, rule: str) -> None:
    world.write("ign/a", b"1")
    world.write(".gitignore", rule.encode() + b"\n")
    hint = world.fails(7, "add", "ign/a", "--json").error["hint"]
    lines = hint.split("\n")[1:]
    assert len(lines) == 2
    world.write(".gitignore", b"\n".join([rule.encode(), *(line.encode() for line in lines)]) + b"\n")
    world.ok("add", "ign/a")


def test_in_a_subdirectory_messages_name_what_the_user_can_type_there(world: World) -> None:
    world.write("s/b.bin", b"1")
    world.write("s/tracked.csv", b"1")
    world.git("add", "-f", "s/tracked.csv")
    world.ok("add", "s/b.bin")
    world.write("s/b.bin", b"22")
    ran = world.fails(7, "checkout", cwd=world.root / "s")
    assert "error: b.bin: unsaved" in ran.err and "datatool add b.bin" in ran.err
    assert "git rm -r --cached tracked.csv" in world.fails(7, "add", "tracked.csv", cwd=world.root / "s").err
    assert world.fails(7, "checkout", "--json", cwd=world.root / "s").error["path"] == "s/b.bin"


def test_a_missing_path_is_not_found_and_the_nearest_name_is_told(world: World) -> None:
    world.write("measurements.csv", b"1")
    ran = world.fails(3, "add", "measurments.csv")
    assert "measurements.csv" in ran.err


def test_the_whole_project_is_no_artifact(world: World) -> None:
    world.write("sub/a", b"1")
    world.fails(2, "add", ".")
    world.fails(2, "add", ".", cwd=world.root / "sub")
    world.fails(2, "add", "..", cwd=world.root / "sub")
    assert "around the whole project" in world.fails(2, "add", "..").err
    assert "around the whole project" in world.fails(2, "add", "../..", cwd=world.root / "sub").err
    world.fails(3, "add", "../elsewhere")
    world.fails(2, "add")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no FIFOs on this system")
def test_a_fifo_is_refused_as_a_target_and_skipped_inside_a_directory(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.write("data/a", b"1")
    os.mkfifo(world.root / "data/pipe")
    os.mkfifo(world.root / "pipe")
    with socket.socket(socket.AF_UNIX) as server:
        monkeypatch.chdir(world.root / "data")  # the names of sockets are short
        server.bind("socket")
        assert "FIFO" in world.fails(2, "add", "pipe").err
        ran = world.ok("add", "data")
    assert "data/pipe" in ran.err and "data/socket" in ran.err
    assert world.json("add", "data")["artifacts"][0]["files"] == 1


@pytest.mark.skipif(sys.platform == "win32", reason="no permission bits on Windows")
def test_an_unreadable_subdirectory_or_file_fails_and_records_nothing(world: World) -> None:
    world.write("data/a", b"1")
    world.write("data/locked/b", b"2")
    (world.root / "data/locked").chmod(0)
    try:
        ran = world.process("add", "data", before=without_root_override())
        assert ran.code == 1 and "data/locked" in ran.err and not world.exists("data.dt")
    finally:
        (world.root / "data/locked").chmod(0o755)
    (world.root / "data/locked/b").chmod(0)
    ran = world.process("add", "data", before=without_root_override())
    assert ran.code == 1 and "data/locked/b" in ran.err and not world.exists("data.dt")


def test_a_file_that_keeps_changing_while_it_is_hashed_fails_and_records_nothing(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    from datatool.workspace import present, save

    path = world.write("busy.bin", b"x" * 100)
    for module in (save, present):
        real = module.digest if hasattr(module, "digest") else None
        if real is None:
            continue

        def changing(data: bytes, real=real) -> str:  # type: ignore[no-untyped-def]
            with path.open("ab") as file:
                file.write(b"more")
            return real(data)

        monkeypatch.setattr(module, "digest", changing)
    ran = world.fails(1, "add", "busy.bin")
    assert "busy.bin" in ran.err and "chang" in ran.err
    assert not world.exists("busy.bin.dt")


@pytest.mark.parametrize("target", ["/etc/passwd", "..", "../..", "sub/../../x", "a/../../b"])
def test_a_link_that_leaves_in_any_way_is_refused(world: World, target: str) -> None:
    world.write("data/a", b"1")
    (world.root / "data/link").symlink_to(target)
    world.fails(7, "add", "data")


@pytest.mark.parametrize("name", ["x.dt", "x.DT", "x.Dt"])
def test_a_name_that_ends_like_a_pointer_is_refused(world: World, name: str) -> None:
    world.write(name, b"data")
    world.fails(7, "add", name)


def test_a_path_that_is_or_goes_through_a_symlink_is_refused(world: World) -> None:
    world.write("real/a", b"1")
    (world.root / "link").symlink_to("real")
    world.fails(7, "add", "link")
    world.fails(7, "add", "link/a")


def test_a_directory_with_a_git_repository_inside_is_refused(world: World) -> None:
    world.write("data/a", b"1")
    world.git("init", "-q", "data/nested")
    assert "data/nested: contains a git repository" in world.fails(7, "add", "data").err


def test_add_refuses_an_outdated_artifact_and_force_goes_back(world: World) -> None:
    world.write("data/a", b"1")
    world.ok("add", "data")
    first = world.commit("one")
    world.write("data/a", b"22")
    world.ok("add", "data")
    world.commit("two")
    world.git("checkout", "-q", first)
    assert world.json("status")["artifacts"][0]["state"] == "outdated"
    refused = world.fails(7, "add", "data").err
    assert "datatool checkout" in refused and "another version than its pointer names" in refused
    world.ok("add", "data", "--force")
    assert world.json("status")["clean"]


def test_add_of_a_directory_with_missing_files_and_no_memory_refuses_without_force(world: World) -> None:
    world.write("data/a", b"1")
    world.write("data/b", b"2")
    world.ok("add", "data")
    for name in ("state.db", "state.db-wal", "state.db-shm"):
        (world.local / name).unlink(missing_ok=True)
    (world.root / "data/b").unlink()
    assert "data" in world.fails(7, "add", "data").err
    assert world.json("add", "data", "--force")["artifacts"][0]["files"] == 1


def test_a_role_or_remote_that_does_not_exist_is_a_usage_error(world: World) -> None:
    world.write("a", b"1")
    world.fails(2, "add", "a", "--role", "nonsense")
    assert "default" in world.fails(3, "add", "a", "--remote", "defualt").err
    world.ok("add", "a", "--remote", "default")
    assert b"remote: default" in world.read("a.dt")


def test_a_full_disk_says_how_much_is_needed_and_loses_nothing(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.write("data/a", b"x" * 100_000)

    def full(*_: object, **__: object) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(writer, "write_all", full)
    ran = world.fails(1, "add", "data")
    assert "full" in ran.err or "space" in ran.err
    assert "needs" in ran.err
    assert not world.exists("data.dt") and world.read("data/a") == b"x" * 100_000
    assert not list(Path(world.cache).rglob("*tmp-*"))


@pytest.mark.parametrize("kind", ["directory", "link"])
def test_a_gitignore_that_is_no_file_is_named_and_left_alone(world: World, kind: str) -> None:
    world.write("data/x.bin", b"x")
    world.write("rules", b"*.log\n")
    place = world.root / "data/.gitignore"
    place.mkdir() if kind == "directory" else place.symlink_to("../rules")
    assert "data/.gitignore: is" in world.fails(1, "add", "data/x.bin").err
    assert place.is_dir() if kind == "directory" else place.is_symlink()
    assert not world.exists("data/x.bin.dt")
    assert world.read("rules") == b"*.log\n"
    world.ok("status")


def test_a_line_that_takes_back_the_one_of_an_artifact_is_told_by_add_and_status(world: World) -> None:
    world.write("b.bin", b"b")
    world.write("other.bin", b"o")
    world.ok("add", "b.bin", "other.bin")
    world.write(".gitignore", world.read(".gitignore") + b"!b.bin\n")
    told = "b.bin: git does not ignore it: a line with `!` in the .gitignore beside it takes back its own line `/b.bin`"
    (note,) = world.json("status")["notes"]
    assert note.startswith(told)
    assert told in world.ok("add", "b.bin").err
    world.write(".gitignore", world.read(".gitignore").replace(b"!b.bin", b"!*.dt"))
    assert world.json("status")["notes"] == []
