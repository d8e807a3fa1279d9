"""Functions that are stages: what they give, what they refuse, and where they run."""

from __future__ import annotations

import asyncio
import inspect
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import datatool
from api.staging import Code, kept, one
from api.tracking import run_python, script
from datatool.errors import UsageError
from world import World

# What it is


def test_a_stage_keeps_name_docstring_and_signature(code: Code) -> None:
    f = one(code, "return n", parameters="n: int = 1").f
    assert (f.__name__, f.__doc__, f.__module__) == ("f", "What it does.", "pipe")
    assert str(inspect.signature(f)) == "(n: int = 1)" or str(inspect.signature(f)) == "(n: 'int' = 1)"


def test_the_plain_function_is_at_hand(code: Code, desk: World) -> None:
    f = one(code, "return n + 1", parameters="n").f
    with code.running("f", "f"):
        assert f.uncached(1) == f.uncached(n=1) == 2
    assert not kept(desk)
    assert one(code, "return n is None", parameters="n").f.uncached(object()) is False


def test_the_plain_function_gets_files_and_results_of_others(code: Code, desk: World) -> None:
    desk.write("x.txt", b"abc")
    pipe = one(
        code,
        "return raw.read_text() + rows[0]",
        options='raw=datatool.File("x.txt"), rows=first',
        parameters="raw, rows",
        before="""
    @datatool.stage
    def first():
        return ["d"]
    """,
    )
    assert pipe.f.uncached() == "abcd"


def test_generators_and_coroutines_are_refused(code: Code) -> None:
    with pytest.raises(UsageError, match="stage g: is a generator"):

        @datatool.stage
        def g() -> Iterator[int]:
            yield 1

    with pytest.raises(UsageError, match="stage a: is asynchronous"):

        @datatool.stage
        async def a() -> int:
            return 1

    f = one(code, "return (n for n in [1])").f
    with pytest.raises(UsageError, match="stage f: gives a generator"):
        f()
    f = one(code, "return sleep(0)", before="from asyncio import sleep").f
    with pytest.raises(UsageError, match="stage f: gives a coroutine"):
        f()


def test_a_program_with_a_running_event_loop_calls_stages_like_any_other(code: Code) -> None:
    f = one(code, "return 5").f

    async def main() -> Any:
        return f()

    with code.running("f"):
        assert (asyncio.run(main()), asyncio.run(main())) == (5, 5)


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"format": "excel"}, "format='excel'"),
        ({"ttl": "soon"}, "ttl='soon'"),
        ({"ttl": -1}, "ttl=-1"),
        ({"cache": "no"}, "cache='no'"),
        ({"packages": "numpy"}, "packages='numpy'"),
        ({"version": [1]}, r"version=\[1\]"),
        ({"rwas": 1}, "has no parameter rwas"),
    ],
)
def test_options_that_can_not_be_are_refused_where_they_are_written(options: dict[str, Any], says: str) -> None:
    with pytest.raises(UsageError, match=says):

        @datatool.stage(**options)
        def f(raws: int = 1) -> int:
            return raws


def test_a_mistyped_parameter_is_told_the_nearest() -> None:
    with pytest.raises(UsageError) as raised:
        datatool.stage(rwas=1)(lambda raws: raws)
    assert raised.value.hint == "did you mean raws?"


def test_a_class_and_a_builtin_are_no_stage() -> None:
    for wanted in (len, int):
        with pytest.raises(UsageError, match="is no function written in Python"):
            datatool.stage(wanted)


def test_missing_arguments_are_told_as_python_does(code: Code) -> None:
    f = one(code, "return n", parameters="n, m").f
    with pytest.raises(TypeError, match=r"f\(\) missing arguments: 'n', 'm'"):
        f()
    with pytest.raises(TypeError, match="unexpected keyword argument"):
        f(1, 2, k=3)


# Chains

CHAIN = """
    import counted
    import datatool

    @datatool.stage(text=datatool.File("x.txt"))
    def source(text):
        counted.ran("source")
        return text.read_text().split()

    @datatool.stage(rows=source)
    def left(rows):
        counted.ran("left")
        rows.append("left")
        return rows

    @datatool.stage(rows=source)
    def right(rows):
        counted.ran("right")
        return [*rows, "right"]

    @datatool.stage(parts=[left, right], more={"again": left})
    def both(parts, more):
        counted.ran("both")
        return parts + [more["again"]]
    """


def test_a_diamond_runs_each_stage_once_and_none_sees_what_another_did_to_a_value(code: Code, desk: World) -> None:
    desk.write("x.txt", b"a b")
    code.write("pipe.py", CHAIN)
    pipe = code.load()
    with code.running("source", "left", "right", "both"):
        assert pipe.both() == [["a", "b", "left"], ["a", "b", "right"], ["a", "b", "left"]]
    with code.running():
        assert code.load().both() == [["a", "b", "left"], ["a", "b", "right"], ["a", "b", "left"]]


def test_only_what_is_stale_runs_in_order(code: Code, desk: World) -> None:
    desk.write("x.txt", b"a b")
    code.write("pipe.py", CHAIN)
    code.load().both()
    pipe = code.edited("pipe.py", '[*rows, "right"]', '[*rows, "RIGHT"]')
    with code.running("right", "both"):
        pipe.both()


