"""`datatool run`: what it records, when it does not run again, and that nothing is lost by it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from world import DATATOOL, Ran, World

UPPER = "import sys; open(sys.argv[2], 'w').write(open(sys.argv[1]).read().upper())"


@pytest.fixture
def world(tmp_path: Path) -> World:
    """A project with an input that git does not know, and a program that git tracks."""
    world = World(tmp_path)
    world.write("upper.py", UPPER.encode())
    world.commit("program")
    world.write("in.csv", b"a\n")
    return world


def run(world: World, *options: str, code: int = 0, words: tuple[str, ...] = (), cwd: Path | None = None) -> Ran:
    command = words or (sys.executable, "upper.py", "in.csv", "out.csv")
    if not words:
        options = ("-d", "in.csv", "-o", "out.csv", *options)
    return world.fails(code, "run", *options, "--json", "--", *command, cwd=cwd)


def shell(world: World, script: str, *options: str, code: int = 0) -> Ran:
    return run(world, *options, code=code, words=("sh", "-c", script))


def record(world: World, ran: Any) -> dict[str, Any]:
    oid = ran["run"].removeprefix("sha256:")
    found: dict[str, Any] = json.loads((world.cache / "objects" / oid[:2] / oid[2:]).read_bytes())
    return found


def lost_and_found(world: World) -> dict[str, bytes]:
    top = world.local / "lost+found"
    return {path.relative_to(top).parts[-1]: path.read_bytes() for path in top.rglob("*") if path.is_file()}


# What is recorded


def test_a_command_is_run_its_output_tracked_and_its_record_named_by_the_pointer(world: World) -> None:
    ran = run(world, "-p", "lr=0.1", "-p", "mode=fast", "--name", "copy").json
    assert ran["action"] == "executed"
    assert world.read("out.csv") == b"A\n"
    assert f"run: {ran['run'].removeprefix('sha256:')}".encode() in world.read("out.csv.dt")
    found = record(world, ran)
    assert found["kind"] == "command"
    assert found["name"] == "copy"
    assert found["command"] == [sys.executable, "upper.py", "in.csv", "out.csv"]
    assert found["directory"] == ""
    assert found["parameters"] == {"lr": 0.1, "mode": "fast"}
    assert [(file["path"], file["size"]) for file in found["inputs"]] == [("in.csv", 2)]
    assert [file["path"] for file in found["outputs"]] == ["out.csv"]
    assert found["code"]["commit"] == world.git("rev-parse", "HEAD")
    assert found["fingerprint"] == ran["fingerprint"]
    lookup = world.cache / "runs" / ran["fingerprint"][:2] / ran["fingerprint"][2:]
    assert [path.name for path in lookup.iterdir()] == [ran["run"].removeprefix("sha256:")]
    assert world.exists("in.csv.dt"), "an input that nobody tracked is tracked now"
    assert {"out.csv.dt", ".gitignore"} <= set(ran["staged"])
    assert world.json("status")["clean"]


def test_a_word_too_long_for_a_file_name_is_no_file(world: World) -> None:
    shell(world, f"printf {'x' * 300} > out.csv", "-o", "out.csv")
    assert world.read("out.csv") == b"x" * 300
    run(world, "-o", "said", words=("sh", "-c", 'echo "$1" > said', "-m", "x" * 300))
    assert world.read("said") == b"x" * 300 + b"\n"


def test_nothing_below_a_tracked_file_can_be_an_input(world: World) -> None:
    world.ok("add", "in.csv")
    assert "in.csv/x: no such" in world.fails(3, "run", "-d", "in.csv/x", "-o", "out.csv", "--", "true").err


def test_an_option_of_the_command_without_dashes_before_it_is_explained(world: World) -> None:
    ran = world.fails(2, "run", "-o", "s.txt", "sh", "-c", "echo 1 > s.txt")
    assert "no option -c" in ran.err and "datatool run … -- COMMAND" in ran.err


def test_what_git_tracks_counts_by_content_and_stays_gits(world: World) -> None:
    world.write("src/a.txt", b"1")
    world.write("src/b.txt", b"2")
    world.commit()
    first = shell(world, "cat src/*.txt > all.txt", "-d", "src", "-o", "all.txt").json
    assert [file["path"] for file in first["inputs"]] == ["src/a.txt", "src/b.txt"]
    assert not world.exists("src.dt")
    world.write("src/b.txt", b"3")
    again = shell(world, "cat src/*.txt > all.txt", "-d", "src", "-o", "all.txt").json
    assert again["action"] == "executed"
    assert world.read("all.txt") == b"13"


def test_a_part_of_an_artifact_is_an_input_by_itself(world: World) -> None:
    world.write("data/a.csv", b"1")
    world.write("data/sub/b.csv", b"2")
    world.ok("add", "data")
    script = "cat data/a.csv data/sub/b.csv > out"
    options = ("-d", "data/a.csv", "-d", "data/sub", "-o", "out")
    found = shell(world, script, *options).json["inputs"]
    assert [(file["path"], file["kind"]) for file in found] == [("data/a.csv", "file"), ("data/sub", "directory")]
    world.write("data/other.csv", b"not an input")
    assert shell(world, script, *options).json["action"] == "unchanged"
    world.write("data/sub/b.csv", b"3")
    assert shell(world, script, *options).json["action"] == "executed"


def test_a_changed_input_is_recorded_so_that_the_record_names_what_can_be_had_again(world: World) -> None:
    world.ok("add", "in.csv")
    world.write("in.csv", b"b\n")
    run(world)
    assert world.json("status", "in.csv")["artifacts"][0]["state"] == "clean"


def test_a_directory_is_an_output_and_holds_only_what_the_run_wrote(world: World) -> None:
    shell(world, "mkdir out; echo 1 > out/a; echo 1 > out/b", "-o", "out")
    shell(world, "mkdir out; echo 2 > out/a", "-o", "out")
    assert world.tree("out") == {"a": b"2\n"}
    assert world.json("status")["clean"]


def test_it_runs_where_the_user_is(world: World) -> None:
    (world.root / "src").mkdir()
    ran = run(world, "-o", "here.txt", words=("sh", "-c", "pwd > here.txt"), cwd=world.root / "src").json
    assert world.read("src/here.txt").decode().strip() == str(world.root / "src")
    assert record(world, ran)["directory"] == "src"


def test_a_parameter_is_in_the_environment_of_the_command(world: World) -> None:
    script = 'echo "$DATATOOL_PARAM_lr $DATATOOL_PARAM_on $DATATOOL_PARAM_name" > out'
    shell(world, script, "-o", "out", "-p", "lr=1e-3", "-p", "on=true", "-p", "name=a b")
    assert world.read("out") == b"1e-3 true a b\n"


def test_no_secret_is_in_a_record(world: World) -> None:
    script = "echo $DATATOOL_PARAM_api_key > out; true --password abc123 https://me:abc123@host"
    ran = shell(world, script, "-o", "out", "-p", "api_key=abc123", "--json")
    assert world.read("out") == b"abc123\n"
    assert "abc123" not in json.dumps(record(world, ran.json))


@pytest.mark.parametrize("name", ["api_key", "token_dropout", "token_value"])
def test_a_command_with_another_secret_is_another_command(world: World, name: str) -> None:
    made = []
    for value in ("first", "second", "first"):
        ran = shell(world, f"echo $DATATOOL_PARAM_{name} > out", "-o", "out", "-p", f"{name}={value}")
        made.append((ran.json["action"], world.read("out")))
    assert made == [("executed", b"first\n"), ("executed", b"second\n"), ("restored", b"first\n")]


def test_secrets_among_the_words_tell_commands_apart(world: World) -> None:
    words = ("sh", "-c", 'echo "$1" > out', "sh")
    for text in ("--token=a", "--token=b", "https://me:c@host", "https://me:d@host", "--token=***", "--token=a"):
        run(world, "-o", "out", words=(*words, text))
        assert world.read("out") == f"{text}\n".encode()


def test_what_tells_secrets_apart_tells_nobody_else_what_they_are(world: World) -> None:
    """A plain hash would let anybody try what a short secret may be."""
    script = ("true $DATATOOL_PARAM_pin > out", "-o", "out", "-p", "pin=4711")
    first = record(world, shell(world, *script).json)
    (world.home / ".cache/datatool/stage.key").unlink()
    ran = shell(world, *script).json
    assert ran["action"] == "executed"
    second = record(world, ran)
    assert first["secrets"] != second["secrets"] and first["fingerprint"] != second["fingerprint"]


def test_a_run_with_a_secret_is_never_restored_where_nothing_can_be_kept(world: World) -> None:
    (world.home / ".cache").mkdir(exist_ok=True)
    (world.home / ".cache/datatool").write_bytes(b"in the way")
    for _ in range(2):
        assert shell(world, "true > out", "-o", "out", "-p", "token=abc").json["action"] == "executed"


def test_input_and_output_are_passed_through(world: World) -> None:
    words = [*DATATOOL, "run", "-o", "out", "--", "sh", "-c", "cat; echo said >&2; touch out"]
    done = subprocess.run(words, cwd=world.root, env=world.env, input=b"typed", capture_output=True, timeout=60)
    assert (done.returncode, done.stdout) == (0, b"typed")
    assert done.stderr.startswith(b"said\n")
    assert b"recorded" in done.stderr


def test_under_json_what_the_command_says_goes_to_standard_error(world: World) -> None:
    done = world.process("run", "-o", "out", "--json", "--", "sh", "-c", "echo said; touch out")
    assert done.json["action"] == "executed"
    assert "said" in done.err


# When it need not run


def test_people_are_told_what_became_of_it_and_scripts_of_quiet_nothing(world: World) -> None:
    words = ("run", "-d", "in.csv", "-o", "out.csv", "--", "cp", "in.csv", "out.csv")
    made = world.ok(*words)
    assert made.out == "" and "recorded  run " in made.err and "new  out.csv  2 B" in made.err
    (world.root / "out.csv").unlink()
    assert "back  out.csv" in world.ok(*words).err
    assert "unchanged  nothing it depends on has changed" in world.ok(*words).err
    assert world.ok("run", "-q", *words[1:]).err == ""


def test_nothing_changed_so_it_does_not_run_and_the_pointer_stays_as_it_is(world: World) -> None:
    run(world)
    world.commit()
    before = world.read("out.csv.dt")
    again = run(world)
    assert again.json["action"] == "unchanged"
    (world.root / "out.csv").unlink()
    assert run(world).json["action"] == "restored"
    assert world.read("out.csv") == b"A\n"
    assert world.read("out.csv.dt") == before
    assert world.git("status", "--porcelain") == ""


def test_forced_it_runs_and_the_same_bytes_are_no_news_to_git(world: World) -> None:
    first = run(world).json
    world.commit()
    forced = run(world, "--force").json
    assert forced["action"] == "executed"
    assert forced["outputs"][0]["changed"] is False
    assert world.git("status", "--porcelain") == ""
    lookup = world.cache / "runs" / first["fingerprint"][:2] / first["fingerprint"][2:]
    assert len(list(lookup.iterdir())) == 2, "every execution has a record"


@pytest.mark.parametrize("change", ["input", "program", "import", "parameter", "words"])
def test_what_determines_it_changed_so_it_runs(world: World, change: str) -> None:
    world.write("upper.py", b"import helper\n" + UPPER.encode())
    world.write("helper.py", b"")
    run(world)
    if change == "words":
        assert run(world, "-d", "in.csv", "-o", "o", words=("cp", "in.csv", "o")).json["action"] == "executed"
        return
    files = {"input": ("in.csv", b"b\n"), "program": ("upper.py", UPPER.encode()), "import": ("helper.py", b"1\n")}
    if change in files:
        world.write(*files[change])
    options = ("-p", "a=1") if change == "parameter" else ()
    assert run(world, *options).json["action"] == "executed"


def test_a_command_that_made_nothing_is_run_each_time(world: World) -> None:
    assert [shell(world, "true").json["action"] for _ in range(2)] == ["executed", "executed"]


def test_a_link_that_git_tracks_stands_for_what_it_leads_to(world: World) -> None:
    world.write("src/a.txt", b"1")
    (world.root / "link.txt").symlink_to("src/a.txt")
    (world.root / "out-of-it").symlink_to("/etc/passwd")
    world.commit()
    found = shell(world, "cp link.txt out", "-d", "link.txt", "-o", "out").json["inputs"]
    assert [file["path"] for file in found] == ["src/a.txt"]
    shell(world, "touch out2", "-d", "out-of-it", "-o", "out2", code=3)


def test_going_back_to_an_earlier_input_brings_back_the_earlier_output(world: World) -> None:
    first = run(world).json
    world.write("in.csv", b"b\n")
    run(world)
    world.write("in.csv", b"a\n")
    back = run(world).json
    assert (back["action"], back["run"]) == ("restored", first["run"])
    assert world.read("out.csv") == b"A\n"
    assert world.json("status")["clean"]


def test_an_earlier_output_that_nobody_has_any_more_is_made_again(world: World) -> None:
    run(world)
    oid = next(line for line in world.read("out.csv.dt").decode().splitlines() if "oid" in line).split(":")[-1]
    (world.root / "out.csv").unlink()
    (world.cache / "objects" / oid[:2] / oid[2:]).unlink()
    assert run(world).json["action"] == "executed"
    assert world.read("out.csv") == b"A\n"


def test_content_recorded_by_hand_is_not_said_to_come_from_the_run(world: World) -> None:
    run(world)
    assert b"run:" in world.read("out.csv.dt")
    world.write("out.csv", b"by hand")
    world.ok("add", "out.csv")
    assert b"run:" not in world.read("out.csv.dt")


# What programs inside tell of themselves


TELLS = """
import os, sys
from pathlib import Path
from datatool.model.oid import ObjectId
from datatool.model.pointer import ArtifactKind
from datatool.model.run import RunFile
from datatool.stages.notes import tell
import hashlib
data = Path("extra.csv").read_bytes()
oid = ObjectId(hashlib.sha256(data).hexdigest())
file = RunFile(path=b"extra.csv", kind=ArtifactKind.FILE, oid=oid, size=len(data))
Path("out").write_bytes(data)
Path("side.txt").write_bytes(b"side")
notes = Path(os.environ["DATATOOL_RUN"])
tell(notes, Path.cwd(), inputs=[file], outputs=[b"side.txt", b"out"], metrics={"accuracy": 1})
"""


def test_what_a_program_inside_read_and_wrote_belongs_to_the_run_and_counts_next_time(world: World) -> None:
    world.write("extra.csv", b"1")
    world.ok("add", "extra.csv")
    world.write("tells.py", TELLS.encode())
    words = (sys.executable, "tells.py")
    found = record(world, run(world, "-o", "out", words=words).json)
    assert [(file["path"], file.get("noted")) for file in found["inputs"]] == [("extra.csv", True)]
    assert [(file["path"], file.get("noted")) for file in found["outputs"]] == [("out", None), ("side.txt", True)]
    assert found["metrics"] == {"accuracy": 1}
    assert world.exists("side.txt.dt")
    assert run(world, "-o", "out", words=words).json["action"] == "unchanged"
    world.write("extra.csv", b"2")
    world.ok("add", "extra.csv")
    assert run(world, "-o", "out", words=words).json["action"] == "executed"
    assert world.read("out") == b"2"
    assert not list((world.local / "tmp/runs").iterdir())


# Failures


def test_a_failing_command_records_nothing_and_leaves_the_outputs_as_they_were(world: World) -> None:
    run(world)
    world.commit()
    failed = shell(world, "echo half > out.csv; exit 3", "-o", "out.csv", code=1)
    assert failed.error["code"] == "command_failed"
    assert "exit code 3" in failed.error["message"]
    assert "lost+found" in failed.error["hint"]
    assert world.read("out.csv") == b"A\n"
    assert lost_and_found(world) == {"out.csv": b"half\n"}
    assert world.git("status", "--porcelain") == ""
    shell(world, "echo whole > out.csv", "-o", "out.csv")


@pytest.mark.parametrize(
    "wrong",
    ["ln -s in.csv out.csv", "mkfifo out.csv", "mkdir out.csv; ln -s ../.. out.csv/up"],
    ids=lambda word: word[:6],
)
def test_an_output_that_can_not_be_recorded_is_put_aside_and_the_earlier_one_comes_back(
    world: World, wrong: str
) -> None:
    run(world)
    world.commit()
    failed = world.process("run", "-o", "out.csv", "--json", "--", "sh", "-c", wrong)
    assert failed.code not in (0, 1)
    assert "lost+found" in failed.error["hint"]
    assert world.read("out.csv") == b"A\n" and not (world.root / "out.csv").is_symlink()
    assert [path.name for path in (world.local / "lost+found").glob("*/*")] == ["out.csv"]
    assert world.git("status", "--porcelain") == ""


def test_a_command_that_does_not_write_what_it_should_records_nothing(world: World) -> None:
    failed = shell(world, "touch other", "-o", "out", "-o", "other", code=1)
    assert failed.error["message"].startswith("out: was not written")
    assert not world.exists("other.dt")
    assert not world.exists("other")


def test_a_command_that_is_not_there_is_named(world: World) -> None:
    assert "no-such-program" in run(world, "-o", "out", code=3, words=("no-such-program",)).error["message"]
    assert world.fails(2, "run", "-o", "out", "--json").error["message"] == "no command was given"


@pytest.mark.parametrize(
    ("options", "code", "says"),
    [
        (["-d", "in.csv", "-o", "in.csv"], 2, "is an input"),
        (["-d", "plain", "-o", "plain/out"], 2, "overlaps an input"),
        (["-o", "out", "-o", "out/a"], 2, "inside the output"),
        (["-o", "data/out"], 7, "inside data"),
        (["-o", "upper.py"], 7, "git tracks"),
        (["-o", "a.dt"], 7, "ends in .dt"),
        (["-o", "."], 2, "whole project"),
        (["-o", "around"], 7, "tracked already"),
        (["-o", "../out"], 3, "outside the project"),
        (["-d", "nothere", "-o", "out"], 3, "nothere"),
        (["-o", "out", "-p", "novalue"], 2, "NAME=VALUE"),
    ],
)
def test_what_can_not_be_is_refused_before_anything_runs(
    world: World, options: list[str], code: int, says: str
) -> None:
    world.write("data/a.csv", b"1")
    world.write("around/b.csv", b"1")
    world.write("plain/c.csv", b"1")
    world.ok("add", "data", "around/b.csv")
    ran = shell(world, "touch ran", *options, code=code)
    assert says in ran.error["message"]
    assert not world.exists("ran")


@pytest.mark.parametrize("tracked", [True, False])
def test_unsaved_edits_in_an_output_stop_the_run_and_force_keeps_them_in_lost_and_found(
    world: World, tracked: bool
) -> None:
    if tracked:
        run(world)
    world.write("out.csv", b"my edits")
    refused = run(world, code=7)
    assert refused.error["code"] == "unsaved"
    assert "datatool add out.csv" in refused.error["hint"]
    assert world.read("out.csv") == b"my edits"
    assert run(world, "--force").json["action"] == "executed"
    assert world.read("out.csv") == b"A\n"
    assert lost_and_found(world) == {"out.csv": b"my edits"}


def test_an_outdated_input_that_no_commit_names_is_brought_and_what_was_there_is_in_lost_and_found(
    world: World,
) -> None:
    world.ok("add", "in.csv")
    world.commit()
    first = world.read("in.csv.dt")
    world.write("in.csv", b"b\n")
    world.ok("add", "in.csv")
    (world.root / "in.csv.dt").write_bytes(first)
    ran = run(world)
    assert ran.json["action"] == "executed"
    assert "in.csv: no commit names the version that was here" in ran.err
    assert (world.read("in.csv"), world.read("out.csv")) == (b"a\n", b"A\n")
    assert lost_and_found(world) == {"in.csv": b"b\n"}


@pytest.mark.parametrize("remote", [True, False])
def test_an_outdated_input_is_brought_to_run_and_beside_what_is_restored(world: World, remote: bool) -> None:
    run(world)
    world.commit("old")
    world.ok("push")
    copy = world.clone()
    copy.ok("pull")
    world.write("in.csv", b"b\n")
    assert run(world).json["action"] == "executed"
    world.commit("new")
    world.ok("push")
    world.git("push", "-q", str(world.origin), "HEAD")
    copy.git("pull", "-q")
    if not remote:
        copy.ok("fetch", "in.csv")
        world.remote.rename(world.top / "gone")
    ran = run(copy, code=0)
    assert ran.json["action"] == ("restored" if remote else "executed")
    assert (copy.read("in.csv"), copy.read("out.csv")) == (b"b\n", b"B\n")
    assert lost_and_found(copy) == {}
    assert copy.json("status")["clean"]


def test_what_is_restored_comes_back_although_an_outdated_input_can_not(world: World) -> None:
    run(world)
    world.commit("old")
    copy = world.clone()
    world.ok("push")
    copy.ok("pull")
    world.write("in.csv", b"b\n")
    run(world)
    world.commit("new")
    world.ok("push", "out.csv")
    world.git("push", "-q", str(world.origin), "HEAD")
    copy.git("pull", "-q")
    copy.ok("fetch", "out.csv")
    ran = run(copy, "--offline")
    assert ran.json["action"] == "restored"
    assert "what is here is another version than its pointer names" in ran.err
    assert (copy.read("in.csv"), copy.read("out.csv")) == (b"a\n", b"B\n")


def test_an_outdated_input_in_a_directory_is_brought(world: World) -> None:
    world.write("data/a/x.csv", b"a\n")
    world.write("data/b.csv", b"b\n")
    world.ok("add", "data")
    world.commit("old")
    world.ok("push")
    copy = world.clone()
    copy.ok("pull")
    world.write("data/a/x.csv", b"c\n")
    world.write("data/b.csv", b"c\n")
    world.ok("add", "data")
    world.commit("new")
    world.ok("push")
    world.git("push", "-q", str(world.origin), "HEAD")
    copy.git("pull", "-q")
    words = ["run", "-d", "data/a", "-o", "out.csv", "--json", "--", "sh", "-c", "cat data/a/x.csv > out.csv"]
    assert copy.ok(*words).json["action"] == "executed"
    assert copy.read("out.csv") == b"c\n"


def test_an_input_that_is_not_here_is_fetched_only_when_it_is_needed(world: World) -> None:
    run(world)
    world.commit()
    world.ok("push")
    copy = world.clone()
    copy.ok("fetch", "out.csv")
    ran = run(copy, "--force").json
    assert ran["action"] == "executed"
    assert copy.read("in.csv") == b"a\n"


def _interrupt(world: World, number: signal.Signals, script: str) -> subprocess.CompletedProcess[bytes]:
    """Run a script, and send a signal to datatool alone once the script has made the file `ready`."""
    words = [*DATATOOL, "run", "-o", "out", "--", "sh", "-c", script]
    process = subprocess.Popen(words, cwd=world.root, env=world.env, stdin=subprocess.DEVNULL, stderr=subprocess.PIPE)
    deadline = time.monotonic() + 60
    while not world.exists("ready"):
        assert time.monotonic() < deadline
        assert process.poll() is None
        os.sched_yield()
    process.send_signal(number)
    try:
        _, err = process.communicate(timeout=60)
    finally:
        process.kill()
    return subprocess.CompletedProcess(words, process.returncode, b"", err)


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_interrupted_it_waits_for_the_command_and_leaves_nothing_half_done(
    world: World, number: signal.Signals, code: int
) -> None:
    script = "trap 'echo cleaned > cleaned; exit 9' INT TERM; echo half > out; touch ready; while :; do :; done"
    done = _interrupt(world, number, script)
    assert done.returncode == code, done.stderr
    assert world.exists("cleaned"), "the command had the time to end"
    assert not world.exists("out")
    assert not world.exists("out.dt")
    assert lost_and_found(world) == {"out": b"half\n"}


def test_after_a_run_was_killed_the_same_run_again_takes_its_half_result_away(world: World) -> None:
    script = "echo half > out; touch ready; [ -e go ] || while :; do :; done"
    words = [*DATATOOL, "run", "-o", "out", "--", "sh", "-c", script]
    process = subprocess.Popen(
        words, cwd=world.root, env=world.env, stdin=subprocess.DEVNULL, start_new_session=True, stderr=subprocess.PIPE
    )
    deadline = time.monotonic() + 60
    while not world.exists("ready"):
        assert time.monotonic() < deadline
        os.sched_yield()
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
    world.write("go")
    assert shell(world, script, "-o", "out").json["action"] == "executed"
    assert lost_and_found(world) == {"out": b"half\n"}
    world.write("out", b"my edits")
    shell(world, script, "-o", "out", code=7)


def test_a_signal_that_arrives_while_the_command_is_started_ends_it_too(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    started: list[subprocess.Popen[bytes]] = []

    class Slow(subprocess.Popen[bytes]):
        def __init__(self, *words: Any, **options: Any) -> None:
            super().__init__(*words, **options)
            started.append(self)
            os.kill(os.getpid(), signal.SIGTERM)

    monkeypatch.setattr("datatool.operations.runs.process.subprocess.Popen", Slow)
    ran = world.fails(143, "run", "-o", "out", "--", "sleep", "1000")
    assert "terminated" in ran.err
    assert started[0].returncode == -signal.SIGTERM


def test_the_command_records_where_programs_by_themselves_do_not(world: World) -> None:
    ran = world.process("run", "-o", "out", "--", "sh", "-c", "echo > out", env={"CI": "true", "DATATOOL_FROZEN": "1"})
    assert ran.code == 0 and world.exists("out.dt")


def test_a_command_that_does_not_stand_behind_dashes_is_told_so(world: World) -> None:
    ran = world.fails(2, "run", "-d", "in.csv", "-o", "out.csv", "cp", "in.csv", "out.csv")
    assert ran.err == (
        "error: the command to run does not stand behind --\nhint: datatool run -d IN -o OUT -- COMMAND [ARGUMENT…]\n"
    )


def test_a_parameter_is_given_once(world: World) -> None:
    assert "-p n: is given twice" in world.fails(2, "run", "-p", "n=1", "-p", "n=2", "--", "true").err


def test_what_is_recorded_of_inputs_on_the_way_is_told(world: World) -> None:
    words = ("run", "-d", "in.csv", "-o", "out.csv", "--", sys.executable, "upper.py", "in.csv", "out.csv")
    assert "hint: in.csv: tracked from now on, 2 B\n" in world.ok(*words).err
    assert "in.csv" not in world.ok(*words).err
    world.write("in.csv", b"a\nb\n")
    assert "hint: in.csv: recorded a new version, 4 B (was 2 B)\n" in world.ok(*words).err
