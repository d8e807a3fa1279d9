"""A script or notebook as a path: it stands for the data that it tracks."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

import datatool
from datatool.operations.open_project import open_project
from datatool.operations.scripts import meant_by
from world import World

TRAIN = b"""
from pathlib import Path
from datatool import track
from paths import TABLE

DATA = Path("data")

def main():
    return track(DATA / "raw"), track("model.bin"), track(TABLE)

main()
"""


@pytest.fixture
def copy(world: World) -> World:
    """A fresh clone of a project with four artifacts, of which a script tracks three."""
    for name in ("data/raw/a.csv", "data/raw/b.csv", "model.bin", "table.csv", "other.bin"):
        world.write(name, name.encode())
    world.write("train.py", TRAIN)
    world.write("paths.py", b"TABLE = 'table.csv'\n")
    world.ok("add", "data/raw", "model.bin", "table.csv", "other.bin")
    world.commit("data and code")
    world.ok("push")
    return world.clone()


def oks(document: object) -> dict[str, bool]:
    return {item["path"]: item["ok"] for item in document["artifacts"]}  # type: ignore[index]


def test_pull_brings_what_a_script_tracks_on_a_fresh_clone_before_any_run(copy: World) -> None:
    done = copy.json("pull", "train.py")
    assert oks(done) == {"data/raw": True, "model.bin": True, "table.csv": True}
    assert copy.read("data/raw/a.csv") == b"data/raw/a.csv" and copy.read("table.csv") == b"table.csv"
    assert not copy.exists("other.bin")


def test_python_functions_take_scripts_too(copy: World) -> None:
    done = datatool.pull("train.py", project=copy.root)
    assert [item.path for item in done.artifacts] == ["data/raw", "model.bin", "table.csv"]
    assert [item.path for item in datatool.status("train.py", project=copy.root).artifacts] == [
        item.path for item in done.artifacts
    ]
    assert copy.read("model.bin") == b"model.bin" and not copy.exists("other.bin")


def test_fetch_and_checkout_are_its_two_halves(copy: World) -> None:
    assert set(oks(copy.json("fetch", "train.py"))) == {"data/raw", "model.bin", "table.csv"}
    assert not copy.exists("model.bin")
    copy.remote.rename(copy.top / "away")
    done = copy.json("checkout", "train.py")
    assert [item["path"] for item in done["artifacts"]] == ["data/raw", "model.bin", "table.csv"]
    assert copy.read("model.bin") == b"model.bin" and not copy.exists("other.bin")


def test_status_shows_the_data_of_a_script(copy: World) -> None:
    copy.ok("pull", "model.bin")
    found = copy.json("status", "train.py")["artifacts"]
    assert {item["path"]: item["state"] for item in found} == {
        "data/raw": "absent",
        "model.bin": "clean",
        "table.csv": "absent",
    }
    remote = copy.json("status", "--remote", "train.py")["artifacts"]
    assert [item["remote"] for item in remote] == [True, True, True]


def test_a_notebook_stands_for_what_its_cells_track(copy: World) -> None:
    cells = ["%pip list", "import datatool as dt\nraw = dt.track('../table.csv')", "dt.track('model.bin')"]
    document = {"cells": [{"cell_type": "code", "source": cell} for cell in cells], "nbformat": 4}
    copy.write("notes/study.ipynb", json.dumps(document).encode())
    assert oks(copy.json("pull", "notes/study.ipynb")) == {"model.bin": True, "table.csv": True}


def test_scripts_and_other_paths_are_named_together(copy: World) -> None:
    copy.write("small.py", b"import datatool\ndatatool.track('model.bin')\n")
    assert set(oks(copy.json("pull", "small.py", "other.bin", "data/raw/a.csv"))) == {
        "model.bin",
        "other.bin",
        "data/raw",
    }
    assert not copy.exists("data/raw/b.csv")


def test_a_path_means_the_working_directory_then_the_scripts_then_the_root(copy: World) -> None:
    copy.write("jobs/near.bin", b"near")
    copy.write("jobs/fit.py", b"from datatool import track\ntrack('near.bin'); track('model.bin')\n")
    copy.ok("add", "jobs/near.bin")
    (copy.root / "jobs/near.bin").unlink()
    for cwd in (copy.root, copy.root / "jobs", copy.root / "data"):
        script = {"project": "jobs/fit.py", "clone": "jobs/fit.py", "jobs": "fit.py", "data": "../jobs/fit.py"}[
            cwd.name
        ]
        found = copy.json("status", script, cwd=cwd)["artifacts"]
        assert [item["path"] for item in found] == ["jobs/near.bin", "model.bin"]
    copy.write("near.bin", b"nearer")
    copy.ok("add", "near.bin")
    assert [item["path"] for item in copy.json("status", "jobs/fit.py")["artifacts"]] == ["model.bin", "near.bin"]
    assert copy.ok("pull", "../jobs/fit.py", cwd=copy.root / "data").code == 0 and copy.exists("model.bin")


def test_what_a_script_needs_and_nobody_has_recorded_is_listed_and_the_rest_comes(copy: World) -> None:
    copy.write("fit.py", b"from datatool import track\ntrack('model.bin')\ntrack('lost.csv')\n")
    ran = copy.fails(4, "pull", "fit.py")
    assert "lost.csv: fit.py:3 tracks it, and it is neither here nor recorded" in ran.err
    assert "datatool add lost.csv" in ran.err and copy.exists("model.bin")
    done = copy.run("pull", "fit.py", "--json")
    assert oks(done.json) == {"lost.csv": False, "model.bin": True}
    shown = copy.fails(3, "status", "fit.py", "--json").json["artifacts"]
    assert [(item["path"], item["state"]) for item in shown] == [("lost.csv", "absent"), ("model.bin", "clean")]


def test_what_a_script_makes_or_may_do_without_need_not_be_recorded(copy: World) -> None:
    copy.write(
        "fit.py",
        b"from datatool import track\ntrack('model.bin')\ntrack('out.csv', output=True)\n"
        b"track('api.json', source=fetch)\ntrack('a' if x else 'b')\n",
    )
    assert oks(copy.json("pull", "fit.py")) == {"model.bin": True}


def test_what_is_not_known_before_the_script_runs_is_a_hint(copy: World) -> None:
    copy.write("fit.py", b"import sys\nfrom datatool import track\ntrack('model.bin')\ntrack(sys.argv[1])\n")
    ran = copy.ok("pull", "fit.py")
    assert "hint: fit.py: what it tracks at fit.py:4 can't be known before it runs" in ran.err
    assert copy.ok("pull", "fit.py", "-q").err == ""


@pytest.mark.parametrize(
    ("code", "message", "hint"),
    [
        (b"print(1)\n", "fit.py: tracks no data", "looked for datatool.track(…) and datatool.File(…) in it"),
        (
            b"import sys\nfrom datatool import track\ntrack(sys.argv[1])\n",
            "fit.py: tracks no data",
            "what it tracks at fit.py:3 can't be known before it runs: name the data itself",
        ),
        (
            b"from datatool import track\ntrack('paths.py')\n",
            "fit.py: what it tracks is not recorded yet",
            "datatool add paths.py records it, as does running fit.py",
        ),
    ],
)
def test_a_script_that_stands_for_nothing_is_an_error_that_says_what_was_looked_for(
    copy: World, code: bytes, message: str, hint: str
) -> None:
    copy.write("fit.py", code)
    for command in ("pull", "fetch", "checkout", "status"):
        error = copy.fails(3, command, "fit.py", "--json").error
        assert error["message"] == message and error["hint"].startswith(hint) and error["path"] == "fit.py"


def test_one_script_that_stands_for_nothing_does_not_stop_the_others(copy: World) -> None:
    copy.write("empty.py", b"print(1)\n")
    ran = copy.fails(4, "pull", "train.py", "empty.py")
    assert "empty.py: tracks no data" in ran.err and copy.exists("model.bin")


def test_a_script_that_does_not_read_says_where(copy: World) -> None:
    copy.write("fit.py", b"from datatool import track\ntrack('model.bin'\n")
    error = copy.fails(1, "pull", "fit.py", "--json").error
    assert error["message"] == "fit.py: is no Python: '(' was never closed (line 2)"


def test_a_module_that_does_not_read_is_a_warning(copy: World) -> None:
    copy.write("paths.py", b"TABLE = (\n")
    ran = copy.ok("pull", "train.py")
    assert "warning: paths.py: is no Python: '(' was never closed (line 1); what it tracks was left out" in ran.err
    assert copy.exists("model.bin") and not copy.exists("table.csv")


def test_a_script_that_is_missing_is_named_with_the_nearest(copy: World) -> None:
    error = copy.fails(3, "pull", "trian.py", "--json").error
    assert error["message"] == "trian.py: no such artifact, file or directory"
    assert error["hint"] == "did you mean train.py?"


def test_a_script_outside_the_project_is_refused_by_name(copy: World) -> None:
    (copy.top / "outside.py").write_bytes(b"import datatool\ndatatool.track('model.bin')\n")
    error = copy.fails(3, "pull", "../outside.py", "--json").error
    assert error["message"].startswith("../outside.py: outside the project at ")


def test_a_script_that_is_data_itself_is_pulled_as_such(copy: World) -> None:
    copy.write("tool.py", b"import datatool\ndatatool.track('model.bin')\n")
    copy.write("tools/one.py", b"import datatool\ndatatool.track('model.bin')\n")
    copy.ok("add", "tool.py", "tools")
    found = copy.json("status", "tool.py", "tools/one.py")["artifacts"]
    assert [item["path"] for item in found] == ["tool.py", "tools"]


def test_a_path_outside_the_project_is_left_out(copy: World) -> None:
    copy.write("fit.py", b"from datatool import track\ntrack('model.bin'); track('/etc/hosts'); track('../../x')\n")
    assert oks(copy.json("pull", "fit.py")) == {"model.bin": True}


def test_only_commands_that_bring_or_show_data_read_scripts(copy: World) -> None:
    for command in (("push",), ("remove",), ("update",)):
        error = copy.fails(3, *command, "train.py", "--json").error
        assert error["message"] == "train.py: not tracked by datatool"


def test_nothing_of_a_script_runs(copy: World) -> None:
    copy.write("fit.py", b"open('made', 'w')\nfrom datatool import track\ntrack('model.bin')\n")
    copy.ok("pull", "fit.py")
    assert not copy.exists("made")


def test_what_the_last_run_read_counts_beside_the_text(copy: World) -> None:
    copy.write("fit.py", b"import sys\nfrom datatool import track\ntrack('model.bin')\ntrack(sys.argv[1])\n")
    env = {name: value for name, value in copy.env.items() if name not in ("CI", "DATATOOL_FROZEN")}
    for path in ("other.bin", "data/raw/a.csv"):
        subprocess.run([sys.executable, "fit.py", path], cwd=copy.root, env=env, check=True)
    for path in ("model.bin", "other.bin", "data/raw/a.csv"):
        (copy.root / path).unlink()
    copy.ok("pull", "fit.py")
    assert copy.read("model.bin") == b"model.bin" and copy.read("data/raw/a.csv") == b"data/raw/a.csv"
    assert not copy.exists("other.bin")  # what an earlier run read


def test_a_fresh_clone_knows_what_runs_elsewhere_read_where_a_pointer_names_them(world: World) -> None:
    code = b"import sys\nfrom datatool import track\nread = track(sys.argv[1]).read_text()\n"
    code += b"track('out.txt', output=True).write_text(read)\n"
    world.write("fit.py", code)
    world.write("in.csv", b"1")
    env = {name: value for name, value in world.env.items() if name not in ("CI", "DATATOOL_FROZEN")}
    subprocess.run([sys.executable, "fit.py", "in.csv"], cwd=world.root, env=env, check=True)
    world.commit("data and code")
    world.ok("push")
    copy = world.clone()
    assert oks(copy.json("pull", "fit.py")) == {"in.csv": True}
    assert copy.read("in.csv") == b"1" and not copy.exists("out.txt")
    again = world.clone("again")
    assert [item.path for item in datatool.pull("fit.py", project=again.root).artifacts] == ["in.csv"]


BLOCKS = b"""
import sys, datatool
around, first, second, third = sys.argv[1:]
datatool.track(around)
with datatool.run("prepare"):
    datatool.track(first)
    datatool.track("mid.txt", output=True).write_text(first)
