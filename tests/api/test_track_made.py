"""`track(source=…)`: files that a function makes where nobody has them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import datatool
from api.track_states import equal, missing_everywhere_but_on_the_remote
from api.tracking import NEW, OLD, script
from world import World


def test_a_function_makes_what_nobody_has_and_it_is_never_asked_again(desk: World) -> None:
    asked = []

    def download(path: Path) -> None:
        asked.append(path)
        path.write_bytes(NEW)

    assert datatool.track("raw/x.csv", source=download) == desk.root / "raw/x.csv"
    desk.commit()
    desk.ok("push")
    assert asked == [desk.root / "raw/x.csv"]
    datatool.track("raw/x.csv", source=download)
    (desk.root / "raw/x.csv").unlink()
    desk.cache.rename(desk.top / "the cache that was")
    assert datatool.track("raw/x.csv", source=download).read_bytes() == NEW
    assert len(asked) == 1, "the remote has it"


@pytest.mark.parametrize("made", ["text\n", b"text\n", bytearray(b"text\n"), memoryview(b"text\n")])
def test_a_function_may_return_the_content(made: object, desk: World) -> None:
    assert datatool.track("x.txt", source=lambda: made).read_bytes() == b"text\n"
    assert desk.exists("x.txt.dt")


def test_a_function_that_makes_nothing_is_an_error(desk: World) -> None:
    with pytest.raises(ValueError, match="neither wrote it nor returned"):
        datatool.track("x.txt", source=lambda path: 7)
    assert not desk.exists("x.txt.dt")


@pytest.mark.parametrize("source", ["abc", b"abc", 3, lambda path, more: b"x", lambda *, word: b"x"])
def test_a_source_that_can_not_be_called_is_refused_at_once(source: Any, desk: World) -> None:
    desk.write("here.txt", NEW)
    for path in ("x.txt", "here.txt", str(desk.top / "elsewhere.txt")):
        with pytest.raises(datatool.UsageError, match="source: "):
            datatool.track(path, source=source)


def test_what_a_failing_function_leaves_is_not_taken_for_the_file(desk: World) -> None:
    def breaks(path: Path) -> None:
        path.write_bytes(b"half")
        raise ConnectionError("broken off")

    with pytest.raises(ConnectionError, match="broken off"):
        datatool.track("x.txt", source=breaks)
    assert not desk.exists("x.txt")
    assert datatool.track("x.txt", source=lambda: b"whole").read_bytes() == b"whole"


def git_tracks(world: World) -> None:
    world.write("x/y.txt", b"git's")
    world.commit("of git")
    (world.root / "x/y.txt").unlink()


def pointer_ignored(world: World) -> None:
    world.write(".gitignore", b"*.dt\n")


@pytest.mark.parametrize("prepare", [git_tracks, pointer_ignored])
def test_a_function_is_not_called_for_what_could_not_be_recorded(prepare: Callable[[World], None], desk: World) -> None:
    prepare(desk)
    with pytest.raises(datatool.Refused, match=r"git tracks|ignored by git"):
        datatool.track("x/y.txt", source=lambda: pytest.fail("was called"))
    assert not desk.exists("x/y.txt")


def test_what_was_made_whole_stays_where_recording_it_fails(desk: World, caplog: pytest.LogCaptureFixture) -> None:
    def makes() -> bytes:
        pointer_ignored(desk)
        return b"whole"

    with pytest.raises(datatool.Refused, match="ignored by git"):
        datatool.track("x.txt", source=makes)
    assert desk.read("x.txt") == b"whole"
    assert "x.txt: was made and lies there whole, but is not recorded" in caplog.text
    desk.write(".gitignore", b"")
    assert datatool.track("x.txt", source=lambda: b"another").read_bytes() == b"whole"


DIES = """
import datatool, os
def dies(path):
    path.write_bytes(b"half")
    os.kill(os.getpid(), 9)
datatool.track("x.txt", source=dies)
"""


def test_what_a_killed_function_left_is_not_taken_for_the_file(desk: World) -> None:
    assert script(desk, DIES).code == -9
    assert desk.read("x.txt") == b"half"
    done = script(desk, 'import datatool\ndatatool.track("x.txt", source=lambda: b"whole")\n')
    assert desk.read("x.txt") == b"whole"
    (place,) = (desk.local / "lost+found").rglob("x.txt")
    assert place.read_bytes() == b"half"
    assert f"x.txt: was not finished when it was made, and lies in {place} now" in done.err


def test_nor_is_it_by_who_has_no_function(desk: World) -> None:
    assert script(desk, DIES).code == -9
    done = script(desk, 'import datatool\ndatatool.track("x.txt")\n')
    assert "PathNotFound" in done.err and "x.txt: was not finished when it was made" in done.err
    assert not desk.exists("x.txt") and not desk.exists("x.txt.dt")
    assert script(desk, DIES).code == -9
    assert datatool.track("x.txt", output=True) and not desk.exists("x.txt")


def test_a_function_may_track_the_file_that_it_has_made(desk: World) -> None:
    def makes(path: Path) -> None:
        path.write_bytes(NEW)
        datatool.track(path)

    assert datatool.track("x.csv", source=makes).read_bytes() == NEW


@pytest.mark.parametrize("first", ["pass", "path.write_bytes(b'x')"])
def test_a_function_that_would_wait_for_itself_is_an_error(first: str, desk: World) -> None:
    code = f"""
import datatool
def makes(path):
    {first}
    return datatool.track("x.csv", source=makes).read_bytes()
datatool.track("x.csv", source=makes)
"""
    done = script(desk, code)
    assert "UsageError: x.csv: the function that makes it tracks it with a source, too" in done.err
    assert not desk.exists("x.csv") and not desk.exists("x.csv.dt")


@pytest.mark.parametrize("source", [None, lambda: b"x"])
def test_nothing_lies_below_a_tracked_file(source: Callable[[], bytes] | None, desk: World) -> None:
    equal(desk)
    with pytest.raises(datatool.PathNotFound, match=r"x\.csv/y: no such file or directory"):
        datatool.track("x.csv/y", source=source)


def test_a_function_may_track_other_files(desk: World) -> None:
    desk.write("x.csv", NEW)
    made = datatool.track("y.csv", source=lambda: datatool.track("x.csv").read_bytes() * 2)
    assert made.read_bytes() == NEW * 2


def test_a_remote_that_does_not_answer_is_no_reason_to_make_it_anew(desk: World) -> None:
    missing_everywhere_but_on_the_remote(desk)
    desk.ok("remote", "set", "default", "url=http://127.0.0.1:1/nobody")
    with pytest.raises(datatool.RemoteError):
        datatool.track("x.csv", source=lambda: b"another")


def test_what_is_pinned_and_nobody_has_is_an_error_and_not_made_anew(desk: World) -> None:
    desk.write("x.csv", OLD)
    desk.ok("add", "x.csv")
    pointer = desk.read("x.csv.dt")
    (desk.root / "x.csv").unlink()
    desk.cache.rename(desk.top / "the cache that was")
    with pytest.raises(datatool.DatatoolError) as raised:
        datatool.track("x.csv", source=lambda: b"another")
    assert raised.value.hint
    assert desk.read("x.csv.dt") == pointer and not desk.exists("x.csv")


def test_frozen_nothing_is_made_that_is_not_pinned(desk: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CI", "true")
    with pytest.raises(FileNotFoundError, match="nothing is made here, as CI or DATATOOL_FROZEN is set"):
        datatool.track("x.csv", source=lambda: b"x")
    assert not desk.exists("x.csv")
