"""What a program tracked becomes the record of its run, when it ends."""

from __future__ import annotations

import re
import sys

import pytest

import datatool
from api.tracking import NEW, OLD, as_it_is, run_python, script
from datatool.hashing import digest
from datatool.model.run import RunKind, RunRecord
from datatool.operations.open_project import open_project
from datatool.stages.run_store import all_runs, load_run
from world import World

SUMS = """
import datatool
source = datatool.track("x.csv")
datatool.track("sum.txt", output=True).write_text(str(len(source.read_text())))
"""


def records(world: World) -> list[RunRecord]:
    with open_project(str(world.root), flags={}, environ=world.env) as project:
        return [known.record for known in all_runs(project.cache, project.config.project or "")]


def run_of(world: World, pointer: str) -> RunRecord:
    found = re.search(rb'run: "?([0-9a-f]{64})', world.read(pointer))
    assert found is not None, world.read(pointer)
    with open_project(str(world.root), flags={}, environ=world.env) as project:
        record = load_run(project.cache, found[1].decode())  # type: ignore[arg-type]
    assert record is not None
    return record


def started(world: World) -> None:
    world.write("x.csv", OLD)
    done = script(world, SUMS, name="sums.py")
    assert done.code == 0, done.err


def test_outputs_name_the_run_that_says_what_was_read_and_by_which_code(desk: World) -> None:
    started(desk)
    record = run_of(desk, "sum.txt.dt")
    assert record.kind is RunKind.SCRIPT and record.code.entry == "sums.py" and "sums.py" in record.code.functions
    assert [file.path for file in record.inputs] == [b"x.csv"] and [file.path for file in record.outputs] == [
        b"sum.txt"
    ]
    assert b"source" not in desk.read("x.csv.dt")


def test_where_a_program_ran_is_recorded_if_that_is_in_the_project(desk: World) -> None:
    desk.write("x.csv", OLD)
    jobs = desk.write("jobs/y.csv", OLD).parent
    for cwd in (desk.root, jobs, desk.top):
        assert script(desk, SUMS, name="sums.py", cwd=cwd).code == 0
        assert run_python(desk, "-c", "import datatool; datatool.track('x.csv')", cwd=cwd).code == 0
        block = "import datatool\nwith datatool.run('b'): datatool.track('x.csv')"
        assert script(desk, block, name="block.py", cwd=cwd).code == 0
    found = {(record.kind, record.code.entry, record.directory) for record in records(desk)}
    assert {directory for _, entry, directory in found if entry == "sums.py"} == {"", "jobs"}
    assert {directory for kind, _, directory in found if kind is RunKind.BLOCK} == {"", "jobs", None}


def test_the_same_again_is_no_second_run(desk: World) -> None:
    started(desk)
    assert len(records(desk)) == 1
    before = as_it_is(desk.root / ".git")
    done = run_python(desk, "sums.py")
    assert (done.code, done.err) == (0, "")
    assert len(records(desk)) == 1
    assert desk.read("sum.txt") == b"5"
    changed = {path for path, was in as_it_is(desk.root / ".git").items() if before.get(path) != was}
    assert not any("/cache/" in path for path in changed)


def test_other_inputs_or_other_code_are_another_run(desk: World) -> None:
    started(desk)
    desk.write("x.csv", b"longer than before\n")
    assert run_python(desk, "sums.py").code == 0
    assert len(records(desk)) == 2
    assert script(desk, SUMS.replace("str(len", "repr(len"), name="sums.py").code == 0
    assert len({record.fingerprint for record in records(desk)}) == 3


def test_a_clone_that_makes_the_same_has_no_news_for_git(desk: World) -> None:
    started(desk)
    desk.git("add", "sums.py")
    desk.ok("add", "x.csv", "sum.txt")
    desk.commit("all of it")
    desk.ok("push")
    copy = desk.clone()
    copy.env.pop("CI", None)
    done = run_python(copy, "sums.py")
    assert (done.code, done.err) == (0, "")
    assert copy.read("sum.txt") == b"5" and copy.git("status", "--short") == ""


