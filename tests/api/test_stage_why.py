"""`stage.why()`: what changed since the kept result that is closest, told without running a stage."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import datatool
from api.pipelines import Pipeline
from datatool.errors import ProjectNotFound
from datatool.operations.stage.changes import Change
from datatool.operations.stage.reason import Answer, Why
from datatool.stages import stage_facts
from world import World


@pytest.fixture
def pipeline(desk: World, capsys: pytest.CaptureFixture[str]) -> Iterator[Pipeline]:
    """Two stages that ran once."""
    made = Pipeline(desk)
    made.load().total()
    assert capsys.readouterr().out.split() == ["clean", "ran", "total", "ran"]
    yield made
    made.forget()


def only(why: Why) -> Change:
    """The one change that there is."""
    assert why.stage.answer is Answer.CHANGED, why
    (change,) = why.changes
    return change


def of_kind(why: Why, kind: str) -> Change:
    (found,) = [change for change in why.changes if change.kind == kind]
    return found


def test_a_result_that_is_kept_is_the_answer_and_nothing_ran_to_tell_it(
    pipeline: Pipeline, capsys: pytest.CaptureFixture[str]
) -> None:
    pipe = pipeline.load()
    why = pipe.total.why()
    assert why.cached
    assert [stage.answer for stage in why.stages] == [Answer.KEPT, Answer.KEPT]
    assert str(why).startswith("total: nothing runs: its result of 2")
    assert capsys.readouterr().out == ""


def test_a_stage_that_never_ran_has_no_result(desk: World) -> None:
    pipeline = Pipeline(desk)
    why = pipeline.load().total.why()
    assert [stage.answer for stage in why.stages] == [Answer.NEW, Answer.NEW]
    assert str(why).splitlines() == [
        "total: would run: no result of it is kept",
        "clean: would run: no result of it is kept",
    ]
    pipeline.forget()


def test_a_changed_line_is_shown_with_its_number(pipeline: Pipeline, capsys: pytest.CaptureFixture[str]) -> None:
    pipe = pipeline.edit("rows = helpers.shifted(rows)", "rows = sorted(helpers.shifted(rows))")
    change = only(pipe.clean.why())
    assert (change.kind, change.name) == ("function", "pipe:clean")
    assert [(line.place, line.text) for line in change.lines] == [
        ("pipe.py:19", "rows = sorted(helpers.shifted(rows))")
    ]
    assert "  its code changed\n    pipe.py:19  rows = sorted(helpers.shifted(rows))" in str(pipe.clean.why())
    assert capsys.readouterr().out == ""


def test_removed_lines_are_counted(pipeline: Pipeline) -> None:
    pipe = pipeline.edit('    print("clean ran")\n', "")
    why = pipe.clean.why()
    assert only(why).removed == 1
    assert not only(why).lines
    assert "    1 line removed" in str(why)


def test_comments_and_formatting_are_no_change(pipeline: Pipeline) -> None:
    assert pipeline.edit("RATE = 2", "# how much\nRATE  =  2").total.why().cached


def test_a_changed_constant_has_its_old_and_its_new_value(pipeline: Pipeline) -> None:
    why = pipeline.edit("RATE = 2", "RATE = 5").clean.why()
    change = only(why)
    assert (change.kind, change.old, change.new, change.place) == ("value", "2", "5", "pipe.py:5")
    assert "  constant RATE: 2 → 5 (pipe.py:5)" in str(why)


def test_a_list_counts_by_its_statement_which_is_shown(pipeline: Pipeline) -> None:
    why = pipeline.edit('NAMES = ["a", "b"]', 'NAMES = ["a", "c"]').clean.why()
    assert only(why).kind == "constant"
    assert '  constant NAMES changed\n    pipe.py:6  NAMES = ["a", "c"]' in str(why)


def test_a_helper_in_another_module_is_named_with_its_line(pipeline: Pipeline) -> None:
    why = pipeline.edit("row + 1", "row + 2", "helpers.py").clean.why()
    assert only(why).name == "helpers:shifted"
    assert "  function shifted of helpers changed\n    helpers.py:2  moved = [row + 2 for row in rows]" in str(why)


def test_a_helper_that_is_reached_now_or_no_longer_is_named(pipeline: Pipeline) -> None:
    pipe = pipeline.edit("rows = helpers.shifted(rows)", "rows = [*rows]")
    assert {(change.name, change.how) for change in pipe.clean.why().changes} == {
        ("pipe:clean", "changed"),
        ("helpers:shifted", "gone"),
    }
    pipe.clean()
    back = pipeline.edit("rows = [*rows]", "rows = [helpers.other(row) for row in rows]")
    text = (pipeline.world.root / "helpers.py").read_text()
    pipeline.world.write("helpers.py", f"{text}\ndef other(row):\n    return row\n".encode())
    back = pipeline.load()
    assert "function other of helpers counts now (helpers.py:5)" in str(back.clean.why())


def test_a_closure_variable_has_its_old_and_its_new_value(desk: World) -> None:
    def made(power: int) -> Any:
        @datatool.stage
        def scaled(x: int = 2) -> int:
            return x**power

        return scaled

    desk.write("closures.py", b"")
    # The function has to stand in the project.
    source = (
        "import datatool\ndef made(power):\n    @datatool.stage\n    def scaled(x=2):\n        return x ** power\n"
        "    return scaled\n"
    )
    path = desk.write("closures.py", source.encode())
    names: dict[str, Any] = {}
    exec(compile(source, str(path), "exec"), names)
    assert made(2).uncached() == names["made"](2)() == 4
    why = names["made"](3).why()
    change = only(why)
    assert (change.kind, change.old, change.new) == ("closure", "2", "3")
    assert "  closure variable power: 2 → 3" in str(why)


def test_a_default_and_the_argument_that_it_is_have_old_and_new_values(pipeline: Pipeline) -> None:
    why = pipeline.edit("limit=10", "limit=2").clean.why()
    assert (of_kind(why, "default").old, of_kind(why, "default").new) == ("10", "2")
    assert "  default limit: 10 → 2 (pipe.py:16)" in str(why)
    assert "  argument limit: 10 → 2" in str(why)


def test_an_argument_has_its_old_and_its_new_value(pipeline: Pipeline) -> None:
    why = pipeline.load().clean.why(limit=1)
    change = only(why)
    assert (change.kind, change.name, change.old, change.new) == ("argument", "limit", "10", "1")


def test_an_input_is_named_by_its_path_with_both_contents(pipeline: Pipeline) -> None:
    pipeline.world.write("raw.txt", b"4 5 6 7")
    why = pipeline.load().clean.why()
    change = only(why)
    assert (change.kind, change.name, change.place) == ("input", "raw", "raw.txt")
    assert (change.old or "").startswith("sha256:")
    assert change.old != change.new
    assert f"  input raw.txt (raw): content {(change.old or '')[7:17]} → {(change.new or '')[7:17]}" in str(why)


def test_a_package_has_its_old_and_its_new_version(pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stage_facts, "package_version", lambda top: "99.1")
    why = pipeline.load().clean.why()
    change = only(why)
    assert (change.kind, change.name, change.old, change.new) == ("package", "pytest", pytest.__version__, "99.1")
    assert f"  package pytest: {pytest.__version__} → 99.1" in str(why)


def test_a_declared_version_is_named(pipeline: Pipeline) -> None:
    pipeline.edit("rows=clean)", "rows=clean, version=1)").total()
    why = pipeline.edit("version=1", "version=2").total.why()
    assert (only(why).kind, only(why).old, only(why).new) == ("version", "1", "2")
    assert "  declared version: 1 → 2" in str(why)


def test_a_declared_format_is_named(pipeline: Pipeline) -> None:
    why = pipeline.edit("rows=clean)", 'rows=clean, format="json")').total.why()
    assert "  declared format: by type → json" in str(why)


def test_a_stage_waits_for_one_that_has_to_run_first_and_says_why_that_runs(
    pipeline: Pipeline, capsys: pytest.CaptureFixture[str]
) -> None:
    pipe = pipeline.edit("RATE = 2", "RATE = 5")
    why = pipe.total.why()
    assert why.stage.answer is Answer.UNKNOWN
    assert why.stage.waits_for == ("pipe:clean",)
    lines = str(why).splitlines()
    assert lines[0] == ("total: cannot be told before clean runs again, because constant RATE: 2 → 5 (pipe.py:5)")
    assert lines[1].startswith("clean: would run: since its result of ")
    assert capsys.readouterr().out == ""


def test_what_changed_in_the_stage_itself_is_told_though_it_waits_for_another(pipeline: Pipeline) -> None:
    pipeline.edit("RATE = 2", "RATE = 5")
    why = pipeline.edit('label="sum"', 'label="all"').total.why()
    assert why.stage.answer is Answer.CHANGED
    assert {change.kind for change in why.changes} == {"function", "default", "argument"}


def test_another_result_of_a_stage_is_explained_by_what_changed_there(pipeline: Pipeline) -> None:
    pipe = pipeline.edit("RATE = 2", "RATE = 5")
    pipe.clean()
    change = only(pipe.total.why())
    assert (change.kind, change.name, change.place) == ("result", "rows", "pipe:clean")
    assert [(inner.kind, inner.old, inner.new) for inner in change.because] == [("value", "2", "5")]
    assert "  the result of clean (rows) is another\n    constant RATE: 2 → 5 (pipe.py:5)" in str(pipe.total.why())


def test_the_closest_result_is_compared_and_of_equally_close_ones_the_newest(pipeline: Pipeline) -> None:
    pipe = pipeline.load()
    pipe.clean(limit=3)
    pipe = pipeline.edit("RATE = 2", "RATE = 5")
    pipe.clean(limit=1)
    assert [(change.name, change.old) for change in pipe.clean.why(limit=3).changes] in (
        [("pipe:RATE", "2")],
        [("limit", "1")],
    )
    assert [change.name for change in pipe.clean.why(limit=7).changes] == ["limit"]
    pipe.clean(limit=2)
    assert only(pipe.clean.why(limit=7)).old == "2"


def test_a_result_that_is_too_old_is_named_with_its_time(pipeline: Pipeline) -> None:
    pipe = pipeline.edit("rows=clean)", "rows=clean, ttl=0)")
    why = pipe.total.why()
    assert why.stage.answer is Answer.EXPIRED
    assert "is older than its ttl" in str(why)


def test_bytes_that_are_gone_may_be_on_a_remote_and_are_made_again_where_there_is_none(pipeline: Pipeline) -> None:
    world = pipeline.world
    (kept,) = world.json("stage", "list", "total")["stages"]
    oid = kept["results"][0]["oid"].removeprefix("sha256:")
    (world.cache / "objects" / oid[:2] / oid[2:]).unlink()
    pipe = pipeline.load()
    assert pipe.total.why().cached
    assert "note: the bytes of its result are not here" in str(pipe.total.why())
    world.ok("remote", "remove", world.json("remote", "list")["remotes"][0]["name"])
    assert pipe.total.why().stage.answer is Answer.LOST
    assert "are gone" in str(pipe.total.why())


def test_what_a_remote_may_have_is_said_and_not_asked(pipeline: Pipeline) -> None:
    pipe = pipeline.edit("rows=clean)", "rows=clean, share=True, version=2)")
    assert "  note: remotes are asked for its result before it runs" in str(pipe.total.why()).splitlines()
    assert "note" not in str(pipe.clean.why())


def test_a_long_chain_of_diamonds_is_told_in_no_time(desk: World) -> None:
    source = "import datatool\n@datatool.stage\ndef s0(a=0, b=0):\n    return 1\n"
    for at in range(1, 60):
        needs = f"a=s{at - 1}, b=s{max(0, at - 2)}"
        source += f"@datatool.stage({needs})\ndef s{at}(a, b):\n    return 1\n"
    path = desk.write("ladder.py", source.encode())
    names: dict[str, Any] = {}
    exec(compile(source, str(path), "exec"), names)
    names["s59"]()
    path.write_text(source.replace("(a=0, b=0):\n    return 1", "(a=0, b=0):\n    return 2"))
    exec(compile(path.read_text(), str(path), "exec"), names)
    why = names["s59"].why()
    assert why.stage.waits_for == ("ladder:s0",)
    assert len(str(names["s59"].graph()).splitlines()) < 150


def test_a_pickle_of_another_machine_is_named_as_one(pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch) -> None:
    pipe = pipeline.edit("rows=clean)", 'rows=clean, format="pickle")')
    pipe.total()
    assert pipe.total.why().cached
    monkeypatch.setenv("XDG_CACHE_HOME", str(pipeline.world.top / "other-machine"))
    assert pipe.total.why().stage.answer is Answer.FOREIGN


def test_a_stage_that_is_never_kept_says_so_and_those_behind_it_are_told_all_the_same(
    pipeline: Pipeline, capsys: pytest.CaptureFixture[str]
) -> None:
    pipe = pipeline.edit('packages=["pytest"])', "cache=False)")
    pipe.total()
    capsys.readouterr()
    why = pipe.total.why()
    assert [stage.answer for stage in why.stages] == [Answer.UNCACHED, Answer.KEPT]
    assert "it says cache=False" in str(pipe.clean.why())
    assert capsys.readouterr().out == ""


def test_a_secret_is_not_told_and_may_have_changed(desk: World) -> None:
    source = "import datatool\n@datatool.stage\ndef load(api_key):\n    return 1\n"
    path = desk.write("secret.py", source.encode())
    names: dict[str, Any] = {}
    exec(compile(source, str(path), "exec"), names)
    names["load"]("hunter2")
    why = names["load"].why("hunter3")
    assert "argument api_key is a secret, so it may have changed" in str(why)
    assert "hunter" not in str(why) + str(why.to_dict())


def test_stages_of_one_name_are_told_apart(desk: World) -> None:
    source = (
        "import datatool\ndef made(power):\n    @datatool.stage\n    def scaled(x=2):\n        return x ** power\n"
        "    return scaled\n"
        "@datatool.stage(a=made(1), b=made(2))\ndef both(a, b):\n    return a + b\n"
    )
    path = desk.write("factory.py", source.encode())
    names: dict[str, Any] = {}
    exec(compile(source, str(path), "exec"), names)
    assert [stage.name for stage in names["both"].why().stages] == [
        "factory:made.<locals>.scaled",
        "factory:made.<locals>.scaled (2)",
        "factory:both",
    ]


def test_code_that_was_typed_is_shown_too(desk: World) -> None:
    before = "@datatool.stage\ndef typed(x=1):\n    y = x + 1\n    return y\n"
    after = before.replace("x + 1", "x + 2")
    for source in (before, after):
        names: dict[str, Any] = {"datatool": datatool, "In": ["", source]}
        exec(compile(source, "<ipython-input-1>", "exec"), names)
        if source == before:
            names["typed"]()
    (line,) = only(names["typed"].why()).lines
    assert line.text == "y = x + 2"


def test_outside_a_project_nothing_is_kept_to_be_told_of(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "alone.py"
    path.write_text("import datatool\n@datatool.stage\ndef one():\n    return 1\n")
    names: dict[str, Any] = {}
    exec(compile(path.read_text(), str(path), "exec"), names)
    with pytest.raises(ProjectNotFound):
        names["one"].why()


def test_the_graph_is_a_tree_of_text_and_dot_and_mermaid(pipeline: Pipeline) -> None:
    pipe = pipeline.edit('label="sum"', 'label="all"')
    graph = pipe.total.graph()
    assert str(graph).splitlines() == ["total (stale)", "└─ clean (cached)"]
    assert "  stage0 -> stage1;" in graph.dot()
    assert '  stage1["total"]:::stale' in graph.mermaid()
    assert graph.to_dict()["nodes"] == [
        {"name": "pipe:clean", "state": "cached", "needs": []},
        {"name": "pipe:total", "state": "stale", "needs": ["pipe:clean"]},
    ]


def test_a_stage_that_two_others_need_is_opened_once(desk: World) -> None:
    source = "import datatool\n"
    for name, needs in (("a", ()), ("b", "a"), ("c", "ab"), ("d", "bc")):
        given = ", ".join(f"{need}={need}" for need in needs)
        source += (
            f"@datatool.stage({given})\ndef {name}({', '.join(needs)}):\n    return 1\n"
            if needs
            else (f"@datatool.stage\ndef {name}():\n    return 1\n")
        )
    path = desk.write("diamond.py", source.encode())
    names: dict[str, Any] = {}
    exec(compile(source, str(path), "exec"), names)
    assert str(names["d"].graph()).splitlines() == [
        "d (stale)",
        "├─ b (stale)",
        "│  └─ a (stale)",
        "└─ c (stale)",
        "   ├─ a (stale)",
        "   └─ b (stale, see above)",
    ]
