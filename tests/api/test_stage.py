"""Functions that are stages: what they give, what they refuse, and what becomes of their results."""

from __future__ import annotations

import asyncio
import inspect
import os
import pickle
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import datatool
from api.staging import Code, coding, kept
from api.tracking import run_python, script
from datatool.api.trackers import close_trackers
from datatool.errors import PathNotFound, Refused, UsageError
from world import World


@pytest.fixture
def code(desk: World, monkeypatch: pytest.MonkeyPatch) -> Iterator[Code]:
    with coding(desk, monkeypatch) as made:
        yield made


def one(code: Code, body: str, options: str = "", parameters: str = "", before: str = "") -> Any:
    """A stage `f` in a module of its own; its body is indented by eight."""
    decorator = f"@datatool.stage({options})" if options else "@datatool.stage"
    code.write(
        "pipe.py",
        f"""
    import counted
    import datatool
    {before}
    {decorator}
    def f({parameters}):
        "What it does."
        counted.ran("f")
        {body}
    """,
    )
    return code.load()


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


def test_exceptions_are_not_remembered(code: Code) -> None:
    f = one(code, "raise KeyError('gone')").f
    with code.running("f", "f"):
        for _ in range(2):
            with pytest.raises(KeyError, match="gone"):
                f()


# Arguments


def test_files_reach_the_function_as_absolute_paths_and_texts_as_texts(code: Code, desk: World) -> None:
    desk.write("data/x.txt", b"abc")
    f = one(
        code,
        "return [type(a).__name__, type(b).__name__, a.is_absolute(), a.read_text(), pathlib.Path(b).read_text()]",
        options='a=datatool.File("data/x.txt"), b="data/x.txt"',
        parameters="a, b",
        before="import pathlib",
    ).f
    assert f() == [type(Path()).__name__, "str", True, "abc", "abc"]
    desk.write("data/x.txt", b"abcd")
    with code.running("f"):
        assert f()[3:] == ["abcd", "abcd"]


def test_a_text_that_names_a_file_counts_by_its_content_wherever_it_stands(code: Code, desk: World) -> None:
    desk.write("x.txt", b"abc")
    f = one(
        code, "return sum(len(pathlib.Path(p).read_text()) for p in paths)", parameters="paths", before="import pathlib"
    ).f
    assert f(["x.txt"]) == 3
    with code.running():
        assert f(["x.txt"]) == 3
    desk.write("x.txt", b"abcd")
    with code.running("f"):
        assert f(["x.txt"]) == 4


def test_a_directory_counts_by_all_that_is_in_it(code: Code, desk: World) -> None:
    desk.write("parts/a.txt", b"a")
    f = one(code, "return sorted(p.name for p in parts.iterdir())", 'parts=datatool.File("parts")', "parts").f
    assert f() == ["a.txt"]
    desk.write("parts/b.txt", b"b")
    with code.running("f"):
        assert f() == ["a.txt", "b.txt"]
    desk.write("parts/b.txt", b"c")
    with code.running("f"):
        f()
    with code.running():
        f()


def test_what_is_tracked_and_not_here_is_fetched_only_to_run(code: Code, desk: World) -> None:
    desk.write("x.txt", b"abc")
    desk.ok("add", "x.txt")
    f = one(code, "return raw.read_text()", 'raw=datatool.File("x.txt")', "raw").f
    assert f() == "abc"
    (desk.root / "x.txt").unlink()
    with code.running():
        assert f() == "abc"
    assert not (desk.root / "x.txt").exists()
    f = code.edited("pipe.py", "raw.read_text()", "raw.read_text().upper()").f
    with code.running("f"):
        assert f() == "ABC"
    assert desk.read("x.txt") == b"abc"


def test_a_file_that_is_nowhere_is_named(code: Code) -> None:
    f = one(code, "return 1", 'raw=datatool.File("no.txt")', "raw").f
    with code.running(), pytest.raises(PathNotFound, match=r"no\.txt"):
        f()


def test_a_stage_changes_no_pointer(code: Code, desk: World) -> None:
    desk.write("x.txt", b"abc")
    desk.ok("add", "x.txt")
    before = desk.read("x.txt.dt")
    desk.write("x.txt", b"other")
    f = one(code, "return raw.read_text()", 'raw=datatool.File("x.txt")', "raw").f
    assert f() == "other"
    assert desk.read("x.txt.dt") == before and desk.read("x.txt") == b"other"


def test_an_input_that_changes_while_the_stage_runs_is_read_again(code: Code, desk: World) -> None:
    desk.write("x.txt", b"abc")
    body = "text = raw.read_text(); raw.write_text('abcd') if text == 'abc' else None; return text"
    f = one(code, body, 'raw=datatool.File("x.txt")', "raw").f
    with code.running("f", "f"):
        assert f() == "abcd"
    assert len(kept(desk)) == 1


class Setting:
    def __init__(self, name: str) -> None:
        self.name = name

    def __stage_key__(self) -> object:
        return self.name


def test_objects_may_say_what_they_are(code: Code) -> None:
    f = one(code, "return s.name", parameters="s").f
    with code.running("f", "f"):
        assert (f(Setting("a")), f(Setting("a")), f(Setting("b"))) == ("a", "a", "b")


