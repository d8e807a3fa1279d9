"""`with datatool.run()`: one block, one record."""

from __future__ import annotations

import json
import logging
import os
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest

import datatool
from api.conftest import enter
from datatool.api.current_run import current_run, process_run
from datatool.api.ending import record
from datatool.api.run_end import end
from datatool.errors import UsageError
from datatool.model.oid import EMPTY
from datatool.model.pointer import ArtifactKind
from datatool.model.run import RunFile, RunKind
from world import World


@pytest.fixture
def study(world: World, monkeypatch: pytest.MonkeyPatch) -> World:
    """A project that the test's own process stands in."""
    enter(world, monkeypatch)
    return world


def records(world: World) -> list[dict[str, Any]]:
    """All records, by name and time."""
    found = []
    for lookup in (world.cache / "runs").glob("*/*/*"):
        oid = lookup.name
        found.append(json.loads((world.cache / "objects" / oid[:2] / oid[2:]).read_bytes()))
    return sorted(found, key=lambda record: (record["name"], record["started"]))


def tracks(world: World, path: str, data: bytes | None = None) -> None:
    """What `track` notes: an input, or with data an output that was written."""
    if data is None:
        file = RunFile(path=path.encode(), kind=ArtifactKind.FILE, oid=EMPTY, size=0)
        current_run().note_input(world.root, file)
    else:
        world.write(path, data)
        current_run().note_output(world.root, path.encode())


def test_a_block_is_one_record_of_what_was_tracked_in_it(study: World) -> None:
    with datatool.run("train", params={"lr": 0.1, "api_key": "abc"}) as run:
        tracks(study, "in.csv")
        tracks(study, "model.bin", b"model")
        run.metrics(accuracy=0.5)
        run.metrics(accuracy=0.97, loss=[1, 2])
    (record,) = records(study)
    assert (record["kind"], record["name"]) == ("block", "train")
    assert record["parameters"] == {"lr": 0.1, "api_key": "***"}
    assert record["metrics"] == {"accuracy": 0.97, "loss": [1, 2]}
    assert [file["path"] for file in record["inputs"]] == ["in.csv"]
    assert [file["path"] for file in record["outputs"]] == ["model.bin"]
    assert "run:" in study.read("model.bin.dt").decode()
    assert study.git("diff", "--cached", "--name-only") == "", "nothing is staged"
    assert study.json("status")["clean"]


def test_a_block_without_data_has_a_record_all_the_same_and_every_time(study: World) -> None:
    for _ in range(2):
        with datatool.run("evaluate") as run:
            run.metrics(accuracy=1)
    assert [record["metrics"] for record in records(study)] == [{"accuracy": 1}] * len(records(study))
    assert records(study)


def test_blocks_in_blocks_have_what_is_tracked_directly_in_them(study: World) -> None:
    with datatool.run("outer"):
        tracks(study, "a")
        with datatool.run("inner"):
            tracks(study, "b")
        tracks(study, "c")
    inner, outer = records(study)
    assert [file["path"] for file in inner["inputs"]] == ["b"]
    assert [file["path"] for file in outer["inputs"]] == ["a", "c"]


