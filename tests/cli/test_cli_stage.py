"""`datatool stage …` and `datatool why`: results of stages at the command line."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from world import Ran, World

PIPE = b"""\
import datatool
import helpers
print("importing")
LIMIT = 2

@datatool.stage(raw=datatool.File("raw.txt"))
def clean(raw):
    return [helpers.number(word) for word in raw.read_text().split()]

@datatool.stage(rows=clean)
def total(rows, extra=0):
    return sum(rows) + LIMIT

@datatool.stage
def other(n):
    return n

if __name__ == "__main__":
    total()
    other(1)
    other(2)
"""


@pytest.fixture
def pipeline(world: World) -> World:
    """A project with three stages, of which all ran."""
    world.write("jobs/pipe.py", PIPE)
    world.write("jobs/helpers.py", b"def number(word):\n    return int(word)\n")
    world.write("jobs/raw.txt", b"1 2 3")
    program(world, "jobs/pipe.py")
    return world


def program(world: World, *words: str) -> None:
    subprocess.run([sys.executable, *words], cwd=world.root, env=world.env, check=True, capture_output=True)


def edit(world: World, path: str, old: bytes, new: bytes) -> None:
    text = world.read(path)
    assert text.count(old) == 1
    world.write(path, text.replace(old, new))


def test_stages_are_listed_from_records_alone(pipeline: World) -> None:
    (pipeline.root / "jobs/pipe.py").unlink()
    lines = pipeline.ok("stage", "list").out.splitlines()
    assert [re.split(r"  +", line)[0] for line in lines] == ["jobs.pipe:clean", "jobs.pipe:other", "jobs.pipe:total"]
    assert re.fullmatch(r"jobs\.pipe:other  20\d\d-\d\d-\d\d \d\d:\d\d +\d\.\d s +1 B +json +here +2 results", lines[1])
    assert len(pipeline.ok("stage", "list", "-v").out.splitlines()) == 4


def test_stages_are_listed_by_name_and_by_file(pipeline: World) -> None:
    def listed(*words: str, cwd: Path | None = None) -> list[str]:
        return [stage["name"] for stage in pipeline.ok("stage", "list", *words, "--json", cwd=cwd).json["stages"]]

    assert listed("total") == listed("jobs.pipe:total") == listed("jobs/pipe.py:total") == ["jobs.pipe:total"]
    assert len(listed("jobs/pipe.py")) == len(listed("pipe.py", cwd=pipeline.root / "jobs")) == 3
    assert "did you mean total?" in pipeline.fails(3, "stage", "list", "totl").err


def test_a_result_whose_bytes_are_gone_is_listed_as_not_here(pipeline: World) -> None:
    (stage,) = pipeline.json("stage", "list", "total")["stages"]
    oid = stage["results"][0]["oid"].removeprefix("sha256:")
    (pipeline.cache / "objects" / oid[:2] / oid[2:]).unlink()
    assert "not here" in pipeline.ok("stage", "list", "total").out


def test_nothing_is_listed_where_nothing_is_kept(world: World) -> None:
    assert world.ok("stage", "list").out == ""


def test_why_finds_modules_as_the_program_does_and_runs_no_stage(pipeline: World) -> None:
    ran = pipeline.ok("why", "jobs/pipe.py:total")
    assert ran.out.startswith("total: nothing runs: its result of 2")
    assert ran.err == "importing\n"
    edit(pipeline, "jobs/helpers.py", b"int(word)", b"int(word) + 1")
    ran = pipeline.ok("stage", "why", "pipe.py:total", cwd=pipeline.root / "jobs")
    assert ran.out.startswith("total: cannot be told before clean runs again, because function number of jobs.helpers")
    assert "    jobs/helpers.py:2  return int(word) + 1\n" in ran.out
    assert len(pipeline.json("stage", "list", "clean")["stages"][0]["results"]) == 1


def test_why_takes_a_module_by_name_as_seen_from_the_working_directory(pipeline: World) -> None:
    pipeline.write("pkg/__init__.py")
    pipeline.write("pkg/module.py", b"import datatool\n@datatool.stage\ndef final():\n    return 1\n")
    program(pipeline, "-c", "import pkg.module; pkg.module.final()")
    assert "is kept" in pipeline.ok("why", "pkg.module:final").out
    assert "is kept" in pipeline.ok("why", "pkg.module").out
    assert "no such module" in pipeline.fails(3, "why", "pkg.modul:final").err
    assert "no such file" in pipeline.fails(3, "why", "nowhere.py:final").err


def test_what_a_module_prints_is_not_in_the_document(pipeline: World) -> None:
    noisy = b'import subprocess\nsubprocess.run(["echo", "from elsewhere"])\nprint("here")\n'
    pipeline.write("jobs/pipe.py", noisy + PIPE)
    ran = pipeline.process("why", "jobs/pipe.py:total", "--json")
    assert ran.json["cached"] is True
    assert {"from elsewhere", "here", "importing"} <= set(ran.err.splitlines())


def test_a_file_alone_means_the_one_stage_that_no_other_needs(pipeline: World) -> None:
    ran = pipeline.fails(2, "why", "jobs/pipe.py")
    assert "jobs/pipe.py:total, jobs/pipe.py:other" in ran.err
    pipeline.write("jobs/pipe.py", PIPE.partition(b"@datatool.stage\ndef other")[0])
    assert pipeline.json("why", "jobs/pipe.py")["stage"] == "jobs.pipe:total"
    pipeline.write("empty.py", b"clean = 1\n")
    assert "has no stage" in pipeline.fails(3, "why", "empty.py").err
    assert "clean is no stage" in pipeline.fails(3, "why", "empty.py:clean").err


def test_a_mistyped_stage_suggests_the_nearest(pipeline: World) -> None:
    assert "did you mean jobs/pipe.py:total?" in pipeline.fails(3, "why", "jobs/pipe.py:totla").err


def test_a_stage_that_needs_arguments_is_asked_in_python(pipeline: World) -> None:
    ran = pipeline.fails(2, "why", "jobs/pipe.py:other")
    assert "missing argument: 'n'" in ran.err
    assert "other.why(…)" in ran.err


def test_a_module_that_fails_is_told_with_its_own_lines(pipeline: World) -> None:
    pipeline.write("bad.py", b"def broken():\n    return 1 / 0\n\nbroken()\n")
    ran = pipeline.fails(1, "why", "bad.py:x")
    assert ran.err == (
        "error: bad.py: can't be imported: ZeroDivisionError: division by zero\n"
        "hint: where:\n      bad.py:4: broken()\n      bad.py:2: return 1 / 0\n"
    )
    pipeline.write("bad.py", b"def f(:\n")
    assert "SyntaxError" in pipeline.fails(1, "why", "bad.py:x").err
    pipeline.write("bad.py", b"import sys\nsys.exit(4)\n")
    assert "SystemExit: 4" in pipeline.fails(1, "why", "bad.py:x").err
    assert "STAGE.why()" in pipeline.fails(2, "why", "study.ipynb:x").err


def test_a_program_that_calls_its_stages_when_it_is_imported_is_read_up_to_there(pipeline: World) -> None:
    pipeline.write("plain.py", PIPE.partition(b"@datatool.stage\ndef other")[0] + b"total()\nraise SystemExit(1)\n")
    pipeline.write("helpers.py", pipeline.read("jobs/helpers.py"))
    pipeline.write("raw.txt", b"1")
    assert pipeline.json("why", "plain.py")["stages"][0]["answer"] == "new"
    assert not [stage for stage in pipeline.json("stage", "list")["stages"] if stage["name"].startswith("plain")]


def test_what_a_program_tracks_when_it_is_imported_is_not_recorded(pipeline: World) -> None:
    pipeline.write("plain.py", b"import datatool\ndatatool.track('data.csv')\n" + PIPE)
    pipeline.write("helpers.py", pipeline.read("jobs/helpers.py"))
    pipeline.write("raw.txt", b"1")
    pipeline.write("data.csv", b"new")
    before = set(os.listdir(pipeline.cache / "runs"))
    ran = pipeline.process("why", "plain.py:total")
    assert ran.code == 0, ran
    assert not pipeline.exists("data.csv.dt")
    assert set(os.listdir(pipeline.cache / "runs")) == before


def test_nothing_of_an_imported_module_is_left_behind(pipeline: World) -> None:
    path, words = list(sys.path), list(sys.argv)
    pipeline.ok("why", "jobs/pipe.py:total")
    assert (sys.path, sys.argv) == (path, words)
    assert "helpers" not in sys.modules
    assert "pipe" not in sys.modules
    assert not list((pipeline.root / "jobs").glob("__pycache__/pipe.*"))


def test_why_is_in_colour_where_colours_are_wanted(pipeline: World) -> None:
    assert "\x1b[32m" in pipeline.ok("why", "jobs/pipe.py:total", env={"FORCE_COLOR": "1"}).out
    assert "\x1b" not in pipeline.ok("why", "jobs/pipe.py:total", env={"FORCE_COLOR": "1", "NO_COLOR": "1"}).out


def test_a_graph_is_drawn_as_text_dot_or_mermaid(pipeline: World) -> None:
    def drawn(*words: str) -> Ran:
        return pipeline.ok("stage", "graph", "jobs/pipe.py:total", *words)

    assert drawn().out == "total (cached)\n└─ clean (cached)\n"
    assert drawn("--format", "dot").out.startswith("digraph stages {\n")
    assert drawn("--format", "mermaid").out.startswith("flowchart LR\n")
    assert "is not one of" in pipeline.fails(2, "stage", "graph", "jobs/pipe.py:total", "--format", "png").err


def test_clean_forgets_what_it_is_told_to_and_says_so(pipeline: World) -> None:
    assert "would forget 2 results" in pipeline.ok("stage", "clean", "other", "--dry-run").out
    assert "forgot 2 results (2 B, whose bytes stay in the cache)" in pipeline.ok("stage", "clean", "other").out
    assert len(pipeline.json("stage", "list")["stages"]) == 2
    assert pipeline.json("why", "jobs/pipe.py:total")["cached"]
    pipeline.ok("stage", "clean", "jobs/pipe.py")
    assert pipeline.json("stage", "list")["stages"] == []
    assert pipeline.json("why", "jobs/pipe.py:total")["stages"][1]["answer"] == "new"


def test_clean_may_spare_what_is_young(pipeline: World) -> None:
    assert pipeline.json("stage", "clean", "--older-than", "1d")["forgotten"] == []
    pipeline.fails(2, "stage", "clean", "--older-than", "soon")
    assert len(pipeline.json("stage", "clean", "other", "--older-than", "0s")["forgotten"]) == 2
    assert len(pipeline.json("stage", "list")["stages"]) == 2


def test_clean_asks_which_results_are_meant(pipeline: World) -> None:
    ran = pipeline.fails(2, "stage", "clean")
    assert "--older-than 7d" in ran.err
    assert "--all" in ran.err
    pipeline.fails(2, "stage", "clean", "total", "--all")
    pipeline.fails(3, "stage", "clean", "totl")
    assert len(pipeline.json("stage", "list")["stages"]) == 3


def test_clean_leaves_other_records_and_all_objects(pipeline: World) -> None:
    pipeline.write("in.csv", b"1")
    words = ("run", "-d", "in.csv", "-o", "out.csv", "--", "cp", "in.csv", "out.csv")
    pipeline.ok(*words)
    objects = {path for path in (pipeline.cache / "objects").rglob("*") if path.is_file()}
    assert len(pipeline.json("stage", "clean", "--all")["forgotten"]) == 4
    assert objects <= {path for path in (pipeline.cache / "objects").rglob("*") if path.is_file()}
    assert "unchanged" in pipeline.ok(*words).err


def test_names_of_stages_are_completed(pipeline: World) -> None:
    words = [line.split("\t")[0] for line in pipeline.ok("__complete", "stage", "clean", "jobs.pi").out.splitlines()]
    assert words == ["jobs.pipe:clean", "jobs.pipe:other", "jobs.pipe:total"]
    assert "graph" in pipeline.ok("__complete", "stage", "g").out
