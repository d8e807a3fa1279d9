"""Results that can't be kept, or are damaged where they are: no start of a program fails for it, nor computes twice."""

from __future__ import annotations

import errno
import os
import pickle
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from api.staging import Code, coding, kept
from api.tracking import script
from datatool.api.trackers import close_trackers
from datatool.cache.writer import CacheWriter
from datatool.errors import FormatError, UsageError
from datatool.operations.stage import results as stage_results
from datatool.operations.stage.definition import stage_named
from world import World

CHAIN = """
    import counted
    import datatool

    @datatool.stage
    def first():
        counted.ran("first")
        return ["a"]

    @datatool.stage(rows=first)
    def second(rows):
        counted.ran("second")
        rows.append("b")
        return rows

    @datatool.stage(rows=first, more=second)
    def third(rows, more):
        counted.ran("third")
        return [*rows, *more, "c"]
    """
WHOLE = ["a", "a", "b", "c"]


@pytest.fixture
def code(desk: World, monkeypatch: pytest.MonkeyPatch) -> Iterator[Code]:
    with coding(desk, monkeypatch) as made:
        made.write("pipe.py", CHAIN)
        yield made


def damage(path: Path) -> None:
    path.chmod(0o644)
    path.write_bytes(b"x" * path.stat().st_size)


def results(world: World) -> list[Path]:
    return [world.cache / "objects" / run.outputs[0].oid[:2] / run.outputs[0].oid[2:] for run in kept(world)]


# Damage


@pytest.mark.parametrize("forgotten", [False, True])
def test_damaged_results_are_made_again_by_one_start_and_are_whole_then(
    code: Code, desk: World, forgotten: bool
) -> None:
    assert code.load().third() == WHOLE
    close_trackers()
    places = results(desk)
    assert len(places) == 3
    for path in places:
        damage(path)
    if forgotten:
        for path in (desk.cache / "runs").rglob("*"):
            if path.is_file():
                path.unlink()
    assert code.load().third() == WHOLE
    close_trackers()
    with code.running():
        assert code.load().third() == WHOLE
    assert len(list((desk.cache / "corrupt").iterdir())) == 3, "what was damaged is set aside"


def test_a_damaged_result_on_the_remote_is_made_again_with_a_warning(desk: World) -> None:
    source = """\
import random
import datatool

@datatool.stage(share=True)
def f():
    print("f runs")
    return random.Random(7).randbytes(5_000_000)

print(len(f()))
"""
    assert script(desk, source).out == "f runs\n5000000\n"
    for stored in desk.remote.rglob("*"):
        if stored.is_file() and stored.stat().st_size > 4 << 20:
            damage(stored)
    for stored in (desk.cache / "objects").rglob("*"):
        if stored.is_file() and stored.stat().st_size > 4 << 20:
            stored.unlink()
    again = script(desk, source)
    assert again.out == "f runs\n5000000\n"
    assert "an earlier result can't be fetched: " in again.err and "damaged" in again.err


# What can't be kept


def test_where_the_cache_takes_nothing_results_are_given_back_with_a_warning(
    code: Code, desk: World, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def refused(*_: object, **__: object) -> Any:
        raise stage_results.local_error(OSError(errno.EROFS, os.strerror(errno.EROFS)), "tmp")

    with monkeypatch.context() as patched:
        patched.setattr(CacheWriter, "receive", refused)
        pipe = code.load()
        with code.running("first", "second", "third"):
            assert pipe.third() == WHOLE, "each once, and none sees what another did to a value"
    said = caplog.text
    assert f"stage first: its result is given back and not kept: {desk.cache}: tmp: Read-only file system" in said
    assert "check who owns it" in said
    assert not kept(desk)
    with code.running("first", "second", "third"):
        assert code.load().third() == WHOLE


def test_a_full_disk_is_told_with_the_size_of_the_result(
    code: Code, desk: World, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    code.write("pipe.py", "import datatool\n\n@datatool.stage\ndef f():\n    return 'x' * 5000\n")
    write = stage_results.write_result
    tried: list[object] = []

    def no_space(value: object, encoding: Any, file: Any) -> None:
        if not tried:
            tried.append(file)
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        write(value, encoding, file)

    monkeypatch.setattr(stage_results, "write_result", no_space)
    assert code.load().f() == "x" * 5000
    assert f"{desk.cache}: the disk is full: needs 5.0 kB, " in caplog.text


def test_a_cache_whose_format_is_damaged_is_named_with_what_to_do(code: Code, desk: World) -> None:
    code.load().first()
    close_trackers()
    (desk.cache / "FORMAT").write_bytes(b"\0\0")
    with pytest.raises(FormatError) as raised:
        code.load().first()
    assert raised.value.message.startswith(f"{desk.cache}/FORMAT: ")
    assert raised.value.hint == "move that file away: datatool writes it anew"
    (desk.cache / "FORMAT").rename(desk.top / "moved")
    with code.running():
        assert code.load().first() == ["a"]


# What its author should know


def test_a_file_that_a_function_tracks_by_itself_is_warned_of_once(
    code: Code, desk: World, caplog: pytest.LogCaptureFixture
) -> None:
    desk.write("x.txt", b"one")
    code.write(
        "pipe.py",
        """
        import datatool

        @datatool.stage
        def f(n, given=datatool.File("given.txt")):
            datatool.track(given)
            datatool.track("made.txt", output=True)
            return datatool.track("x.txt").read_text()
        """,
    )
    desk.write("given.txt", b"given")
    f = code.load().f
    f(1), f(2)
    said = caplog.text
    assert said.count("stage f: tracks x.txt while it runs, so a change of that does not make it run again") == 1
    assert "datatool.File('x.txt')" in said
    assert said.count("stage f: tracks the output made.txt, which") == 1
    assert "given.txt while it runs" not in said


def test_a_package_that_is_not_there_is_refused_when_the_stage_is_called(code: Code) -> None:
    code.write(
        "pipe.py",
        """
        import datatool

        @datatool.stage(packages=["nope_zzz"])
        def f():
            return 1

        @datatool.stage(packages=["json", "pytest", "pipe"])
        def g():
            return 1
        """,
    )
    pipe = code.load()
    assert pipe.g() == 1
    for ask in (pipe.f, pipe.f.why):
        with pytest.raises(UsageError, match=r"^stage f: packages: nope_zzz is not installed"):
            ask()


def test_a_file_that_is_no_python_is_refused_by_why(desk: World) -> None:
    desk.write("data/table.csv", b"a,b\n1,2\n")
    assert "data/table.csv: is no Python file" in desk.fails(2, "why", "data/table.csv").err


def test_a_stage_that_a_process_can_not_find_says_so_when_it_is_called(code: Code) -> None:
    absent = stage_named("__main__", "no_such_stage")
    assert pickle.loads(pickle.dumps(absent)) == absent
    with pytest.raises(UsageError, match="__main__ has no stage no_such_stage") as raised:
        absent(1)  # type: ignore[operator]
    assert "top of a module" in (raised.value.hint or "")
