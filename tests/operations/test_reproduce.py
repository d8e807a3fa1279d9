"""`datatool reproduce`: from an artifact back through the runs that made it."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from api.tracking import run_python, script
from datatool.formats.run_record import decode_run, encode_run
from datatool.hashing import digest
from datatool.model.oid import ObjectId
from datatool.model.run import RunCode, RunKind
from datatool.operations.open_project import open_project
from datatool.stages.run_store import find_runs, save_run
from world import World, tree


@pytest.fixture
def world(tmp_path: Path) -> World:
    """raw.csv → clean.csv and notes.txt (one run) → model.bin"""
    world = World(tmp_path)
    world.write("raw.csv", b"b\na\n")
    world.ok("add", "raw.csv")
    world.ok("run", "-d", "raw.csv", "-o", "clean.csv", "-o", "notes.txt", "--", "sh", "-c", CLEAN)
    world.ok("run", "-d", "clean.csv", "-d", "notes.txt", "-o", "model.bin", "--", "sh", "-c", TRAIN)
    world.commit()
    return world


CLEAN = "sort raw.csv > clean.csv; echo sorted > notes.txt; echo clean >> ../log"
TRAIN = "cat clean.csv notes.txt > model.bin; echo train >> ../log"


def reproduce(world: World, *words: str, code: int = 0) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = world.fails(code, "reproduce", *words, "--json").json["runs"]
    return found


def log(world: World) -> list[str]:
    """What was executed since the last look."""
    path = world.top / "log"
    lines = path.read_text().splitlines() if path.exists() else []
    path.write_text("")
    return lines


def actions(runs: list[dict[str, Any]]) -> list[tuple[str, list[str]]]:
    return [(run["action"], [file["path"] for file in run["outputs"]]) for run in runs]


def test_where_nothing_changed_nothing_runs(world: World) -> None:
    log(world)
    runs = reproduce(world, "model.bin")
    assert actions(runs) == [("unchanged", ["clean.csv", "notes.txt"]), ("unchanged", ["model.bin"])]
    assert log(world) == []
    assert world.git("status", "--porcelain") == ""


def test_what_changed_runs_again_in_order_and_each_run_once(world: World) -> None:
    world.write("raw.csv", b"d\nc\n")
    log(world)
    runs = reproduce(world, "model.bin", "clean.csv")
    assert actions(runs) == [("executed", ["clean.csv", "notes.txt"]), ("executed", ["model.bin"])]
    assert log(world) == ["clean", "train"]
    assert world.read("model.bin") == b"c\nd\nsorted\n"
    assert [(run["same"], run["differing"]) for run in runs] == [(False, ["clean.csv"]), (False, ["model.bin"])]
    assert world.json("status")["clean"]


def test_forced_all_of_it_runs_and_the_same_bytes_are_told_and_no_news(world: World) -> None:
    log(world)
    runs = reproduce(world, "--force", "model.bin")
    assert [(run["action"], run["same"]) for run in runs] == [("executed", True), ("executed", True)]
    assert log(world) == ["clean", "train"]
    assert world.git("status", "--porcelain") == ""


def test_a_dry_run_says_what_would_be_done_and_does_nothing(world: World) -> None:
    log(world)
    (world.root / "model.bin").unlink()
    assert [action for action, _ in actions(reproduce(world, "--dry-run", "model.bin"))] == ["unchanged", "restored"]
    world.write("raw.csv", b"new\n")
    before = world.tree()
    assert [action for action, _ in actions(reproduce(world, "--dry-run", "model.bin"))] == ["executed", "executed"]
    assert world.tree() == before
    assert log(world) == []


def test_a_step_whose_input_comes_out_the_same_does_not_run(world: World) -> None:
    world.write("raw.csv", b"a\nb\n")  # sorted already: clean.csv stays as it is
    log(world)
    assert [action for action, _ in actions(reproduce(world, "model.bin"))] == ["executed", "unchanged"]
    assert log(world) == ["clean"]


def test_a_failing_run_stops_what_depends_on_it_and_is_told(world: World) -> None:
    world.write("raw.csv", b"x\n")
    (world.root / "../log").resolve().unlink()
    (world.top / "log").mkdir()  # the redirection fails, and with it the command
    runs = reproduce(world, "model.bin", code=1)
    assert len(runs) == 1
    assert runs[0]["error"]["code"] == "command_failed"
    assert world.read("clean.csv") == b"a\nb\n"


def test_what_no_run_made_is_named(world: World) -> None:
    ran = world.fails(3, "reproduce", "raw.csv", "--json")
    assert "no run is known" in ran.error["message"]
    world.fails(3, "reproduce", "nothere")
    assert [action for action, _ in actions(reproduce(world, "."))] == ["unchanged", "unchanged"]


@pytest.mark.parametrize("target", ["moved.bin", "sub"])
@pytest.mark.parametrize("words", [(), ("--force",), ("--dry-run",)])
def test_what_was_moved_since_is_refused_with_both_names_and_nothing_is_made(
    world: World, words: tuple[str, ...], target: str
) -> None:
    """Its run would make it under its old name, as a second artifact."""
    (world.root / "sub").mkdir()
    if target == "sub":
        world.ok("move", "clean.csv", "sub/clean.csv")
    else:
        world.ok("move", "model.bin", target)
    world.commit()
    before = tree(world.root)
    log(world)
    error = world.fails(7, "reproduce", target, *words, "--json").error
    assert error["message"].startswith(
        "sub/clean.csv: was made as clean.csv" if target == "sub" else "moved.bin: was made as model.bin"
    )
    assert "datatool checkout" in error["hint"]
    assert (tree(world.root), log(world), world.git("status", "--porcelain")) == (before, [], "")


def test_an_input_that_was_moved_since_it_was_made_is_taken_as_it_is(world: World) -> None:
    world.ok("move", "clean.csv", "tidy.csv")
    world.ok("run", "-d", "tidy.csv", "-o", "model.bin", "--", "cp", "tidy.csv", "model.bin")
    ran = world.ok("reproduce", "model.bin", "--force", "--json")
    assert actions(ran.json["runs"]) == [("executed", ["model.bin"])]
    assert "tidy.csv: was moved since it was made" in ran.err
    assert not (world.root / "clean.csv").exists()


@pytest.mark.parametrize("place", ["C:x", ".datatool"])
def test_a_command_is_not_run_where_its_record_could_not_be_read_back(world: World, place: str) -> None:
    (world.root / place).mkdir(exist_ok=True)
    log(world)
    words = ("run", "--json", "-o", "../new", "--", "sh", "-c", "echo 1 > ../new; echo new >> ../../log")
    ran = world.fails(7, *words, cwd=world.root / place)
    assert "so no record of a run can name it; nothing was run" in ran.error["message"]
    assert log(world) == [] and not (world.root / "new").exists()


def test_a_script_is_recorded_where_its_record_can_not_name_the_directory(world: World) -> None:
    (world.root / "C:x").mkdir()
    code = f"import datatool\ndatatool.track({str(world.root / 'got')!r}, output=True).write_text('1')"
    script(world, code, cwd=world.root / "C:x")
    assert actions(reproduce(world, "got")) == [("unchanged", ["got"])]


def test_a_record_that_is_here_and_does_not_read_is_told_as_that(world: World) -> None:
    text = world.read("model.bin.dt").decode()
    old = text.split("run: ")[1].split()[0]
    data = b'{"datatool_run":1}'
    with open_project(str(world.root), flags={}, environ=world.env) as project:
        project.cache.keep([(digest(data), data)])
    world.write("model.bin.dt", text.replace(old, digest(data)).encode())
    error = world.fails(1, "reproduce", "model.bin", "--json").error
    assert "is here, and can't be read: " in error["message"]
    assert "push" not in error["hint"]


def test_a_command_that_held_a_secret_is_not_run_with_stars(world: World) -> None:
    world.ok("run", "-o", "got", "--", "sh", "-c", "echo --token=abc > got")
    assert actions(reproduce(world, "got")) == [("unchanged", ["got"])]
    ran = world.fails(1, "reproduce", "--force", "got", "--json")
    assert "held a secret" in ran.error["message"]
    assert world.read("got") == b"--token=abc\n"


def test_a_dry_run_foresees_what_a_run_with_a_secret_is_refused_for(world: World) -> None:
    world.write("in", b"1\n")
    world.ok("run", "-d", "in", "-o", "got", "-p", "password=abc", "--", "cp", "in", "got")
    assert actions(reproduce(world, "--dry-run", "got")) == [("unchanged", ["got"])]
    world.write("in", b"2\n")
    for before in (["status"], ["add", "in"]):  # recorded or not, it is not what the run read
        world.ok(*before)
        for words in (["--dry-run"], []):
            ran = world.fails(1, "reproduce", *words, "got", "--json")
            assert "held a secret" in ran.error["message"]
            assert actions(ran.json["runs"]) == [("failed", ["got"])]


def another_kind(world: World, kind: RunKind, path: str = "model.bin", **code: Any) -> None:
    """Make the run of an artifact one of another kind."""
    text = world.read(f"{path}.dt").decode()
    old = ObjectId(text.split("run: ")[1].split()[0])
    with open_project(str(world.root), flags={}, environ=world.env) as project:
        record = decode_run(project.cache.load(old))
        data = encode_run(replace(record, kind=kind, code=RunCode(**code), command=None, name="fit", parameters={}))
        project.cache.keep([(digest(data), data)])
    world.write(f"{path}.dt", text.replace(old, digest(data)).encode())


@pytest.mark.parametrize(
    ("kind", "hint"),
    [
        (RunKind.NOTEBOOK, "open work.ipynb"),
        (RunKind.BLOCK, "run work.ipynb again"),
        (RunKind.STAGE, "call the stage fit"),
    ],
)
def test_what_can_not_be_run_again_says_what_to_do_instead(world: World, kind: RunKind, hint: str) -> None:
    another_kind(world, kind, entry="work.ipynb")
    ran = world.fails(4, "reproduce", "--force", "model.bin", "--json")
    assert hint in ran.error["hint"]


@pytest.mark.parametrize(
    ("functions", "hint"),
    [
        ({"In[1]": "ab"}, "run the notebook again that has the block"),
        ({"-c": "ab"}, "run the program again that has the block"),
    ],
)
def test_of_a_block_in_a_program_without_a_file_its_own_name_is_not_taken_for_the_programs(
    world: World, functions: dict[str, str], hint: str
) -> None:
    another_kind(world, RunKind.BLOCK, functions=functions)
    assert world.fails(4, "reproduce", "--force", "model.bin", "--json").error["hint"] == hint


SCRIPT = """
import os
from pathlib import Path
from datatool.stages.notes import tell
Path("model.bin").write_text(Path("clean.csv").read_text() + Path("notes.txt").read_text())
tell(Path(os.environ["DATATOOL_RUN"]), Path.cwd(), outputs=[b"model.bin"], metrics={"accuracy": 0.5})
"""


def test_a_script_is_run_again_by_python_and_keeps_its_kind(world: World) -> None:
    world.write("train.py", SCRIPT.encode())
    another_kind(world, RunKind.SCRIPT, entry="train.py")
    first = reproduce(world, "model.bin")[-1]
    assert (first["action"], first["same"]) == ("executed", True)
    with open_project(str(world.root), flags={}, environ=world.env) as project:
        record = decode_run(project.cache.load(ObjectId(first["run"].removeprefix("sha256:"))))
    assert (record.kind, record.code.entry, record.command) == (RunKind.SCRIPT, "train.py", ("train.py",))
    assert record.metrics == {"accuracy": 0.5}
    assert [file.path for file in record.inputs] == [b"clean.csv", b"notes.txt"]
    assert reproduce(world, "model.bin")[-1]["action"] == "unchanged"
    world.write("train.py", SCRIPT.replace("0.5", "0.6").encode())
    assert reproduce(world, "model.bin")[-1]["action"] == "executed"
    assert sys.executable not in str(record)


def test_a_script_that_is_gone_is_named(world: World) -> None:
    another_kind(world, RunKind.SCRIPT, entry="gone.py")
    ran = world.fails(3, "reproduce", "model.bin", "--json")
    assert "gone.py" in ran.error["message"]
    assert "git log -- gone.py shows when it went" in ran.error["hint"]


ARGUMENTS = """
import sys
import datatool
datatool.track("ar.txt", output=True).write_text(sys.argv[-1] if sys.argv[1:] else "no arguments")
"""


def test_a_script_is_run_again_with_its_arguments(world: World) -> None:
    script(world, ARGUMENTS, "--mode", "production", name="ar.py")
    (world.root / "ar.txt").unlink()
    assert [run["action"] for run in reproduce(world, "ar.txt")] == ["restored"]
    assert [(run["action"], run["same"]) for run in reproduce(world, "--force", "ar.txt")] == [("executed", True)]
    assert world.read("ar.txt") == b"production"


WHERE = """
import sys
import datatool
datatool.track(sys.argv[1], output=True).write_text(open(sys.argv[2]).read())
"""


def test_a_script_is_run_again_where_it_was_run(world: World) -> None:
    world.write("where.py", WHERE.encode())
    world.write("jobs/config", b"of the jobs")
    world.write("config", b"of the top")
    assert run_python(world, "../where.py", "out.txt", "config", cwd=world.root / "jobs").code == 0
    assert run_python(world, "where.py", "out.txt", "config").code == 0
    assert [(run["action"], run["same"]) for run in reproduce(world, "--force", "jobs/out.txt", "out.txt")] == [
        ("executed", True),
        ("executed", True),
    ]
    assert (world.read("jobs/out.txt"), world.read("out.txt")) == (b"of the jobs", b"of the top")


MODULE = """
import sys
import datatool
from .words import WORDS
datatool.track("said.txt", output=True).write_text(WORDS + sys.argv[1])
"""


@pytest.mark.parametrize(("name", "module"), [("say", "lib.say"), ("__main__", "lib")])
def test_a_program_of_python_m_is_run_again_as_a_module(world: World, name: str, module: str) -> None:
    world.write(f"jobs/lib/{name}.py", MODULE.encode())
    world.write("jobs/lib/words.py", b"WORDS = 'hello '")
    world.write("jobs/lib/__init__.py", b"")
    assert run_python(world, "-m", module, "you", cwd=world.root / "jobs").code == 0
    (world.root / "jobs/said.txt").unlink()
    assert [run["action"] for run in reproduce(world, "jobs/said.txt")] == ["restored"]
    assert [(run["action"], run["same"]) for run in reproduce(world, "--force", ".")][-1] == ("executed", True)
    assert f"python -m {module} you" in world.ok("reproduce", "jobs/said.txt").err
    run_python(world, "-m", module, "--token=abc", cwd=world.root / "jobs")
    hint = world.fails(1, "reproduce", "--force", "jobs/said.txt", "--json").error["hint"]
    assert f"cd jobs && python -m {module} '--token=" in hint


def test_one_script_in_two_directories_is_two_runs(world: World) -> None:
    for place in (world.write("jobs/config", b"jobs").parent, world.write("config", b"top").parent):
        assert script(world, WHERE, "out.txt", "config", name="where.py", cwd=place).code == 0
    (world.root / "jobs/out.txt").unlink()
    assert actions(reproduce(world, "jobs/out.txt")) == [("restored", ["jobs/out.txt"])]
    assert world.read("jobs/out.txt") == b"jobs"


def test_a_directory_that_a_clone_lacks_is_made(world: World) -> None:
    (world.root / "empty").mkdir()
    assert script(world, WHERE, "../o.txt", "../raw.csv", name="where.py", cwd=world.root / "empty").code == 0
    (world.root / "empty").rmdir()
    assert actions(reproduce(world, "--force", "o.txt")) == [("executed", ["o.txt"])]


def test_a_record_without_a_directory_is_one_of_the_top(world: World) -> None:
    script(world, ARGUMENTS, "one", name="ar.py")
    text = world.read("ar.txt.dt").decode()
    old = ObjectId(text.split("run: ")[1].split()[0])
    with open_project(str(world.root), flags={}, environ=world.env) as project:
        record = decode_run(project.cache.load(old))
        assert record.directory == ""
        save_run(project.cache, replace(record, directory=None))
        known = find_runs(project.cache, record.fingerprint, record.project)
    other = next(run.oid for run in known if run.oid != old)
    world.write("ar.txt.dt", text.replace(old, other).encode())
    assert actions(reproduce(world, "ar.txt")) == [("unchanged", ["ar.txt"])]
    assert actions(reproduce(world, "--force", "ar.txt")) == [("executed", ["ar.txt"])]


def test_a_run_that_fails_is_named_by_its_words(world: World) -> None:
    script(world, ARGUMENTS, "one", name="ar.py")
    world.write("ar.py", b"raise SystemExit(3)\n")
    ran = world.fails(1, "reproduce", "ar.txt", "--json")
    assert ran.error["message"] == "ar.py one: failed with exit code 3; nothing was recorded"
    ran = world.fails(1, "run", "--json", "-o", "x", "--", "sh", "-c", "exit 4")
    assert ran.error["message"] == "sh -c 'exit 4': failed with exit code 4; nothing was recorded"


def test_only_what_is_executed_is_said_to_run(world: World) -> None:
    script(world, ARGUMENTS, "one", name="ar.py")
    (world.root / "ar.txt").unlink()
    assert "running:" not in world.ok("reproduce", "ar.txt").err
    assert "running: ar.py one for ar.txt" in world.ok("reproduce", "--force", "ar.txt").err


def test_a_program_of_python_c_is_said_to_be_known_by_its_hash_alone(world: World) -> None:
    assert run_python(world, "-c", ARGUMENTS, "one").code == 0
    ran = world.fails(1, "reproduce", "--force", "ar.txt", "--json")
    assert "started with python -c, of which only the hash" in ran.error["message"]


def test_a_program_from_standard_input_is_not_taken_for_one_of_python_c(world: World) -> None:
    code = b"import datatool; datatool.track('got.txt', output=True).write_text('1')"
    subprocess.run([sys.executable, "-"], input=code, cwd=world.root, env=world.env, check=True)
    error = world.fails(1, "reproduce", "--force", "got.txt", "--json").error
    assert error["message"] == "stdin: is no program in a file of this project; nothing was run"
    assert "standard input" in error["hint"]


def test_a_dry_run_foresees_that_unsaved_outputs_are_refused(world: World) -> None:
    world.write("model.bin", b"nobody saved this")
    for words in (("--dry-run",), ()):
        ran = world.run("reproduce", "model.bin", *words, "--json")
        assert (ran.code, ran.error["path"]) == (7, "model.bin")
        assert "unsaved changes" in ran.error["message"]
    assert world.ok("reproduce", "model.bin", "--dry-run", "--force")


def test_a_script_with_other_arguments_is_another_run(world: World) -> None:
    script(world, ARGUMENTS, "one", name="ar.py")
    script(world, ARGUMENTS, "two", name="ar.py")
    assert [run["action"] for run in reproduce(world, "ar.txt")] == ["unchanged"]
    assert world.read("ar.txt") == b"two"


def test_where_a_script_with_a_secret_has_to_be_run_by_hand_is_told(world: World) -> None:
    where = world.write("jobs/x", b"").parent
    script(world, ARGUMENTS, "--token", "abc", name="ar.py", cwd=where)
    ran = world.fails(1, "reproduce", "--force", "jobs/ar.txt", "--json")
    assert "cd jobs && python ../ar.py --token" in str(ran.json)


def test_a_script_that_was_given_a_secret_is_not_run_without_it(world: World) -> None:
    script(world, ARGUMENTS, "--token", "abc", name="ar.py")
    ran = world.fails(1, "reproduce", "--force", "ar.txt", "--json")
    assert "python ar.py --token" in str(ran.json) and world.read("ar.txt") == b"abc"


BLOCK = """
import datatool
with datatool.run("clean"):
    text = datatool.track("raw.csv").read_text()
    datatool.track("mid.txt", output=True).write_text(text.upper())
