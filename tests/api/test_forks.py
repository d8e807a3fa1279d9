"""What a process that was forked off tracks, wherever its parent stood at that moment."""

from __future__ import annotations

import pytest

import needs
from api.test_track_runs import records
from api.tracking import NEW, script
from world import World

pytestmark = pytest.mark.usefixtures("forks")


@pytest.fixture
def forks() -> None:
    needs.linux()


POOLS = """
import multiprocessing
from concurrent.futures import ProcessPoolExecutor
import datatool

def work(number):
    datatool.track("x.csv")
    datatool.track(f"out/{number}.txt", output=True).write_text(str(number))

if __name__ == "__main__":
    context = multiprocessing.get_context("fork")
    with datatool.run("train"):
        child = context.Process(target=work, args=(0,))
        child.start()
        child.join()
        with ProcessPoolExecutor(1, mp_context=context) as pool:
            list(pool.map(work, [1]))
        with context.Pool(1) as pool:
            pool.map(work, [2])
            pool.close()
            pool.join()
        datatool.track("out/block.txt", output=True).write_text("block")
"""


def test_what_children_of_a_block_track_is_recorded_when_they_end(desk: World) -> None:
    desk.write("x.csv", NEW)
    done = script(desk, POOLS)
    assert done.code == 0, done.err
    found = records(desk)
    made = {record.name: [file.path for file in record.outputs] for record in found if record.name == "train"}
    assert made == {"train": [b"out/block.txt"]}
    assert sorted(path.name for path in (desk.root / "out").glob("*.dt")) == [
        *(f"{number}.txt.dt" for number in range(3)),
        "block.txt.dt",
    ]
    assert all(
        [file.path for file in record.inputs] == [b"x.csv"] for record in records(desk) if record.name != "train"
    )
    assert desk.json("status")["clean"]


LEAVES = """
import os
import datatool
with datatool.run("train") as run:
    datatool.track("block.txt", output=True).write_text("b")
    child = os.fork()
    if child == 0:
        datatool.track("child.txt", output=True).write_text("c")
        try:
            run.metrics(lost=1)
        except datatool.UsageError as error:
            print(error, flush=True)
        with datatool.run("own"):
            datatool.track("own.txt", output=True).write_text("o")
    else:
        assert os.waitpid(child, 0)[1] == 0
"""


def test_a_block_ends_in_the_process_that_began_it_only(desk: World) -> None:
    done = script(desk, LEAVES)
    assert done.code == 0, done.err
    assert "run train: was begun by another process" in done.out
    made = sorted((record.name, [file.path for file in record.outputs]) for record in records(desk))
    assert made == [("own", [b"own.txt"]), ("script.py", [b"child.txt"]), ("train", [b"block.txt"])]
    assert [record.metrics for record in records(desk)] == [{}] * 3


AT_THE_WORST_MOMENT = """
import datatool
import logging, os, signal, sys, threading

signal.alarm(20)
found, forking = threading.Event(), threading.Event()

class Slow:
    def find_spec(self, name, path=None, target=None):
        if name == sys.argv[1] and threading.current_thread() is thread:
            found.set()
            forking.wait()
            logging.getLogger("of a module that is imported")

def work(name):
    open(name, "w").write(name)
    datatool.track(name)
    with datatool.run(name):
        datatool.track(name)

thread = threading.Thread(target=work, args=("thread.txt",))
sys.meta_path.insert(0, Slow())
thread.start()
found.wait()
forking.set()
child = os.fork()
if child == 0:
    signal.alarm(20)
    work("child.txt")
    sys.exit()
thread.join()
assert os.waitpid(child, 0)[1] == 0, "the child hung"
"""


@pytest.mark.parametrize(
    "module", ["api.track", "api.runs", "operations.track.recording", "operations.runs.program_record"]
)
def test_a_child_that_is_forked_off_while_another_thread_loads_a_module_goes_on(module: str, desk: World) -> None:
    done = script(desk, AT_THE_WORST_MOMENT, f"datatool.{module}")
    assert done.code == 0, done.err
    assert desk.exists("thread.txt.dt") and desk.exists("child.txt.dt")
    assert desk.json("status")["clean"]
