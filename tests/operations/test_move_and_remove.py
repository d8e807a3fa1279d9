"""move and remove: what goes, what stays, and what a failure or a kill leaves."""

from __future__ import annotations

import shlex
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from datatool.errors import LocalError
from datatool.git import staging
from datatool.interruption import Terminated
from datatool.localfs.atomic import remove_file
from datatool.operations import move as moving
from datatool.operations import remove as removing
from needs import linux, without_root_override
from world import World


def test_move_takes_data_pointer_and_ignore_line_along(world: World) -> None:
    world.write("data/a", b"1")
    world.write("f.bin", b"2")
    world.ok("add", "data", "f.bin")
    world.commit()
    world.ok("move", "data", "renamed")
    assert world.read("renamed/a") == b"1" and world.exists("renamed.dt") and not world.exists("data.dt")
    assert world.read(".gitignore").splitlines() == [b"/f.bin", b"/renamed"]
    assert world.json("status")["clean"]
    (world.root / "folder").mkdir()
    world.ok("move", "f.bin", "folder")
    assert world.read("folder/f.bin") == b"2" and world.read("folder/.gitignore") == b"/f.bin\n"
    world.ok("move", "renamed.dt", "folder/deep")
    assert world.read("folder/deep/a") == b"1" and world.json("status")["clean"]
    assert world.git("status", "--porcelain").count("??") == 0
    world.write("taken", b"x")
    world.fails(7, "move", "folder/f.bin", "taken")
    world.fails(7, "move", "folder/f.bin", "x.dt")
    world.fails(2, "move", "folder/deep/a", "elsewhere")
    world.fails(2, "move", "folder/deep", "folder/deep/inner")
    assert world.read("folder/deep/a") == b"1"


def test_move_of_something_absent_moves_its_pointer(world: World) -> None:
    world.write("a.bin", b"1")
    world.ok("add", "a.bin")
    world.commit()
    world.ok("push")
    copy = world.clone()
    copy.ok("move", "a.bin", "b.bin")
    copy.ok("pull")
    assert copy.read("b.bin") == b"1"


@pytest.fixture
def broken_move(world: World, monkeypatch: pytest.MonkeyPatch) -> World:
    """A directory with an unsaved edit, whose move fails when the data is at its new name and the pointer is not."""
    world.write("data/a", b"1")
    world.ok("add", "data")
    world.commit()
    world.write("data/a", b"unsaved")
    monkeypatch.setattr(moving, "rename", failing(LocalError("no space left on device")))
    return world


def failing(error: BaseException) -> Callable[..., None]:
    def fail(*_: object) -> None:
        raise error

    return fail


@pytest.mark.parametrize(
    ("error", "code"), [(LocalError("no space left on device"), 1), (KeyboardInterrupt(), 130), (Terminated(), 143)]
)
def test_a_move_that_breaks_off_half_way_is_undone(
    broken_move: World, monkeypatch: pytest.MonkeyPatch, error: BaseException, code: int
) -> None:
    before = broken_move.tree()
    monkeypatch.setattr(moving, "rename", failing(error))
    broken_move.fails(code, "move", "data", "renamed")
    assert broken_move.tree() == before and broken_move.git("status", "--porcelain") == ""
    monkeypatch.undo()
    broken_move.ok("move", "data", "renamed")
    assert broken_move.read("renamed/a") == b"unsaved" and not broken_move.exists("data.dt")