with datatool.run("train"):
    datatool.track(second)
    datatool.track(third)
    datatool.track("out.txt", output=True).write_text(second)
with datatool.run("report"):
    datatool.track("report.txt", output=True).write_text("report")
"""


def test_what_a_script_read_in_its_blocks_and_around_them_comes_too(world: World) -> None:
    world.write("fit.py", BLOCKS)
    env = {name: value for name, value in world.env.items() if name not in ("CI", "DATATOOL_FROZEN")}
    for names in ("old0 old1 old2 old3", "in0 in1 in2 in3"):
        for name in names.split():
            world.write(name, name.encode())
        subprocess.run([sys.executable, "fit.py", *names.split()], cwd=world.root, env=env, check=True)
    world.commit("data and code")
    world.ok("push")
    for number in range(4):
        (world.root / f"in{number}").unlink()
        (world.root / f"old{number}").unlink()
    assert sorted(oks(world.json("pull", "fit.py"))) == ["in0", "in1", "in2", "in3"]
    assert not world.exists("old0")
    copy = world.clone()
    assert sorted(oks(copy.json("pull", "fit.py"))) == ["in1", "in2", "in3"], "what a pointer's run read"


def test_recorded_inputs_that_are_gone_are_passed_over(copy: World) -> None:
    copy.write("fit.py", b"import sys\nfrom datatool import track\ntrack('model.bin')\ntrack(sys.argv[1])\n")
    asked: list[bytes] = []

    def recorded(project: object, entry: bytes) -> list[bytes]:
        asked.append(entry)
        return [b"data/raw/a.csv", b"gone.csv", b"model.bin"]

    with open_project(str(copy.root), flags={}, environ=copy.env) as project:
        meant = meant_by(project, ["fit.py", "other.bin"], cwd=copy.root, recorded=recorded)
    assert meant.targets == ("model.bin", str(Path("data/raw/a.csv")), "other.bin") and meant.lacking == ()
    assert asked == [b"fit.py"]


def test_of_what_a_script_tracks_and_nobody_recorded_status_claims_no_pointer(world: World) -> None:
    world.write("new.csv", b"1")
    world.ok("add", "new.csv")
    world.write("some.py", b"import datatool\ndatatool.track('new.csv')\ndatatool.track('never.csv')\n")
    line = next(line for line in world.run("status", "some.py").out.splitlines() if "never.csv" in line)
    assert line.split() == ["absent", "never.csv", "not", "recorded", "yet"]


def test_a_script_that_only_writes_is_told_as_that(world: World) -> None:
    world.write("some.py", b"import datatool\ndatatool.track('out.csv', output=True)\n")
    for command in ("pull", "status"):
        error = world.fails(3, command, "some.py", "--json").error
        assert error["message"] == "some.py: reads no data, it only writes"
        assert "out.csv" in error["hint"]
