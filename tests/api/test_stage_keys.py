"""What makes a stage run again, and what does not."""

from __future__ import annotations

import sys
from collections.abc import Iterator

import pytest

from api.staging import Code, coding, kept
from datatool.api.trackers import close_trackers
from datatool.errors import UsageError
from datatool.stages import stage_facts
from datatool.stages.loose_modules import loose_code
from world import World

PIPE = """
    import counted
    import datatool
    import numpy
    from tools import scale, spare

    RATE = 2
    WORDS = ["a", "b"]
    UNUSED = 1

    def logged(function):
        import functools
        @functools.wraps(function)
        def inner(*args, **kwargs):
            return function(*args, **kwargs)
        return inner

    class Model:
        depth = 2
        def fit(self, rows):
            return [self.depth * row for row in rows]

    @datatool.stage(rows=datatool.File("rows.txt"))
    @logged
    def clean(rows, limit=10):
        '''Keep the first rows.'''
        counted.ran("clean")
        found = [int(row) for row in rows.read_text().split()]
        return Model().fit(scale(found[:limit]))

    @datatool.stage(rows=clean)
    def total(rows, add=0):
        counted.ran("total")
        return sum(rows) * RATE + len(WORDS) + add

    def other():
        return UNUSED
    """
TOOLS = """
    FACTOR = 3

    def scale(rows):
        return [row * FACTOR for row in rows]

    def spare():
        return 1
    """


@pytest.fixture
def code(desk: World, monkeypatch: pytest.MonkeyPatch) -> Iterator[Code]:
    with coding(desk, monkeypatch) as made:
        made.write("pipe.py", PIPE)
        made.write("tools.py", TOOLS)
        desk.write("rows.txt", b"1 2 3\n")
        pipe = made.load()
        with made.running("clean", "total"):
            assert pipe.total() == 74
        yield made


@pytest.mark.parametrize(
    ("file", "old", "new"),
    [
        ("pipe.py", "UNUSED = 1", "UNUSED = 2"),
        ("pipe.py", "return UNUSED", "return UNUSED + 1"),
        ("pipe.py", "Keep the first rows.", "Something else."),
        ("pipe.py", "found = [int(row)", "# a remark\n    found = [ int( row )"),
        ("pipe.py", "def other():", "import os\n\ndef other():"),
        ("pipe.py", "@datatool.stage(rows=clean)", "@datatool.stage(rows=clean, share=False)"),
        ("tools.py", "def spare():\n    return 1", "def spare():\n    return 2"),
        ("tools.py", "FACTOR = 3", "FACTOR = 3  # as ever"),
        ("tools.py", "FACTOR = 3", "FACTOR = 1 + 2"),
    ],
)
def test_what_a_stage_does_not_reach_runs_nothing(code: Code, file: str, old: str, new: str) -> None:
    pipe = code.edited(file, old, new)
    with code.running():
        assert pipe.total() == 74


@pytest.mark.parametrize(
    ("file", "old", "new", "result", "names"),
    [
        ("tools.py", "return [row * FACTOR", "return [row * FACTOR + 1", 98 - 12, ("clean", "total")),
        ("tools.py", "FACTOR = 3", "FACTOR = 4", 98, ("clean", "total")),
        ("pipe.py", "depth = 2", "depth = 4", 146, ("clean", "total")),
        ("pipe.py", "limit=10", "limit=2", 38, ("clean", "total")),
        ("pipe.py", "RATE = 2", "RATE = 3", 110, ("total",)),
        ("pipe.py", '["a", "b"]', '["a"]', 73, ("total",)),
        ("pipe.py", "return function(*args, **kwargs)", "return function(*args, **kwargs)[:1]", 14, ("clean", "total")),
        ("pipe.py", "add=0", "add=1", 75, ("total",)),
        ("pipe.py", "+ add", "- add", 74, ("total",)),
    ],
)
def test_what_it_reaches_runs_it_again(
    code: Code, file: str, old: str, new: str, result: int, names: tuple[str, ...]
) -> None:
    pipe = code.edited(file, old, new)
    with code.running(*names):
        assert pipe.total() == result
    with code.running():
        assert pipe.total() == result


def test_other_contents_of_a_file_run_what_reads_it(code: Code, desk: World) -> None:
    pipe = code.load()
    desk.write("rows.txt", b"1 2\n")
    with code.running("clean", "total"):
        assert pipe.total() == 38
    desk.write("rows.txt", b"1 2 3\n")
    with code.running():
        assert pipe.total() == 74