def test_a_method_is_a_stage_where_its_object_says_what_it_is(code: Code) -> None:
    code.write(
        "pipe.py",
        """
        import counted
        import dataclasses
        import datatool

        @dataclasses.dataclass
        class Model:
            depth: int

            @datatool.stage
            def fit(self, n):
                counted.ran("fit")
                return self.depth * n
        """,
    )
    pipe = code.load()
    with code.running("fit", "fit"):
        assert (pipe.Model(2).fit(3), pipe.Model(2).fit(3), pipe.Model(3).fit(3)) == (6, 6, 9)
        assert pipe.Model(2).fit.why(3).cached and not pipe.Model(2).fit.why(4).cached
    with code.running("fit"):
        assert pipe.Model(2).fit.uncached(3) == 6


def test_tables_and_arrays_count_by_content(code: Code) -> None:
    import numpy
    import pandas

    f = one(code, "return int(t['a'].sum()) + int(v.sum()) + int(k)", parameters="t, v, k=1").f
    table, values = pandas.DataFrame({"a": [1, 2]}), numpy.array([1, 2])
    with code.running("f", "f", "f", "f"):
        assert f(table, values) == f(table.copy(), values.copy()) == 7
        assert f(table + 1, values) == 9
        assert f(table, values.astype("float32")) == 7
        assert f(table, values, numpy.float64(2)) == f(table, values, numpy.float64(2)) == 8


def test_functions_as_arguments_count_by_their_code(code: Code) -> None:
    pipe = one(code, "return g(1)", parameters="g", before="double = lambda x: x * 2\n    triple = lambda x: x * 3")
    with code.running("f", "f"):
        assert (pipe.f(pipe.double), pipe.f(pipe.double), pipe.f(pipe.triple)) == (2, 2, 3)


# Results


def test_computed_and_kept_never_differ(code: Code) -> None:
    f = one(code, "import pandas; return pandas.DataFrame({'a': [1, 2]}, index=['x', 'y'])", 'format="parquet"').f
    first, second = f(), f()
    assert first.equals(second) and list(second.columns) == ["a"] and list(second.index) == ["x", "y"]
    assert first is not second


def test_a_value_that_its_format_can_not_hold_is_refused_and_named(code: Code, desk: World) -> None:
    f = one(code, "return (1, 2)", 'format="json"').f
    with pytest.raises(UsageError, match=r"stage f: .*json"):
        f()
    assert not kept(desk)


def test_a_result_holds_as_long_as_its_ttl(code: Code, monkeypatch: pytest.MonkeyPatch) -> None:
    from datatool.operations.stage import results

    f = one(code, "return 1", 'ttl="2h"').f
    with code.running("f"):
        f()
        f()
    now = results.time.time()
    monkeypatch.setattr(results.time, "time", lambda: now + 7300)
    with code.running("f"):
        f()


def test_a_damaged_result_runs_the_stage_again_with_a_warning(
    code: Code, desk: World, caplog: pytest.LogCaptureFixture
) -> None:
    f = one(code, "return 'some text'").f
    f()
    close_trackers()
    oid = kept(desk)[0].outputs[0].oid
    path = desk.cache / "objects" / oid[:2] / oid[2:]
    path.chmod(0o644)
    path.write_bytes(b"other text")
    with code.running("f"):
        assert f() == "some text"
    assert "stage f" in caplog.text


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


def test_a_pickle_is_read_only_by_the_user_who_made_it(code: Code, desk: World) -> None:
    f = one(code, "return (1, {2})").f
    with code.running("f"):
        assert (f(), f()) == ((1, {2}), (1, {2}))
    assert kept(desk)[0].stage.format == "pickle"  # type: ignore[union-attr]
    key = desk.home / ".cache/datatool/stage.key"
    assert key.stat().st_mode & 0o077 == 0
    key.unlink()
    with code.running("f"):
        assert f() == (1, {2})


class Bomb:
    def __reduce__(self) -> object:
        return os.mkdir, ("bomb",)


@pytest.mark.parametrize("declared", ["", 'format="pickle"', 'format="json"'])
def test_a_record_that_somebody_else_made_runs_no_code(code: Code, desk: World, declared: str) -> None:
    """A poisoned result: the right fingerprint, a pickle that does something, no seal of this user."""
    import dataclasses

    from datatool.hashing import digest
    from datatool.stages.run_store import save_run

    f = one(code, "return [1]", declared).f
    f()
    close_trackers()
    from datatool.operations.open_project import open_project

    mine = kept(desk)[0]
    data = pickle.dumps(Bomb())
    with open_project(str(desk.root), flags={}, environ=desk.env) as project:
        project.cache.keep([(digest(data), data)])
        for form in ("pickle", "json"):
            assert mine.stage is not None
            stage = dataclasses.replace(mine.stage, format=form, library="plain", seal=mine.stage.seal)
            output = dataclasses.replace(mine.outputs[0], oid=digest(data), size=len(data))
            save_run(
                project.cache, dataclasses.replace(mine, outputs=(output,), stage=stage, started="2099-01-01T00:00:00Z")
            )
    assert f() == [1]
    assert not (desk.root / "bomb").exists()


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


def test_an_argument_in_another_repository_is_refused(code: Code, desk: World) -> None:
    desk.git("init", "-q", "inner")
    desk.write("inner/x.txt", b"abc")
    f = one(code, "return 1", 'raw=datatool.File("inner/x.txt")', "raw").f
    with pytest.raises(Refused, match="inner"):
        f()