def test_a_thread_that_the_block_starts_belongs_to_it(study: World) -> None:
    with datatool.run("train") as run:
        threads = [
            threading.Thread(target=lambda n=n: (tracks(study, f"in{n}"), run.metrics(**{f"m{n}": n}))) for n in (1, 2)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    (record,) = records(study)
    assert [file["path"] for file in record["inputs"]] == ["in1", "in2"]
    assert record["metrics"] == {"m1": 1, "m2": 2}


def test_a_block_that_an_exception_leaves_is_not_recorded_and_one_line_says_so(
    study: World, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING, "datatool"), pytest.raises(ZeroDivisionError), datatool.run("train"):
        tracks(study, "model.bin", b"half")
        raise ZeroDivisionError
    assert [message for message in caplog.messages if "ZeroDivisionError" in message and "train" in message]
    assert records(study) == []
    assert not study.exists("model.bin.dt")
    assert study.read("model.bin") == b"half"


def test_where_nothing_may_be_recorded_nothing_is(study: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CI", "true")
    with datatool.run("train"):
        tracks(study, "model.bin", b"model")
    assert not study.exists("model.bin.dt")
    assert records(study) == []


@pytest.mark.parametrize("value", [object(), {1: 2}, [object()]])
def test_what_json_has_not_is_refused_where_it_is_given(study: World, value: object) -> None:
    with pytest.raises(UsageError, match="params: x"):
        datatool.run(params={"x": value})
    with datatool.run() as run, pytest.raises(UsageError, match="metrics: x"):
        run.metrics(x=value)


@pytest.mark.parametrize("name", [3, None, b"train", Path("train")])
def test_a_name_that_is_no_text_is_refused_before_anything_runs(study: World, name: Any) -> None:
    with pytest.raises(UsageError, match="name of a run"):
        datatool.run(name)


def test_metrics_after_the_block_are_refused_rather_than_lost(study: World) -> None:
    with datatool.run("late") as run:
        run.metrics(accuracy=0.5)
    with pytest.raises(UsageError, match="late: has ended"):
        run.metrics(accuracy=0.9)
    assert records(study)[0]["metrics"] == {"accuracy": 0.5}


def test_numbers_of_libraries_paths_and_what_is_no_number_become_plain(study: World) -> None:
    numpy = pytest.importorskip("numpy")
    with datatool.run("train", params={"path": Path("a/b"), "layers": (64, 32)}) as run:
        run.metrics(a=numpy.float32(0.5), b=numpy.arange(2), c=float("nan"))
    (record,) = records(study)
    assert record["parameters"] == {"path": "a/b", "layers": [64, 32]}
    assert record["metrics"] == {"a": 0.5, "b": [0, 1], "c": "nan"}


def test_a_process_leaves_no_second_record_of_the_same(study: World) -> None:
    for text in ("one", "one", "two"):
        tracks(study, "out.txt", text.encode())
        end(process_run(), kind=RunKind.SCRIPT, name="job.py", entry=None, started=1.0, record=record)
    assert len(records(study)) == 2


PROGRAM = """
import os, pathlib, datatool
from datatool.api.current_run import current_run
with datatool.run("train", params={"lr": 0.1}) as run:
    pathlib.Path("model.bin").write_bytes(b"model")
    current_run().note_output(pathlib.Path.cwd(), b"model.bin")
    run.metrics(accuracy=0.9)
"""


def test_inside_a_command_it_belongs_to_the_run_of_the_command(study: World) -> None:
    study.write("train.py", PROGRAM.encode())
    study.commit()
    study.ok("run", "-p", "seed=1", "--", sys.executable, "-P", "train.py")
    (record,) = records(study)
    assert record["kind"] == "command"
    assert record["parameters"] == {"seed": 1}
    assert record["noted_parameters"] == {"lr": 0.1}
    assert record["metrics"] == {"accuracy": 0.9}
    assert [(file["path"], file["noted"]) for file in record["outputs"]] == [("model.bin", True)]


def test_a_script_by_itself_names_its_entry_and_the_code_that_it_reaches(study: World) -> None:
    study.write("train.py", PROGRAM.encode())
    study.commit()
    environ = {**os.environ, "PYTHONPATH": str(Path(datatool.__file__).parents[1])}
    subprocess.run([sys.executable, "train.py"], cwd=study.root, env=environ, check=True, timeout=60)
    (record,) = records(study)
    assert record["code"]["entry"] == "train.py"
    assert list(record["code"]["functions"]) == ["train.py"]
    assert "diff" not in record["code"]


@pytest.mark.parametrize("params", [[1], [], "lr=1", 7])
def test_parameters_that_have_no_names_are_refused(params: Any) -> None:
    with pytest.raises(UsageError, match="params: must be a mapping"):
        datatool.run(params=params)