def test_a_stage_that_gives_the_same_as_before_stops_the_rest(code: Code, desk: World) -> None:
    pipe = code.load()
    desk.write("rows.txt", b"1  2  3\n")
    with code.running("clean"):
        assert pipe.total() == 74


def test_arguments_are_bound_first(code: Code) -> None:
    pipe = code.load()
    with code.running("total"):
        assert pipe.total(add=5) == 79
    with code.running():
        assert pipe.total(pipe.clean, 5) == pipe.total(pipe.clean, add=5) == pipe.total(add=5) == 79
    with code.running("total"):
        assert pipe.total([1], 5) == 9


def test_arguments_of_other_types_are_others(code: Code) -> None:
    pipe = code.load()
    with code.running("total", "total", "total"):
        assert (pipe.total([1], 1), pipe.total([1], True), pipe.total([1], 1.0)) == (5, 5, 5.0)


def test_another_place_runs_nothing(code: Code, desk: World, monkeypatch: pytest.MonkeyPatch) -> None:
    code.forget()
    close_trackers()
    elsewhere = desk.root.rename(desk.root.with_name("elsewhere"))
    monkeypatch.chdir(elsewhere)
    monkeypatch.syspath_prepend(str(elsewhere))
    moved = Code(World(desk.top, name="elsewhere", init=False), monkeypatch)
    pipe = moved.load()
    with moved.running():
        assert pipe.total() == 74
    moved.forget()
    close_trackers()


def test_a_list_that_was_changed_counts_by_its_statement_with_one_warning(
    code: Code, caplog: pytest.LogCaptureFixture
) -> None:
    pipe = code.load()
    pipe.WORDS.append("c")
    with code.running():
        assert pipe.total() == 74
    with code.running("total", "total"):
        assert (pipe.total(add=1), pipe.total(add=2)) == (76, 77)
    assert caplog.text.count("WORDS was changed since") == 1


def test_a_value_that_was_changed_counts(code: Code) -> None:
    pipe = code.load()
    pipe.RATE = 3
    with code.running("total"):
        assert pipe.total() == 110
    pipe.RATE = 2
    with code.running():
        assert pipe.total() == 74


def test_a_declared_version_counts(code: Code) -> None:
    pipe = code.edited("pipe.py", "@datatool.stage(rows=clean)", "@datatool.stage(rows=clean, version=2)")
    with code.running("total"):
        assert pipe.total() == 74


def test_two_formats_of_one_stage_never_answer_for_each_other(code: Code) -> None:
    pipe = code.edited("pipe.py", "@datatool.stage(rows=clean)", '@datatool.stage(rows=clean, format="json")')
    with code.running("total"):
        assert pipe.total() == 74
    pipe = code.edited("pipe.py", 'format="json"', 'format="pickle"')
    with code.running("total"):
        assert pipe.total() == 74


def test_the_version_of_a_package_counts(code: Code, monkeypatch: pytest.MonkeyPatch) -> None:
    code.edited("pipe.py", "return sum(rows)", "return numpy.sum(rows).item()")
    pipe = code.load()
    with code.running("total"):
        pipe.total()
    monkeypatch.setattr(stage_facts, "package_version", lambda top: "another")
    with code.running("clean", "total"):
        pipe.total()


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("return eval('sum(rows)')", "eval"),
        ("return getattr(numpy, str('sum'))(rows).item()", "getattr"),
    ],
)
def test_code_that_cannot_be_followed_is_named_unless_a_version_is_declared(
    code: Code, text: str, what: str, caplog: pytest.LogCaptureFixture
) -> None:
    pipe = code.edited("pipe.py", "return sum(rows) * RATE + len(WORDS) + add", text)
    pipe.total()
    pipe.total(add=2)
    said = caplog.text
    caplog.clear()
    assert said.count(what) == 1 and "pipe.py:" in said and "version=" in said
    pipe = code.edited("pipe.py", "@datatool.stage(rows=clean)", "@datatool.stage(rows=clean, version=1)")
    pipe.total()
    assert what not in caplog.text


def test_an_argument_that_does_not_say_what_it_is_is_refused(code: Code) -> None:
    pipe = code.load()
    with code.running(), pytest.raises(UsageError, match="argument add: a object does not say what it is"):
        pipe.total(add=object())


