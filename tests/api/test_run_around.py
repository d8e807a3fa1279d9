"""What a program read outside of a block or worker process counts for what that makes."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from typing import Any

import pytest

import datatool
import needs
from api.test_track_runs import records, run_of
from api.tracking import run_python, script
from datatool.operations.runs.process_names import name_of_process
from world import World

BLOCK = """
import datatool
text = datatool.track("t.csv").read_text()
with datatool.run("fit"):
    datatool.track("o.txt", output=True).write_text("o" + text)
"""


def reproduced(world: World, *words: str, code: int = 0) -> list[tuple[str, list[str]]]:
    found = world.fails(code, "reproduce", *words, "--json").json["runs"]
    return [(run["action"], [file["path"] for file in run["outputs"]]) for run in found]


def ran(world: World, code: str, *words: str, name: str = "script.py") -> None:
    done = script(world, code, *words, name=name)
    assert done.code == 0, done.err


def around(world: World, pointer: str) -> list[bytes]:
    return [file.path for file in run_of(world, pointer).around]


@pytest.mark.parametrize("words", [(), ("--dry-run",)])
def test_what_was_read_before_a_block_counts_for_what_it_makes(desk: World, words: tuple[str, ...]) -> None:
    desk.write("t.csv", b"1\n")
    ran(desk, BLOCK)
    record = run_of(desk, "o.txt.dt")
    assert (record.inputs, [file.path for file in record.around]) == ((), [b"t.csv"])
    desk.ok("run", "-d", "o.txt", "-o", "p.txt", "--", "sh", "-c", "cat o.txt > p.txt")
    desk.commit()
    assert reproduced(desk, *words, "p.txt") == [("unchanged", ["o.txt"]), ("unchanged", ["p.txt"])]
    desk.write("t.csv", b"2\n")
    assert reproduced(desk, *words, "p.txt", code=1) == [("failed", ["o.txt"])]


def test_a_block_is_brought_back_where_what_is_around_it_is_as_it_was(desk: World) -> None:
    desk.write("t.csv", b"1\n")
    ran(desk, BLOCK)
    desk.commit()
    desk.write("t.csv", b"2\n")
    ran(desk, BLOCK)
    assert desk.read("o.txt") == b"o2\n"
    desk.write("t.csv", b"1\n")
    desk.ok("add", "t.csv")
    assert reproduced(desk, "o.txt") == [("restored", ["o.txt"])]
    assert desk.read("o.txt") == b"o1\n"


BLOCKS = """
import datatool
with datatool.run("load"):
    text = datatool.track("t.csv").read_text()
with datatool.run("outer"):
    text += datatool.track("u.csv").read_text()
    with datatool.run("inner"):
        text += datatool.track("v.csv").read_text()
        datatool.track("inner.txt", output=True).write_text(text)
    datatool.track("mid.txt", output=True).write_text(text)
with datatool.run("check"):
    datatool.track("mid.txt").read_text()
with datatool.run("last"):
    datatool.track("last.txt", output=True).write_text(text)
datatool.track("o.txt", output=True).write_text(text)
"""


def test_what_other_blocks_read_is_around_and_what_the_program_made_itself_is_not(desk: World) -> None:
    for name in "tuv":
        desk.write(f"{name}.csv", name.encode())
    ran(desk, BLOCKS)
    assert around(desk, "inner.txt.dt") == [b"t.csv", b"u.csv"]
    assert around(desk, "mid.txt.dt") == [b"t.csv", b"v.csv"]
    assert around(desk, "last.txt.dt") == [b"t.csv", b"u.csv", b"v.csv"]
    assert around(desk, "o.txt.dt") == [b"t.csv", b"u.csv", b"v.csv"]
    desk.commit()
    desk.write("v.csv", b"new")
    assert reproduced(desk, "o.txt") == [("executed", ["inner.txt", "last.txt", "mid.txt", "o.txt"])]
    assert desk.read("o.txt") == b"tunew"
    assert reproduced(desk, "o.txt")[0][0] == "unchanged"


def test_a_file_of_which_the_program_read_two_versions_is_no_longer_as_it_was(desk: World) -> None:
    desk.write("t.csv", b"1\n")
    ran(
        desk,
        BLOCK.replace("with", "open('t.csv', 'w').write('2\\n')\nwith").replace(
            '"o"', 'datatool.track("t.csv").read_text()'
        ),
    )
    record = run_of(desk, "o.txt.dt")
    assert [file.path for file in record.inputs] == [file.path for file in record.around] == [b"t.csv"]
    assert record.inputs[0].oid != record.around[0].oid
    assert reproduced(desk, "o.txt", code=1) == [("failed", ["o.txt"])]


def test_in_a_notebook_what_a_cell_read_counts_for_a_block_in_another(
    desk: World, notebook: Callable[..., Any]
) -> None:
    desk.write("t.csv", b"1\n")
    notebook("import datatool", *BLOCK.strip().partition("\n")[2].partition("\n")[::2])
    assert around(desk, "o.txt.dt") == [b"t.csv"]
    desk.commit()
    assert reproduced(desk, "o.txt") == [("unchanged", ["o.txt"])]
    desk.write("t.csv", b"2\n")
    assert reproduced(desk, "o.txt", code=1) == [("failed", ["o.txt"])]


def test_a_program_with_many_files_around_a_block_names_some_and_is_never_taken_for_unchanged(
    desk: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("datatool.operations.runs.program_run._MOST_AROUND", 2)
    for name in "abc":
        datatool.track(desk.write(f"{name}.csv", b"1"))
    with datatool.run("fit"):
        datatool.track("o.txt", output=True).write_text("o")
    record = run_of(desk, "o.txt.dt")
    assert ([file.path for file in record.around], record.more_around) == ([b"a.csv", b"b.csv"], 1)
    assert reproduced(desk, "o.txt", code=1) == [("failed", ["o.txt"])]


WORKERS = """
import multiprocessing, sys
from pathlib import Path
import datatool

