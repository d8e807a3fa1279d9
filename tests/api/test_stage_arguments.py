"""What stages are called with: files, texts, objects, tables and functions, and how each counts."""

from __future__ import annotations

from pathlib import Path

import pytest

from api.staging import Code, kept, one
from datatool.errors import PathNotFound, Refused
from world import World


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


def test_an_argument_in_another_repository_is_refused(code: Code, desk: World) -> None:
    desk.git("init", "-q", "inner")
    desk.write("inner/x.txt", b"abc")
    f = one(code, "return 1", 'raw=datatool.File("inner/x.txt")', "raw").f
    with pytest.raises(Refused, match="inner"):
        f()