def test_a_stage_that_needs_itself_is_refused(code: Code) -> None:
    pipe = one(code, "return n", parameters="n=1")
    with pytest.raises(UsageError, match="stage f: needs its own result"):
        pipe.f(pipe.f)


def test_a_very_long_chain_is_no_matter_of_the_stack(code: Code) -> None:
    stages = "".join(f"    s{n} = datatool.stage(x=s{n - 1})(lambda x: x + 1)\n" for n in range(1, 300))
    code.write("pipe.py", "\n    import datatool\n    s0 = datatool.stage(lambda: 0)\n" + stages)
    limit = sys.getrecursionlimit()
    sys.setrecursionlimit(260)
    try:
        pipe = code.load()
        assert pipe.s299() == 299
    finally:
        sys.setrecursionlimit(limit)


def test_what_is_not_cached_runs_only_where_somebody_needs_it(code: Code, desk: World) -> None:
    desk.write("x.txt", b"a b")
    code.write("pipe.py", CHAIN.replace('text=datatool.File("x.txt")', 'text=datatool.File("x.txt"), cache=False'))
    pipe = code.load()
    with code.running("source", "left", "right", "both"):
        pipe.both()
    with code.running():
        pipe.both()
    with code.running("source", "source"):
        assert pipe.source() == pipe.source() == ["a", "b"]
    desk.write("x.txt", b"a c")
    with code.running("source", "left", "right", "both"):
        pipe.both()
    assert "pipe:source" not in {record.name for record in kept(desk)}


def test_a_result_whose_bytes_are_gone_runs_only_what_is_needed(code: Code, desk: World) -> None:
    desk.write("x.txt", b"a b")
    code.write("pipe.py", CHAIN)
    code.load().both()
    gone = {record.name: record.outputs[0].oid for record in kept(desk)}
    for name in ("pipe:source", "pipe:left", "pipe:right"):
        (desk.cache / "objects" / gone[name][:2] / gone[name][2:]).unlink()
    with code.running():
        code.load().both()
    pipe = code.edited("pipe.py", '[*rows, "right"]', '[*rows, "RIGHT"]')
    with code.running("source", "right", "left", "both"):
        assert pipe.both()[1] == ["a", "b", "RIGHT"]


def test_exceptions_are_not_remembered(code: Code) -> None:
    f = one(code, "raise KeyError('gone')").f
    with code.running("f", "f"):
        for _ in range(2):
            with pytest.raises(KeyError, match="gone"):
                f()


# Where it runs


def test_outside_any_project_a_stage_is_a_plain_function_with_one_warning(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, world: World
) -> None:
    alone = tmp_path / "alone"
    alone.mkdir()
    (alone / "x.txt").write_text("abc")
    (alone / "pipe.py").write_text(
        "import datatool\n"
        "@datatool.stage(raw=datatool.File('x.txt'))\n"
        "def f(raw):\n    print('runs')\n    return raw.read_text()\n"
        "@datatool.stage(text=f)\n"
        "def g(text):\n    return text.upper()\n"
        "print(g(), g())\n"
    )
    done = run_python(world, str(alone / "pipe.py"), cwd=alone)
    assert done.code == 0, done.err
    assert done.out == "runs\nruns\nABC ABC\n"
    assert done.err.count("is in no datatool project") == 1


def test_a_script_and_a_module_are_the_same_stage(desk: World) -> None:
    text = "import datatool\n@datatool.stage\ndef f():\n    print('runs')\n    return 1\n"
    text += "if __name__ == '__main__':\n    f()\n"
    assert script(desk, text, name="jobs/pipe.py").out == "runs\n"
    assert run_python(desk, "jobs/pipe.py").out == ""
    done = run_python(desk, "-c", "import sys; sys.path.insert(0, 'jobs'); import pipe; print(pipe.f())")
    assert done.out == "1\n", done.err


def test_what_is_kept_is_on_disk_when_the_program_ends(desk: World) -> None:
    text = "import datatool\n@datatool.stage\ndef f():\n    return 'kept'\nf()\n"
    assert script(desk, text, name="pipe.py").code == 0
    record = kept(desk)[0]
    oid = record.outputs[0].oid
    assert (desk.cache / "objects" / oid[:2] / oid[2:]).read_bytes() == b"kept"


def test_nothing_is_written_when_all_is_known(code: Code, desk: World) -> None:
    from api.tracking import as_it_is

    f = one(code, "return 1").f
    f()
    before = as_it_is(desk.root / ".git/datatool/cache")
    f()
    assert as_it_is(desk.root / ".git/datatool/cache") == before


def test_frozen_is_no_reason_to_compute_again(code: Code, monkeypatch: pytest.MonkeyPatch) -> None:
    f = one(code, "return 1").f
    f()
    monkeypatch.setenv("DATATOOL_FROZEN", "1")
    with code.running():
        assert f() == 1


def test_an_input_of_a_stage_is_one_of_the_script(desk: World) -> None:
    desk.write("x.txt", b"abc")
    desk.ok("add", "x.txt")
    text = """
import datatool
@datatool.stage(raw=datatool.File("x.txt"))
def f(raw):
    return raw.read_text()
f()
"""
    assert script(desk, text, name="pipe.py").code == 0
    from api.test_track_runs import records

    made = next(record for record in records(desk) if record.kind.value == "script")
    assert [file.path for file in made.inputs] == [b"x.txt"]