def write(number, text):
    datatool.track(f"w{number}.txt", output=True).write_text(text + str(number))
    with open("log", "a") as log:
        log.write("w")

def parallel(context, function, tasks):
    for task in tasks:
        child = context.Process(target=function, args=task)
        child.start()
        child.join()
        assert child.exitcode == 0

if __name__ == "__main__":
    context = multiprocessing.get_context(sys.argv[1])
    text = datatool.track("t.csv").read_text()
    parallel(context, write, [(number, text) for number in (1, 2)])
"""
WAYS = ["fork", "spawn", "forkserver"]


@pytest.mark.parametrize("way", WAYS)
def test_what_the_parent_read_counts_for_a_worker_and_a_program_is_run_once(desk: World, way: str) -> None:
    needs.linux()
    desk.write("t.csv", b"1\n")
    ran(desk, WORKERS, way)
    for number in (1, 2):
        assert around(desk, f"w{number}.txt.dt") == [b"t.csv"]
    desk.write(".gitignore", desk.read(".gitignore") + b"log\n" if desk.exists(".gitignore") else b"log\n")
    desk.commit()
    names = ["w1.txt", "w2.txt"]
    assert reproduced(desk, *names) == [("unchanged", ["w1.txt"]), ("unchanged", ["w2.txt"])]
    (desk.root / "w2.txt").unlink()
    assert reproduced(desk, *names) == [("unchanged", ["w1.txt"]), ("restored", ["w2.txt"])]
    desk.write("t.csv", b"2\n")
    (desk.root / "log").unlink()
    assert reproduced(desk, "--dry-run", *names) == [("executed", names)]
    assert reproduced(desk, *names) == [("executed", names)]
    assert (desk.read("w1.txt"), desk.read("w2.txt"), desk.read("log")) == (b"2\n1", b"2\n2", b"ww")
    assert reproduced(desk, *names) == [("unchanged", names)]
    assert list((desk.root / ".git/datatool/tmp/programs").iterdir()) == []


SUM = """
import multiprocessing, sys
from concurrent.futures import ProcessPoolExecutor
import datatool

def read(number):
    return datatool.track(f"in{number}.txt").read_text()

if __name__ == "__main__":
    context = multiprocessing.get_context(sys.argv[1])
    with ProcessPoolExecutor(2, mp_context=context) as pool:
        if sys.argv[2] == "block":
            with datatool.run("sum"):
                text = "".join(pool.map(read, [1, 2, 3]))
                datatool.track("sum.txt", output=True).write_text(text)
        else:
            text = "".join(pool.map(read, [1, 2, 3]))
            datatool.track("sum.txt", output=True).write_text(text)
