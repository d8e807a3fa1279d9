"""The words before the command: help, version, shared options, mistakes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from datatool.cli.invoke import load
from datatool.cli.main import main, split_globals
from datatool.cli.root_help import root_help
from datatool.cli.table import COMMANDS, GLOBAL_OPTIONS, Row, every_row
from world import DATATOOL, World

Captured = pytest.CaptureFixture[str]

NAMES = [name for name, _ in every_row()]


def error_of(err: str) -> dict[str, str | None]:
    found: dict[str, str | None] = json.loads(err.splitlines()[-1])["error"]
    return found


def test_version_is_printed(capsys: Captured) -> None:
    assert main(["--version"]) == 0
    assert capsys.readouterr().out == "datatool 0.1.0\n"


@pytest.mark.parametrize("words", [[], ["--help"], ["-h"], ["-q", "--help"]])
def test_help_is_printed_on_stdout(words: list[str], capsys: Captured) -> None:
    assert main(words) == 0
    assert capsys.readouterr().out == root_help()


def test_help_lists_every_command_under_its_group() -> None:
    text = root_help()
    for name, item in COMMANDS.items():
        section = text.split(f"\n{item.group}:\n")[1].split("\n\n")[0]
        assert f"  {name:10}  {item.summary}\n" in section + "\n"


@pytest.mark.parametrize("name", NAMES)
def test_every_command_explains_itself_with_examples(name: str, capsys: Captured) -> None:
    assert main([*name.split(), "--help"]) == 0
    out = capsys.readouterr().out
    assert out.startswith(f"Usage: datatool {name}")
    assert f"\nExamples:\n  {'eval' if name == 'completion' else ''}" in out
    assert "  -C DIR" in out
    assert out.endswith("\n")


@pytest.mark.parametrize(("name", "row"), list(every_row()), ids=NAMES)
def test_the_table_and_the_command_say_the_same_of_it(name: str, row: Row) -> None:
    spec = load(row)
    summary = (spec.function.__doc__ or "").strip().partition("\n\n")[0]
    assert summary == f"{row.summary}."
    assert all(f"datatool {name}" in example for example in spec.examples)


def test_help_before_the_command_is_the_commands_help(capsys: Captured) -> None:
    assert main(["--help", "init"]) == 0
    before = capsys.readouterr().out
    assert main(["init", "-h"]) == 0
    assert before == capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "meant"),
    [
        (["stauts"], "datatool status"),
        (["remote", "ad"], "datatool remote add"),
        (["init", "--remot", "x"], "--remote"),
        (["--jsno", "init"], "--json"),
        (["config", "lst"], "datatool config list"),
    ],
)
def test_a_mistyped_word_suggests_the_nearest(words: list[str], meant: str, capsys: Captured) -> None:
    assert main(words) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert f"did you mean {meant}?" in captured.err


def test_a_name_that_begins_with_a_dash_is_told_how_to_be_typed(capsys: Captured) -> None:
    assert main(["add", "-lead"]) == 2
    said = capsys.readouterr().err
    assert said == "error: no option -lead\nhint: a name that begins with a dash: -- -lead, or ./-lead\n"
    assert main(["add", "-x"]) == 2
    assert "datatool add --help" in capsys.readouterr().err


@pytest.mark.parametrize(
    "words",
    [
        ["--json", "stauts"],
        ["stauts", "--json"],
        ["--json", "remote"],
        ["remote", "frobnicate", "--json"],
        ["add", "--json"],
        ["init", "--json", "--nope"],
        ["push", "-j", "0", "--json"],
        ["push", "-j", "many", "--json"],
        ["push", "--rev", "", "--json"],
        ["push", "--rev", "x", "--all-tags", "--json"],
        ["init", "a", "b", "--json"],
        ["config", "set", "a", "b", "--local", "--user", "--json"],
        ["remote", "add", "n", "u", "--set", "novalue", "--json"],
        ["completion", "tcsh", "--json"],
        ["init", "-C"],
    ],
)
def test_a_usage_error_has_code_2_and_with_json_an_error_object(words: list[str], capsys: Captured) -> None:
    assert main(words) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    if "--json" in words:
        error = error_of(captured.err)
        assert set(error) == {"code", "message", "hint", "path"}
        assert error["code"] == "usage_error"
    else:
        assert captured.err.startswith("error: ")


def test_shared_options_without_a_command_are_a_usage_error(capsys: Captured) -> None:
    assert main(["-v"]) == 2
    assert "no command" in capsys.readouterr().err


def test_a_setting_without_value_is_not_echoed(capsys: Captured) -> None:
    assert main(["remote", "add", "n", "u", "--set", "hunter2"]) == 2
    assert "hunter2" not in capsys.readouterr().err


def test_directories_given_before_and_after_add_up(tmp_path: Path, capsys: Captured) -> None:
    (tmp_path / "a" / "b").mkdir(parents=True)
    here = os.getcwd()
    assert main(["-C", str(tmp_path), "init", "-C", "a", "b", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["root"] == str(tmp_path / "a" / "b")
    assert os.getcwd() == here


@pytest.mark.parametrize("place", ["nowhere", "file"])
def test_a_directory_that_is_none_is_not_found(place: str, tmp_path: Path, capsys: Captured) -> None:
    (tmp_path / "file").write_text("x")
    assert main(["-C", str(tmp_path / place), "init", "--json"]) == 3
    assert error_of(capsys.readouterr().err)["path"] == str(tmp_path / place)


@pytest.mark.parametrize(
    "words",
    [["--json", "-q", "init"], ["init", "--json", "-q"], ["-q", "init", "--json"], ["--json", "--quiet", "init"]],
)
def test_shared_options_work_before_and_after(words: list[str], tmp_path: Path, capsys: Captured) -> None:
    assert main([*words, str(tmp_path)]) == 0
    document = json.loads(capsys.readouterr().out)
    assert (document["schema"], document["command"]) == (1, "init")


def test_a_valued_option_takes_what_looks_like_a_command() -> None:
    assert split_globals(["-C", "add", "status"]) == (["-C", "add"], ["status"])
    assert split_globals(["-Cadd", "-vvq", "--json", "status", "-q"]) == (["-Cadd", "-vvq", "--json"], ["status", "-q"])
    assert split_globals(["-x", "-q"]) == ([], ["-x", "-q"])


def test_quiet_says_nothing_of_what_was_done(tmp_path: Path, capsys: Captured) -> None:
    assert main(["init", "-q", str(tmp_path)]) == 0
    captured = capsys.readouterr()
    assert (captured.out, captured.err) == ("", "")


def test_names_of_shared_options_are_unique() -> None:
    flags = [flag for option in GLOBAL_OPTIONS for flag in option.flags]
    assert len(flags) == len(set(flags))


@pytest.mark.parametrize("words", [["--help"], ["config", "list"]])
def test_a_reader_that_leaves_is_no_error(words: list[str], tmp_path: Path) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    try:
        done = subprocess.run(
            [sys.executable, "-m", "datatool", *words],
            stdout=writing,
            stderr=subprocess.PIPE,
            cwd=tmp_path,
            check=False,
        )
    finally:
        os.close(writing)
    assert (done.returncode, done.stderr) == (0, b"")


@pytest.mark.skipif(os.name == "nt", reason="a POSIX shell closes the streams")
@pytest.mark.parametrize("closed", [">&-", "2>&-", "<&-", "<&- >&- 2>&-"])
def test_a_command_does_its_work_with_closed_streams_and_no_file_takes_their_place(world: World, closed: str) -> None:
    world.write("data/a", b"a")
    script = f'for words in --version "add data" status push; do "$@" $words {closed} || exit $?; done'
    done = subprocess.run(
        ["sh", "-c", script, "sh", *DATATOOL], cwd=world.root, env=world.env, capture_output=True, timeout=60
    )
    assert (done.returncode, b"Traceback" in done.stderr) == (0, False), done
    assert (b"datatool" in done.stdout) == (">&-" not in closed.split())
    world.commit("data")
    copy = world.clone()
    copy.ok("pull")
    assert copy.read("data/a") == b"a"


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="no /dev/full here")
def test_a_full_disk_under_stdout_is_an_error() -> None:
    with open("/dev/full", "wb") as full:
        done = subprocess.run(
            [sys.executable, "-m", "datatool", "--help"], stdout=full, stderr=subprocess.PIPE, check=False
        )
    assert done.returncode == 1
    assert done.stderr.startswith(b"error: the result can't be written to stdout: No space left")


def test_python_m_datatool_is_the_program() -> None:
    done = subprocess.run([sys.executable, "-m", "datatool", "--version"], capture_output=True, text=True, check=True)
    assert done.stdout == "datatool 0.1.0\n"


def test_an_ascii_terminal_gets_every_result() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "datatool", "--help"],
        capture_output=True,
        check=True,
        env={**os.environ, "PYTHONIOENCODING": "ascii", "PYTHONUTF8": "0"},
    )
    assert rb"COMMAND \u2026" in done.stdout


def test_the_usage_of_run_shows_where_the_command_stands(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["run", "--help"]) == 0
    assert capsys.readouterr().out.startswith("Usage: datatool run [OPTIONS] -- COMMAND…\n")