def test_a_file_that_changed_between_two_calls_is_told_once_as_the_record_names_what_was_read_first(
    desk: World,
) -> None:
    desk.write("x.csv", OLD)
    code = """
import datatool
for content in ("", "more", "most"):
    with datatool.track("x.csv").open("a") as file:
        file.write(content)
    datatool.track("made.txt", output=True).write_text(content)
    datatool.track("made.txt")
"""
    done = script(desk, code)
    assert done.err.count("changed since this run") == 1
    assert "x.csv: changed since this run read it first; the run's record names what it was then" in done.err
    (record,) = records(desk)
    assert [(file.path, file.oid) for file in record.inputs] == [(b"x.csv", digest(OLD))]


def test_programs_without_a_file_are_told_apart(desk: World) -> None:
    desk.write("x.csv", OLD)
    for code in ("import datatool; datatool.track('x.csv')", "import datatool as d; d.track('x.csv')"):
        for _ in range(2):
            assert run_python(desk, "-c", code).code == 0
    assert len(records(desk)) == 2


@pytest.mark.parametrize("ignored", [b"*.dt\n", b""])
def test_an_output_that_could_not_be_recorded_is_refused_before_it_is_written(ignored: bytes, desk: World) -> None:
    desk.write(".gitignore", ignored)
    desk.write("out/x.txt", b"git's")
    desk.git("add", "-f", "out/x.txt")
    with pytest.raises(datatool.Refused, match=r"out/x.txt: (git tracks|its pointer)"):
        datatool.track("out/x.txt", output=True)
    assert datatool.track("out/x.txt", output=True, on_change="keep").read_bytes() == b"git's"


def test_an_output_that_can_not_be_recorded_costs_only_itself_and_each_is_named(desk: World) -> None:
    code = """
import datatool, os
for name in ("a", "b", "c", "d"):
    datatool.track(name, output=True).write_text(name)
for name in ("a", "c"):
    os.remove(name)
    os.symlink("d", name)
"""
    done = script(desk, code)
    assert "not recorded: a: is a symlink" in done.err and "not recorded: c: is a symlink" in done.err
    assert [desk.exists(f"{name}.dt") for name in "abcd"] == [False, True, False, True]
    (record,) = records(desk)
    assert [file.path for file in record.outputs] == [b"b", b"d"]


def test_an_output_that_only_names_its_run_now_is_told_as_no_new_version(desk: World) -> None:
    desk.write("x.csv", OLD)
    desk.write("sum.txt", b"5")
    desk.ok("add", "sum.txt")
    done = script(desk, SUMS, name="sums.py")
    assert "sum.txt: the same as before; sum.txt.dt names the run that made it now" in done.err
    assert "new version" not in done.err


def test_a_file_that_git_tracks_is_an_input_by_its_content_and_stays_gits(desk: World) -> None:
    desk.write("x.csv", OLD)
    desk.commit("of git")
    for content in (OLD, b"another"):
        desk.write("x.csv", content)
        assert script(desk, SUMS, name="sums.py").code == 0
    assert not desk.exists("x.csv.dt")
    inputs = [file for record in records(desk) for file in record.inputs]
    assert {(file.path, file.size) for file in inputs} == {(b"x.csv", len(OLD)), (b"x.csv", 7)}


def test_a_program_that_failed_has_no_run(desk: World) -> None:
    desk.write("x.csv", OLD)
    assert script(desk, SUMS + "raise SystemError\n", name="sums.py").code == 1
    assert records(desk) == [] and not desk.exists("sum.txt.dt")
    assert desk.exists("x.csv.dt")  # what it read was there, whatever came of it


@pytest.mark.parametrize(
    ("end", "code"), [("sys.exit('database down')", 1), ("sys.exit(3)", 3), ("sys.exit(0); sys.exit(1)", 0)]
)
def test_outputs_of_a_program_that_exits_with_a_failure_are_not_recorded(desk: World, end: str, code: int) -> None:
    desk.write("x.csv", OLD)
    done = script(desk, f"import sys\n{SUMS}{end}\n", name="sums.py")
    assert done.code == code
    assert desk.exists("sum.txt.dt") == (code == 0)
    assert (f"1 output not recorded, as the program ended with exit status {code}" in done.err) == (code != 0)