def test_a_move_that_can_not_even_be_undone_loses_nothing_and_says_where_it_is(
    broken_move: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    move = moving.move_file

    def only_there(source: Path, target: Path) -> None:
        if target.name == "data":
            raise LocalError("data: input/output error")
        move(source, target)

    monkeypatch.setattr(moving, "move_file", only_there)
    ran = broken_move.fails(1, "move", "data", "renamed")
    assert "no space left" in ran.err and "input/output error" in ran.err and "mv renamed data" in ran.err
    assert broken_move.read("renamed/a") == b"unsaved" and broken_move.exists("data.dt")
    monkeypatch.undo()
    (broken_move.root / "renamed").rename(broken_move.root / "data")
    broken_move.ok("move", "data", "renamed")
    assert broken_move.read("renamed/a") == b"unsaved"


@pytest.mark.parametrize("words", [("data", "sub/e"), ("data.dt", "sub/e"), ("data", "sub")])
@pytest.mark.parametrize("step", ["move_file", "rename", "unignore", "stage_paths"])
def test_a_move_that_was_killed_is_completed_by_the_same_command(
    world: World, monkeypatch: pytest.MonkeyPatch, words: tuple[str, str], step: str
) -> None:
    world.write("data/a", b"1")
    world.write("sub/other", b"2")
    world.ok("add", "data")
    world.commit()
    world.write("data/a", b"unsaved")
    monkeypatch.setattr(moving, step, failing(SystemExit(137)))
    monkeypatch.setattr(moving, "_put_back", failing(SystemExit(137)))
    world.run("move", *words)
    monkeypatch.undo()
    world.ok("move", *words)
    moved = "sub/e" if words[1] == "sub/e" else "sub/data"
    assert world.read(f"{moved}/a") == b"unsaved"
    assert not world.exists("data") and not world.exists("data.dt")
    assert all(line[1] == " " for line in world.git("status", "--porcelain").splitlines())
    ran = world.fails(3, "move", *words)
    assert "data" in ran.err and f"{moved} is tracked: if that is what was moved, nothing is left to do" in ran.err


@pytest.mark.parametrize("step", ["move_file", "rename", "unignore"])
def test_status_says_how_to_complete_a_move_that_was_killed_between_data_and_pointer(
    world: World, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    world.write("data/a", b"1")
    world.ok("add", "data")
    world.commit()
    monkeypatch.setattr(moving, step, failing(SystemExit(137)))
    monkeypatch.setattr(moving, "_put_back", failing(SystemExit(137)))
    (world.root / "sub").mkdir()
    world.run("move", "data", "sub/e")
    monkeypatch.undo()
    ran = world.ok("status", cwd=world.root / "sub")
    is_half = step == "rename"
    assert ("datatool move ../data e completes it" in ran.err) == is_half
    assert ("datatool move ../data e" in ran.out) == is_half
    assert "checkout" not in ran.out
    world.ok("move", "data", "sub/e")
    status = world.json("status")
    assert status["clean"] and status["notes"] == []


def test_status_says_how_to_complete_a_move_of_which_only_the_pointer_has_arrived(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.write("data/a", b"1")
    world.ok("add", "data")
    monkeypatch.setattr(moving, "move_file", failing(SystemExit(137)))
    monkeypatch.setattr(moving, "_put_back", failing(SystemExit(137)))
    world.run("move", "data", "e")
    monkeypatch.undo()
    (world.root / "data.dt").rename(world.root / "e.dt")
    assert "datatool move data e" in world.ok("status").out
    world.ok("move", "data", "e")
    assert world.read("e/a") == b"1" and world.json("status")["notes"] == []


def test_an_interrupt_while_a_move_is_at_work_leaves_it_done_and_the_same_command_says_so(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.write("data/a", b"1")
    world.ok("add", "data")
    world.commit()
    unignore = moving.unignore

    def interrupted(*words: Any) -> list[bytes]:
        signal.raise_signal(signal.SIGINT)
        return unignore(*words)

    monkeypatch.setattr(moving, "unignore", interrupted)
    assert "run the same command again" in world.fails(130, "move", "data", "other").err
    monkeypatch.undo()
    assert world.read("other/a") == b"1" and world.exists("other.dt") and not world.exists("data.dt")
    staged = world.git("diff", "--cached", "--name-status")
    assert "data.dt" in staged and "other.dt" in staged
    world.ok("move", "data", "other")
    assert world.git("diff", "--cached", "--name-status") == staged


@pytest.mark.parametrize("kind", ["file", "directory"])
def test_a_move_that_was_killed_half_way_is_told_how_to_go_on(world: World, kind: str) -> None:
    world.write("data/a" if kind == "directory" else "data", b"1")
    world.ok("add", "data")
    world.commit()
    (world.root / "data").rename(world.root / "renamed")
    world.write(".gitignore", world.read(".gitignore") + b"/renamed\n")
    hint = world.fails(7, "move", "data", "renamed", "--json").error["hint"]
    assert "if a move that was killed left renamed: mv renamed data, then run this again" in hint
    (world.root / "renamed").rename(world.root / "data")
    world.ok("move", "data", "renamed")
    assert world.json("status")["clean"]


def test_remove_keeps_the_data_unless_told_and_warns_that_git_sees_it(world: World) -> None:
    world.write("data/a", b"1")
    world.write("f.bin", b"2")
    world.ok("add", "data", "f.bin")
    world.commit()
    ran = world.ok("remove", "data")
    assert "git" in ran.err
    assert world.read("data/a") == b"1" and not world.exists("data.dt")
    assert world.read(".gitignore") == b"/f.bin\n"
    assert "data/a" in world.git("status", "--porcelain", "--untracked-files=all")
    world.ok("remove", "--data", "f.bin")
    assert not world.exists("f.bin") and not world.exists("f.bin.dt")


def test_remove_with_data_refuses_unsaved_work(world: World) -> None:
    world.write("data/a", b"1")
    world.ok("add", "data")
    world.write("data/b", b"unsaved")
    world.fails(7, "remove", "--data", "data")
    assert world.read("data/b") == b"unsaved" and world.exists("data.dt")
    world.fails(2, "remove", "data/a")


@pytest.mark.parametrize("words", [("remove", "--data", "data"), ("remove", "data"), ("move", "data", "other")])
def test_where_git_cant_write_its_index_the_work_is_done_and_the_git_line_is_told(
    world: World, words: tuple[str, ...]
) -> None:
    linux()
    world.write("data/a", b"1")
    world.ok("add", "data")
    world.commit()
    world.git_dir.chmod(0o555)
    ran = world.process(*words, before=without_root_override())
    world.git_dir.chmod(0o755)
    assert ran.code == 0, ran
    assert "Permission denied" in ran.err and "git add -- " in ran.err and "data.dt" in ran.err
    assert not world.exists("data.dt")
    world.git(*shlex.split(ran.err[ran.err.index("git add -- ") :].splitlines()[0])[1:])
    assert "data.dt" in world.git("diff", "--cached", "--name-only", "--no-renames")


@pytest.mark.parametrize("words", [("remove", "data"), ("move", "data", "other")])
def test_remove_and_move_warn_of_a_locked_git_index(
    world: World, words: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(staging.stage, "__kwdefaults__", {"patience": 0.0})
    world.write("data/a", b"1")
    world.ok("add", "data")
    (world.git_dir / "index.lock").write_bytes(b"")
    ran = world.ok(*words)
    assert "another git process holds" in ran.err and "git add -- " in ran.err


@pytest.mark.parametrize("locked", ["folder", "folder/data"])
@pytest.mark.parametrize(
    "words", [("remove", "--data", "folder/data"), ("move", "folder/data", "data")], ids=["remove", "move"]
)
def test_where_a_directory_cant_be_written_nothing_is_removed_or_moved(
    world: World, words: tuple[str, ...], locked: str
) -> None:
    linux()
    world.write("folder/data/a", b"1")
    world.ok("add", "folder/data")
    world.commit()
    before = world.tree()
    (world.root / locked).chmod(0o555)
    ran = world.process(*words, before=without_root_override())
    (world.root / locked).chmod(0o755)
    assert ran.code == 1 and f"{locked}: Permission denied" in ran.err, ran
    assert world.tree() == before and world.git("status", "--porcelain") == ""
    world.ok(*words)
    assert not world.exists("folder/data.dt")


def test_remove_with_data_that_fails_half_way_is_completed_by_the_same_command(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.write("data/a", b"1")
    world.ok("add", "data")

    def fails(path: Path) -> None:
        raise LocalError(f"{path}: Input/output error")

    with monkeypatch.context() as patch:
        patch.setattr("datatool.operations.remove.remove_tree", fails)
        world.fails(1, "remove", "--data", "data")
    assert world.exists("data.dt")
    world.ok("remove", "--data", "data")
    assert not world.exists("data") and not world.exists("data.dt")


@pytest.mark.parametrize("targets", [("a", "b", "b.dt"), ("sub", "a", "b")])
@pytest.mark.parametrize("kills", [1, 2])
def test_a_remove_that_was_killed_among_its_pointers_is_completed_by_the_same_command(
    world: World, monkeypatch: pytest.MonkeyPatch, targets: tuple[str, ...], kills: int
) -> None:
    for name in ("a", "b", "sub/c", "sub/d"):
        world.write(name, b"1")
    world.ok("add", "a", "b", "sub/c", "sub/d")
    world.commit()
    pointers = []

    def killed(path: Path) -> None:
        pointers.append(path)
        if len(pointers) > kills:
            raise SystemExit(137)
        remove_file(path)

    monkeypatch.setattr(removing, "remove_file", killed)
    world.run("remove", *targets)
    monkeypatch.undo()
    assert "c: no such artifact" in world.fails(3, "remove", "c").err
    world.ok("remove", *targets)
    assert not world.exists("a.dt") and not world.exists("b.dt") and world.exists("sub/c.dt") == ("sub" not in targets)
    assert all(line[1] == " " or line.startswith("??") for line in world.git("status", "--porcelain").splitlines())
    ran = world.fails(3, "remove", "a", "b")
    assert "a: not tracked" in ran.err and "nothing is left to remove" in ran.err and "datatool add" not in ran.err