"""


@pytest.fixture
def block(world: World) -> World:
    """raw.csv → mid.txt, by a block of a program → out.txt, by a command; all of it pushed."""
    script(world, BLOCK, name="clean.py")
    world.ok("run", "-d", "mid.txt", "-o", "out.txt", "--", "sh", "-c", "wc -l < mid.txt > out.txt")
    world.commit()
    world.ok("push")
    return world


def test_an_unchanged_block_is_left_and_what_depends_on_it_is_looked_at(block: World) -> None:
    for words in (["--dry-run"], []):
        assert actions(reproduce(block, *words, "out.txt")) == [("unchanged", ["mid.txt"]), ("unchanged", ["out.txt"])]


def test_what_an_unchanged_block_made_is_brought_back_in_a_fresh_clone(block: World) -> None:
    fresh = block.clone()
    for words in (["--dry-run"], []):
        assert actions(reproduce(fresh, *words, "out.txt")) == [("restored", ["mid.txt"]), ("restored", ["out.txt"])]
    assert (fresh.read("mid.txt"), fresh.read("out.txt")) == (b"B\nA\n", b"2\n")


def test_a_dry_run_in_a_fresh_clone_does_not_take_a_block_for_changed_as_what_it_read_is_not_here(world: World) -> None:
    script(world, BLOCK.replace("raw.csv", "clean.csv"), name="clean.py")
    world.commit()
    world.ok("push")
    fresh = world.clone()
    for words in (["--dry-run"], []):
        assert [action for action, _ in actions(reproduce(fresh, *words, "mid.txt"))] == ["restored", "restored"]


@pytest.mark.parametrize(
    ("path", "content"),
    [("raw.csv", b"new\n"), ("clean.py", BLOCK.replace("upper", "lower").encode())],
)
def test_a_block_that_would_have_to_run_again_is_named(block: World, path: str, content: bytes) -> None:
    block.write(path, content)
    for words in (["--dry-run"], []):
        ran = block.fails(1, "reproduce", *words, "out.txt", "--json")
        assert actions(ran.json["runs"]) == [("failed", ["mid.txt"])]
        assert ran.error["message"] == "clean: is a block of a program, which no command runs again; nothing was run"


def test_a_block_behind_what_runs_again_fails_in_the_dry_run_too(world: World) -> None:
    script(world, BLOCK.replace("raw.csv", "clean.csv"), name="clean.py")
    world.write("raw.csv", b"c\n")
    for words in (["--dry-run"], []):
        runs = reproduce(world, *words, "mid.txt", code=4)
        assert [action for action, _ in actions(runs)] == ["executed", "failed"]


@pytest.mark.parametrize("fetched", [False, True])
def test_outdated_inputs_and_outputs_are_brought_as_the_dry_run_says(world: World, fetched: bool) -> None:
    world.ok("push")
    copy = world.clone()
    copy.ok("pull")
    world.write("raw.csv", b"d\nc\n")
    reproduce(world, "model.bin")
    world.commit("new")
    world.ok("push")
    world.git("push", "-q", str(world.origin), "HEAD")
    copy.git("pull", "-q")
    if fetched:
        copy.ok("fetch")
    before = copy.tree()
    log(world)
    planned = actions(reproduce(copy, "--dry-run", "model.bin"))
    assert copy.tree() == before
    assert planned == [("restored", ["clean.csv", "notes.txt"]), ("restored", ["model.bin"])]
    assert actions(reproduce(copy, "model.bin")) == planned
    assert log(world) == []
    assert copy.read("raw.csv") == b"d\nc\n" and copy.read("model.bin") == b"c\nd\nsorted\n"
    assert copy.json("status")["clean"]


def test_where_nobody_has_an_outdated_input_the_hint_brings_it_once_it_was_pushed(world: World) -> None:
    world.ok("push")
    copy = world.clone()
    copy.ok("pull")
    world.write("raw.csv", b"d\nc\n")
    world.ok("add", "raw.csv")
    world.commit("new")
    world.git("push", "-q", str(world.origin), "HEAD")
    copy.git("pull", "-q")
    (failed,) = reproduce(copy, "model.bin", code=4)
    assert failed["action"] == "failed" and "datatool push" in failed["error"]["hint"]
    world.ok("push")
    assert [run["action"] for run in reproduce(copy, "model.bin")] == ["executed", "executed"]
