"""Completion: the scripts load in their shells, and the candidates are what could be typed next."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from datatool.cli.main import main
from datatool.cli.table import COMMANDS
from world import World

Captured = pytest.CaptureFixture[str]


def candidates(capsys: Captured, *words: str) -> list[str]:
    assert main(["__complete", *words]) == 0
    captured = capsys.readouterr()
    assert captured.err == ""
    return [line.split("\t")[0] for line in captured.out.splitlines()]


def test_commands_are_completed_with_their_meaning(capsys: Captured) -> None:
    assert main(["__complete", "stat"]) == 0
    assert capsys.readouterr().out == f"status\t{COMMANDS['status'].summary}\n"
    assert set(candidates(capsys, "")) == set(COMMANDS)
    assert candidates(capsys) == sorted(COMMANDS)


def test_subcommands_are_completed(capsys: Captured) -> None:
    assert candidates(capsys, "remote", "re") == ["remove", "rename"]
    assert candidates(capsys, "-q", "config", "-v", "") == ["get", "list", "set", "unset"]
    assert candidates(capsys, "remote", "--off") == ["--offline"]


def test_options_are_completed(capsys: Captured) -> None:
    assert candidates(capsys, "add", "--de") == ["--description"]
    assert candidates(capsys, "--js") == ["--json"]
    assert "--json" in candidates(capsys, "add", "--")
    assert candidates(capsys, "add", "--", "--de") == []


def test_choices_are_completed(capsys: Captured) -> None:
    assert candidates(capsys, "add", "--role", "") == ["code", "intermediate", "result", "source"]
    assert candidates(capsys, "completion", "z") == ["zsh"]
    assert candidates(capsys, "completion", "zsh", "") == []


def test_unknown_words_have_no_candidates(capsys: Captured) -> None:
    assert candidates(capsys, "frobnicate", "") == []
    assert candidates(capsys, "remote", "frobnicate", "") == []
    assert candidates(capsys, "-C", "/nowhere/at/all", "status", "") == []


def test_revisions_are_completed_where_they_are_this_repositorys(world: World, capsys: Captured) -> None:
    world.git("tag", "v1.0")
    world.git("branch", "work/one")
    there = ["-C", str(world.root)]
    for command in ("checkout", "fetch", "pull", "push"):
        assert {"HEAD", "v1.0", "work/one"} <= set(candidates(capsys, *there, command, "--rev", ""))
        assert candidates(capsys, *there, command, "--rev", "v") == ["v1.0"]
    assert candidates(capsys, *there, "get", "--rev", "") == []
    assert candidates(capsys, "-C", str(world.top), "pull", "--rev", "") == []


def test_setting_keys_are_completed_anywhere(tmp_path: Path, capsys: Captured) -> None:
    assert "cache.link" in candidates(capsys, "-C", str(tmp_path), "config", "get", "cache.")


def test_artifacts_and_remotes_are_completed(world: World) -> None:
    world.write("data/raw/a.csv", b"1")
    world.ok("add", "data/raw")
    assert "data/raw" in "".join(world.ok("__complete", "pull", "da").out)
    assert world.ok("__complete", "push", "-r", "").out == "default\n"
    assert world.ok("__complete", "-C", str(world.root), "remote", "check", "def", cwd=world.top).out == "default\n"


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_script_loads_in_its_shell(shell: str, capsys: Captured) -> None:
    if not shutil.which(shell):
        pytest.skip(f"{shell} is not installed")
    assert main(["completion", shell]) == 0
    script = capsys.readouterr().out
    check = "--no-execute" if shell == "fish" else "-n"
    subprocess.run([shell, check], input=script, text=True, check=True)


@pytest.mark.skipif(not shutil.which("bash") or os.name == "nt", reason="bash is not installed")
def test_bash_completes_names_with_spaces(world: World, tmp_path: Path) -> None:
    world.write("my data/a.csv", b"1")
    world.ok("add", "my data")
    program = tmp_path / "datatool"
    program.write_text(f'#!/bin/sh\nexec {sys.executable} -P -m datatool "$@"\n')
    program.chmod(0o755)
    script = world.ok("completion", "bash").out + (
        f"COMP_WORDS=({program} pull my); COMP_CWORD=2; compopt() {{ :; }}; _datatool\n"
        "printf '%s\\n' \"${COMPREPLY[@]}\"\n"
    )
    done = subprocess.run(
        ["bash"], input=script, text=True, capture_output=True, cwd=world.root, env=world.env, check=True
    )
    assert done.stdout.startswith("my\\ data")