def test_an_exit_of_another_thread_is_none_of_the_program(desk: World) -> None:
    desk.write("x.csv", OLD)
    thread = "import sys, threading\nother = threading.Thread(target=sys.exit, args=(1,))\n"
    done = script(desk, f"{SUMS}{thread}other.start()\nother.join()\n", name="sums.py")
    assert done.code == 0, done.err
    assert desk.exists("sum.txt.dt")


def test_what_happens_to_the_program_meanwhile_is_not_taken_for_it(desk: World) -> None:
    desk.write("x.csv", OLD)
    done = script(desk, SUMS + "import os; os.chdir('/'); del __file__\n", name="sums.py")
    assert done.code == 0, done.err
    assert run_of(desk, "sum.txt.dt").code.entry == "sums.py"


def test_a_run_is_recorded_where_no_thread_can_be_started_any_more(desk: World) -> None:
    """As from Python 3.12 on, when a program ends."""
    code = """
import atexit, os, threading
import datatool

def refuse(self):
    raise RuntimeError("can't create new thread at interpreter shutdown")

many = datatool.track("many", output=True)
many.mkdir()
for number in range(400):
    (many / f"{number}.txt").write_text(str(number) * 100)
datatool.track("big.bin", output=True).write_bytes(os.urandom(9 << 20))
atexit.register(setattr, threading.Thread, "start", refuse)
"""
    done = script(desk, code)
    assert done.code == 0, done.err
    assert "Traceback" not in done.err
    state = desk.json("status")
    assert state["clean"] and {item["path"] for item in state["artifacts"]} == {"many", "big.bin"}
    for path in ("many/7.txt", "big.bin"):
        (desk.root / path).unlink()
    desk.ok("checkout")
    assert desk.read("many/7.txt") == b"7" * 100 and len(desk.read("big.bin")) == 9 << 20


def test_inside_a_command_that_is_run_it_belongs_to_that_run(desk: World) -> None:
    desk.write("x.csv", OLD)
    desk.write("sums.py", SUMS.encode())
    done = desk.process("run", "--json", "--", sys.executable, "sums.py")
    assert done.code == 0, done.err
    (record,) = records(desk)
    assert record.kind is RunKind.COMMAND
    assert [file.path for file in record.inputs] == [b"x.csv"] and [file.path for file in record.outputs] == [
        b"sum.txt"
    ]


def test_what_a_command_that_is_run_recorded_is_remembered_and_an_older_content_stays_the_users(desk: World) -> None:
    for content in (OLD, NEW):  # the second time, the record of the first one is read before
        desk.write("x.csv", content)
        desk.write("sums.py", SUMS.encode())
        assert desk.process("run", "--", sys.executable, "sums.py").code == 0
    desk.write("x.csv", OLD)
    assert datatool.track("x.csv").read_bytes() == OLD
    assert {item["state"] for item in desk.json("status")["artifacts"]} == {"clean"}


def test_metrics_and_names_of_blocks_are_recorded_without_secrets(desk: World) -> None:
    block = "with datatool.run('x --token=abc') as run:\n    run.metrics(token='abc', accuracy=1)\n"
    assert script(desk, f"import datatool\n{block}").code == 0
    (record,) = records(desk)
    assert (record.name, record.metrics) == ("x --token=***", {"token": "***", "accuracy": 1})


def test_a_program_or_a_block_with_another_secret_is_another_run(desk: World) -> None:
    desk.write("x.csv", OLD)
    block = "with datatool.run('fit', params={'token': sys.argv[2]}):\n    datatool.track('x.csv')\n"
    for secret in ("hunter2", "hunter3", "hunter2"):
        assert script(desk, f"import datatool, sys\n{block}datatool.track('x.csv')\n", "--token", secret).code == 0
    found = records(desk)
    for kind in (RunKind.SCRIPT, RunKind.BLOCK):
        assert len({record.fingerprint for record in found if record.kind is kind}) == 2
    assert "hunter" not in repr(found)
