"""What goes wrong becomes an exit code, a message, and nothing else."""

from __future__ import annotations

import inspect
import json
import os
import pickle
import re
import signal
import subprocess
import sys
import threading
import traceback
from pathlib import Path

import pytest

from datatool import errors
from datatool.cli import main as program
from datatool.cli.failures import exit_code, nearest, translate
from datatool.cli.main import main
from datatool.interruption import Terminated
from datatool.operations import init as operation
from datatool.operations.failures import code_of
from patience import LONG, started
from world import World

Captured = pytest.CaptureFixture[str]

CLASSES = [kind for _, kind in inspect.getmembers(errors, inspect.isclass) if issubclass(kind, errors.DatatoolError)]

CODES = {
    "UsageError": 2,
    "NotFoundError": 3,
    "PartlyDone": 4,
    "DamageFound": 5,
    "RemoteError": 6,
    "Refused": 7,
}


def raising(monkeypatch: pytest.MonkeyPatch, error: BaseException) -> None:
    def init(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr(operation, "init", init)


@pytest.mark.parametrize("kind", CLASSES, ids=lambda kind: kind.__name__)
def test_every_error_has_the_exit_code_of_its_branch(kind: type[errors.DatatoolError]) -> None:
    branch = [CODES[parent.__name__] for parent in kind.__mro__ if parent.__name__ in CODES]
    assert exit_code(kind("x")) == (branch[0] if branch else 1)


def test_the_reference_lists_every_code_with_its_exit_code() -> None:
    reference = Path(__file__).parents[2] / "docs" / "reference" / "exit_codes_and_json.md"
    listed = {}
    for row in re.findall(r"^\| (`[a-z_`, ]+`) \| ([\d, ]+) \|", reference.read_text(encoding="utf-8"), re.MULTILINE):
        words = re.findall("[a-z_]+", row[0])
        numbers = [int(number) for number in row[1].split(",")]
        listed |= dict(zip(words, numbers * len(words) if len(numbers) == 1 else numbers, strict=False))
    made = {code_of(kind("x")): exit_code(kind("x")) for kind in CLASSES if kind is not errors.DatatoolError}
    assert listed == made | {"internal_error": 1, "interrupted": 130, "terminated": 143}


@pytest.mark.parametrize(
    "kind", [kind for kind in CLASSES if kind is not errors.DatatoolError], ids=lambda kind: kind.__name__
)
def test_every_error_is_also_a_builtin_that_a_caller_expects(kind: type[errors.DatatoolError]) -> None:
    assert issubclass(kind, OSError | ValueError)
    error = pickle.loads(pickle.dumps(kind("x", hint="y", path="z")))
    assert (str(error), error.hint, error.path) == ("x", "y", "z")
    assert isinstance(kind.__new__(kind), kind), "as tblib makes one that a worker has raised"


def test_an_error_is_two_lines_on_stderr(monkeypatch: pytest.MonkeyPatch, capsys: Captured) -> None:
    raising(monkeypatch, errors.Unsaved("a.txt: unsaved changes", hint="datatool add a.txt keeps them"))
    assert main(["init"]) == 7
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err == "error: a.txt: unsaved changes\nhint: datatool add a.txt keeps them\n"


def test_an_error_is_one_object_with_json(monkeypatch: pytest.MonkeyPatch, capsys: Captured) -> None:
    raising(monkeypatch, errors.RemoteUnreachable("nobody answers", path="/mnt/x"))
    assert main(["init", "--json"]) == 6
    captured = capsys.readouterr()
    assert captured.err.count("\n") == 1
    assert json.loads(captured.err) == {
        "error": {"code": "remote_unreachable", "message": "nobody answers", "hint": None, "path": "/mnt/x"}
    }


def test_a_hostile_name_can_neither_steer_the_terminal_nor_forge_a_line(
    monkeypatch: pytest.MonkeyPatch, capsys: Captured
) -> None:
    evil = "a\x1b[2J\nhint: rm -rf \u202e\udcff"
    raising(monkeypatch, errors.PathNotFound(f"{evil}: no such file", hint=f"one\n{evil}"))
    assert main(["init"]) == 3
    lines = capsys.readouterr().err.splitlines()
    assert lines[0] == r"error: a\x1b[2J\nhint: rm -rf \u202e\xff: no such file"
    assert lines[1] == "hint: one"
    assert all(line.startswith("      ") for line in lines[2:])
    assert "\x1b" not in "".join(lines)


def test_json_keeps_bytes_that_are_no_utf8_as_lone_surrogates(
    monkeypatch: pytest.MonkeyPatch, capsys: Captured
) -> None:
    raising(monkeypatch, errors.PathNotFound("x", path=os.fsdecode(b"\xff")))
    assert main(["init", "--json"]) == 3
    err = capsys.readouterr().err
    assert r'"path": "\udcff"' in err
    assert os.fsencode(json.loads(err)["error"]["path"]) == b"\xff"


def test_a_bug_is_called_internal_error_without_traceback(monkeypatch: pytest.MonkeyPatch, capsys: Captured) -> None:
    raising(monkeypatch, ZeroDivisionError("oops\nsecond line"))
    assert main(["init"]) == 1
    err = capsys.readouterr().err
    assert err.startswith("error: internal error: ZeroDivisionError: oops\nhint: run it again with -vv")
    assert "Traceback" not in err


@pytest.mark.parametrize("words", [["-vv", "init"], ["init", "-v", "-v"], ["-v", "init", "-v"]])
def test_tracebacks_are_shown_with_vv(words: list[str], monkeypatch: pytest.MonkeyPatch, capsys: Captured) -> None:
    raising(monkeypatch, ZeroDivisionError("oops"))
    assert main(words) == 1
    err = capsys.readouterr().err
    assert err.startswith("Traceback")
    assert "error: internal error" in err


def test_a_traceback_of_a_program_ends_with_what_to_do_next() -> None:
    for kind in (errors.Refused, errors.GitError, errors.UsageError):
        error = kind("x: is busy", hint="wait")
        assert "".join(traceback.format_exception(error)).endswith("x: is busy\nhint: wait\n")
        error.add_note("somebody else's")
        error.hint = "run it again"
        assert traceback.format_exception(error)[-2:] == ["somebody else's\n", "hint: run it again\n"]
        carried = pickle.loads(pickle.dumps(error))
        assert (str(carried), carried.hint, carried.__notes__) == ("x: is busy", error.hint, error.__notes__)
        error.hint = None
        assert "hint" not in "".join(traceback.format_exception(error))


def test_the_hint_is_told_once_with_vv(monkeypatch: pytest.MonkeyPatch, capsys: Captured) -> None:
    raising(monkeypatch, errors.Refused("x: is busy", hint="wait"))
    assert main(["init", "-vv"]) == 7
    err = capsys.readouterr().err
    assert err.startswith("Traceback")
    assert err.count("hint: wait") == 1


def test_the_error_object_stays_last_after_a_traceback(monkeypatch: pytest.MonkeyPatch, capsys: Captured) -> None:
    raising(monkeypatch, ZeroDivisionError("oops"))
    assert main(["init", "-vv", "--json"]) == 1
    assert json.loads(capsys.readouterr().err.splitlines()[-1])["error"]["code"] == "internal_error"


def test_what_the_disk_says_is_no_internal_error() -> None:
    problem, code = translate(PermissionError(13, "Permission denied", "/x/y"))
    assert (problem.message, code, exit_code(problem)) == ("/x/y: permission denied", "local_error", 1)
    assert translate(MemoryError())[0].message == "not enough memory"


@pytest.mark.parametrize(
    ("error", "code", "name"), [(KeyboardInterrupt(), 130, "interrupted"), (Terminated(), 143, "terminated")]
)
def test_interruptions_have_codes_of_their_own(
    error: BaseException, code: int, name: str, monkeypatch: pytest.MonkeyPatch, capsys: Captured
) -> None:
    raising(monkeypatch, error)
    assert main(["init", "--json"]) == code
    assert json.loads(capsys.readouterr().err)["error"]["code"] == name


STUCK = """
import sys, time
from datatool.operations import init as operation

def init(*_, **__):
    try:
        print("ready", flush=True)
        while True:
            time.sleep(60)
    finally:
        print("cleaned", flush=True)

operation.init = init
from datatool.cli.main import main
sys.exit(main(["init"]))
"""


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such signals")
@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_a_signal_lets_the_command_clean_up(number: signal.Signals, code: int) -> None:
    with started([sys.executable, "-c", STUCK], stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout and process.stderr
        assert process.stdout.readline() == b"ready\n"
        process.send_signal(number)
        out, err = process.communicate(timeout=LONG)
    assert process.returncode == code
    assert out == b"cleaned\n"
    assert b"Traceback" not in err
    assert b"hint: run the same command again" in err


SWALLOWING = """
import os, signal, sys
from datatool.errors import RemoteError
from datatool.operations import init as operation

class Finalized:
    def __del__(self):
        os.kill(os.getpid(), signal.SIGNUMBER)  # the interpreter drops what a finalizer raises
        for _ in range(1000):
            pass

def swallowed(*_, **__):
    Finalized()
    raise RemoteError("no answer")

def replaced(*_, **__):
    try:
        os.kill(os.getpid(), signal.SIGNUMBER)
        sum(range(1000))
    finally:
        raise RemoteError("no answer")

operation.init = swallowed if sys.argv[1] == "swallowed" else replaced
from datatool.cli.main import main
sys.exit(main(["init"]))
"""


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such signals")
@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
@pytest.mark.parametrize("how", ["swallowed", "replaced"])
def test_a_signal_that_is_lost_on_its_way_up_still_decides_the_exit_code(
    number: signal.Signals, code: int, how: str
) -> None:
    program = SWALLOWING.replace("SIGNUMBER", number.name)
    done = subprocess.run([sys.executable, "-c", program, how], capture_output=True, timeout=60)
    assert done.returncode == code
    assert b"no answer" not in done.stderr


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such signals")
def test_handlers_are_put_back(tmp_path: Path) -> None:
    numbers = (signal.SIGTERM, signal.SIGINT)
    before = [signal.getsignal(number) for number in numbers]
    assert main(["init", "-q", str(tmp_path)]) == 0
    assert [signal.getsignal(number) for number in numbers] == before


def test_a_command_may_run_in_any_thread(tmp_path: Path) -> None:
    codes: list[int] = []
    thread = threading.Thread(target=lambda: codes.append(main(["init", "-q", str(tmp_path)])))
    thread.start()
    thread.join()
    assert codes == [0]


def test_an_interruption_before_the_command_begins_is_quiet(monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(words: list[str]) -> int:
        raise KeyboardInterrupt

    monkeypatch.setattr(program, "main", interrupted)
    with pytest.raises(SystemExit) as stopped:
        program.entry()
    assert stopped.value.code == 130


def test_a_refusal_that_did_nothing_has_a_document_all_the_same(
    monkeypatch: pytest.MonkeyPatch, capsys: Captured, tmp_path: Path
) -> None:
    from datatool.operations import add

    def refuse(*_: object, **__: object) -> None:
        raise errors.Refused("no")

    monkeypatch.setattr(add, "add", refuse)
    assert main(["init", "-q", str(tmp_path)]) == 0
    assert main(["-C", str(tmp_path), "add", "x", "--json"]) == 7
    captured = capsys.readouterr()
    assert json.loads(captured.out) == {"schema": 1, "command": "add", "artifacts": [], "staged": []}
    assert json.loads(captured.err)["error"]["code"] == "refused"


def test_the_nearest_word_is_near() -> None:
    assert nearest("pul", ["push", "pull"]) == "pull"
    assert nearest("xyzzy", ["push", "pull"]) is None
    assert nearest("--remot", ["--verbose", "--remote"]) == "--remote"
    assert nearest("--bogus", ["--verbose"]) is None


@pytest.mark.parametrize(
    ("words", "hint"),
    [
        (("add", "nope"), "check the path"),
        (("add", "mm.bin"), "did you mean m.bin?"),
        (("move", "data", "m.bin"), "choose another name, or datatool remove --data m.bin first"),
        (("move", "data", ".git/x"), "choose another name"),
        (("move", "data", "data/x"), "name a place outside it"),
        (("init", "m.bin"), "name a directory"),
        (("-C", "nope", "status"), "check the path"),
        (("clone", ".", "data"), "name another directory"),
        (("config", "set", "jobs", "0"), "such as 8; datatool config unset jobs"),
        (("remote", "set", "default", "port=99999"), "such as 2222; datatool config unset"),
        (("config", "set", "durability", "x"), "such as batch;"),
        (("config", "set", "cache.link", "x"), "such as reflink, copy;"),
        (("config", "set", "bandwidth", "x"), "such as 10M;"),
        (("config", "set", "git.stage", "x"), "such as true;"),
        (("config", "set", "read", "a/b"), "such as mirror, origin;"),
        (("config", "set", "remotes.a b.url", "x"), "such as a-b"),
        (("remote", "add", "bad name", "../x"), "such as bad-name"),
        (("registry", "add", "bad name", ".."), "such as bad-name"),
        (("remote", "add", "x", "ftpx://h/x"), "a path, s3://, ssh:// or https://"),
        (("import-url", "foo://h/x"), "a path, s3://, ssh:// or https://"),
        (("update", "--rev", "x", "--latest"), "leave out one of them"),
    ],
)
def test_an_error_says_what_to_do_next(world: World, words: tuple[str, ...], hint: str) -> None:
    world.write("data/a", b"1")
    world.write("m.bin", b"2")
    world.ok("add", "data", "m.bin")
    ran = world.run(*words)
    assert ran.code and f"hint: {hint}" in ran.err, ran


@pytest.mark.parametrize("damage", ["kind: file\n", "kind: file\nkind: file\n", "kind: file\nsize: x\n"])
def test_an_error_in_a_pointer_says_how_to_get_it_back(world: World, damage: str) -> None:
    world.write("m.bin", b"2")
    world.ok("add", "m.bin")
    world.write("m.bin.dt", f"datatool: 1\n{damage}".encode())
    for words in (("status",), ("checkout", "m.bin")):
        assert "git checkout -- m.bin.dt brings the last one back" in world.run(*words).err