"""


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("where", ["block", "program"])
def test_what_workers_read_counts_for_what_their_parent_makes(desk: World, way: str, where: str) -> None:
    needs.linux()
    for number in (1, 2, 3):
        desk.write(f"in{number}.txt", b"%d" % number)
    ran(desk, SUM, way, where)
    assert around(desk, "sum.txt.dt") == [b"in1.txt", b"in2.txt", b"in3.txt"]
    desk.commit()
    assert reproduced(desk, "sum.txt") == [("unchanged", ["sum.txt"])]
    desk.write("in2.txt", b"new")
    if where == "block":
        assert reproduced(desk, "sum.txt", code=1) == [("failed", ["sum.txt"])]
    else:
        assert reproduced(desk, "sum.txt") == [("executed", ["sum.txt"])]
        assert desk.read("sum.txt") == b"1new3"


FORKS = """
import os
import datatool
text = datatool.track("t.csv").read_text()
with datatool.run("fit"):
    if (child := os.fork()) == 0:
        datatool.track("u.csv")
        datatool.track("child.txt", output=True).write_text(text)
    else:
        assert os.waitpid(child, 0)[1] == 0
        datatool.track("o.txt", output=True).write_text(text)
"""


def test_a_process_that_was_forked_by_hand_is_a_worker_too(desk: World) -> None:
    needs.linux()
    desk.write("t.csv", b"t")
    desk.write("u.csv", b"u")
    ran(desk, FORKS)
    assert around(desk, "child.txt.dt") == [b"t.csv"]
    assert around(desk, "o.txt.dt") == [b"t.csv", b"u.csv"]


def test_a_program_of_one_process_tells_nobody_and_has_nothing_around_it(desk: World) -> None:
    desk.write("t.csv", b"1\n")
    assert run_python(desk, "-c", "import datatool; datatool.track('t.csv')").code == 0
    assert [(len(record.inputs), record.around) for record in records(desk)] == [(1, ())]
    assert not desk.exists(".git/datatool/tmp/programs")


def test_a_program_in_a_command_or_on_a_build_server_tells_its_workers_nothing(desk: World) -> None:
    needs.linux()
    desk.write("t.csv", b"1\n")
    path = desk.write("script.py", WORKERS.encode())
    desk.ok("run", "-o", "w1.txt", "-o", "w2.txt", "--", sys.executable, path, "fork")
    record = run_of(desk, "w1.txt.dt")
    assert ([file.path for file in record.inputs], record.around) == ([b"t.csv"], ())
    assert run_python(desk, str(path), "fork", env={"CI": "1"}).code == 0
    assert not desk.exists(".git/datatool/tmp/programs")


def test_what_a_program_told_that_is_gone_is_taken_away_by_a_later_one(desk: World) -> None:
    needs.linux()
    desk.write("t.csv", b"1\n")
    ours = name_of_process(os.getpid())
    days = {"1-1": 2.0, "0-2": 0.5, f"{ours}": 2.0, "2-x": 31.0}
    for name, age in days.items():
        path = desk.write(f".git/datatool/tmp/programs/{name}", b"{}\n")
        os.utime(path, (1, time.time() - age * 24 * 3600))
    ran(desk, WORKERS, "fork")
    assert sorted(os.listdir(path.parent)) == ["0-2", ours]


def test_the_records_behind_what_is_around_a_run_travel_with_it(desk: World) -> None:
    desk.ok("run", "-o", "t.csv", "--", "sh", "-c", "echo 1 > t.csv")
    ran(desk, BLOCK)
    desk.commit()
    desk.ok("push", "o.txt")
    assert len(list((desk.remote / "runs").glob("*/*/*"))) == 2, "of the block, and of the command"


AFTER = """
import datatool, multiprocessing, sys

def write(source, target):
    datatool.track(target, output=True).write_text(open(datatool.track(source)).read() + "!")

if __name__ == "__main__":
    for words in (("t.csv", "w1.txt"), ("u.csv", "w2.txt")):
        child = multiprocessing.get_context("fork").Process(target=write, args=words)
        child.start()
        child.join()
"""


def test_a_program_comes_behind_all_that_one_of_its_processes_read(desk: World) -> None:
    needs.linux()
    desk.write("raw.csv", b"1\n")
    desk.write("t.csv", b"t\n")
    desk.ok("run", "-d", "raw.csv", "-o", "u.csv", "--", "sh", "-c", "cp raw.csv u.csv")
    ran(desk, AFTER)
    desk.ok("run", "-d", "w1.txt", "-o", "z.txt", "--", "sh", "-c", "cp w1.txt z.txt")
    desk.commit()
    desk.write("raw.csv", b"2\n")
    assert reproduced(desk, "z.txt", "w2.txt") == [
        ("executed", ["u.csv"]),
        ("executed", ["w1.txt", "w2.txt"]),
        ("unchanged", ["z.txt"]),
    ]
    assert desk.read("w2.txt") == b"2\n!"
    desk.write("raw.csv", b"3\n")
    assert reproduced(desk, "--dry-run", "w1.txt", "w2.txt") == [
        ("executed", ["u.csv"]),
        ("executed", ["w1.txt", "w2.txt"]),
    ]