def test_the_record_says_all_that_determined_the_result(code: Code, desk: World) -> None:
    records = {record.name: record for record in kept(desk)}
    assert set(records) == {"pipe:clean", "pipe:total"}
    clean = records["pipe:clean"]
    assert clean.stage is not None
    facts = {(fact.kind.value, fact.name): fact for fact in clean.stage.facts}
    assert facts["input", "rows"].shown == "rows.txt"
    assert facts["argument", "limit"].shown == "10"
    assert {"pipe:clean", "pipe:logged", "tools:scale", "pipe:Model", "pipe:Model.fit"} <= {name for _, name in facts}
    assert facts["value", "tools:FACTOR"].shown == "3"
    assert len(facts["function", "tools:scale"].lines) == 2
    assert [file.path for file in clean.outputs] == [b"pipe.clean.json"]


def test_what_was_edited_after_it_was_loaded_is_refused_until_it_is_loaded_again(code: Code, desk: World) -> None:
    pipe = code.load()
    tools = desk.root / "tools.py"
    tools.write_text(tools.read_text().replace("row * FACTOR", "row + FACTOR"))
    with code.running(), pytest.raises(UsageError, match=r"tools\.py: was edited after it was loaded"):
        pipe.total()
    with code.running("clean", "total"):
        assert code.load().total() == 62


def test_an_edit_that_changes_no_code_matters_to_nobody(code: Code, desk: World) -> None:
    pipe = code.load()
    for name in ("tools.py", "pipe.py"):
        file = desk.root / name
        file.write_text("# a remark\n\n" + file.read_text().replace("Keep the first rows.", "Keep some."))
    with code.running():
        assert pipe.total() == 74


def test_what_is_known_of_loaded_code_stays_known_while_its_file_is_edited(code: Code, desk: World) -> None:
    pipe = code.load()
    pipe.total()
    tools = desk.root / "tools.py"
    tools.write_text(tools.read_text().replace("row * FACTOR", "row + FACTOR"))
    with code.running():
        assert pipe.total() == 74


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("lambda r: min(r)", "lambda r: max(r)"),
        ("power(1)", "power(2)"),
        ("kind(1)", "kind(2)"),
        ("kind(1)()", "kind(2)()"),
        ("[min, lambda r: 1, lambda r: 2]", "[min, lambda r: 2, lambda r: 1]"),
        ('{"a": kind(1)(), "b": kind(2)()}', '{"a": kind(2)(), "b": kind(1)()}'),
    ],
)
def test_functions_and_classes_as_arguments_are_told_apart(code: Code, one: str, other: str) -> None:
    code.write(
        "pipe.py",
        f"""
        import dataclasses
        import counted
        import datatool

        def power(n):
            return lambda r: n

        def kind(n):
            @dataclasses.dataclass
            class D:
                a: int = 0
                def v(self): return n
            return D

        @datatool.stage
        def use(what):
            counted.ran("use")
            return 1

        given = [{one}, {other}]
        """,
    )
    for _ in range(2):
        pipe = code.load()
        with code.running(*(["use", "use"] if _ == 0 else [])):
            pipe.use(pipe.given[0])
            pipe.use(pipe.given[1])


def test_stages_in_one_line_are_two(code: Code) -> None:
    code.write(
        "pipe.py", "import datatool\na, b = datatool.stage(lambda x=1: x + 1), datatool.stage(lambda x=1: x + 2)"
    )
    pipe = code.load()
    assert (pipe.a(), pipe.b()) == (2, 3)


@pytest.mark.parametrize(("name", "loaded"), [("loose.py", True), ("loose/__init__.py", True), ("loose/a.py", False)])
def test_a_module_beside_the_project_counts_by_its_files(
    code: Code, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch, name: str, loaded: bool
) -> None:
    beside = tmp_path_factory.mktemp("beside")
    monkeypatch.syspath_prepend(str(beside))
    file = beside / name
    file.parent.mkdir(exist_ok=True)
    code.write(
        "pipe.py",
        f"""
        import counted, datatool
        {"import loose" if loaded else ""}
        @datatool.stage
        def f():
            import loose
            counted.ran("f")
            return len(loose.__name__)
        """,
    )
    for text in ("N = 1", "N = 2"):
        file.write_text(text)
        monkeypatch.delitem(sys.modules, "loose", raising=False)
        loose_code.cache_clear()  # as in a new process
        for names in (["f"], []):
            pipe = code.load()
            with code.running(*names):
                pipe.f()
