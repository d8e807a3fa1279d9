"""What a stage costs beside its function."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path
from types import ModuleType

import pytest

from datatool.cache import local
from datatool.git.worktree import head_commit
from datatool.model.run import RunKind
from datatool.operations.open_project import open_project
from datatool.operations.stage import results
from datatool.stages.run_store import all_runs
from world import World

PIPE = """
import datatool

@datatool.stage
def more(number):
    return number + 1
"""


@pytest.fixture
def pipe(desk: World, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    desk.write("costly_pipe.py", PIPE.encode())
    monkeypatch.syspath_prepend(str(desk.root))
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    monkeypatch.delitem(sys.modules, "costly_pipe", raising=False)
    importlib.invalidate_caches()
    return importlib.import_module("costly_pipe")


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[str | None]:
    """The answers of git to which commit is checked out."""
    answers: list[str | None] = []

    def counted(*args: object) -> str | None:
        answers.append(head_commit(*args))  # type: ignore[arg-type]
        return answers[-1]

    monkeypatch.setattr(results, "head_commit", counted)
    return answers


def commits(desk: World) -> set[str | None]:
    with open_project(str(desk.root), flags={}, environ=desk.env) as project:
        found = all_runs(project.cache, project.config.project or "")
        return {known.record.code.commit for known in found if known.record.kind is RunKind.STAGE}


def test_git_is_asked_once_for_many_results_also_before_the_first_commit(
    desk: World, pipe: ModuleType, asked: list[str | None]
) -> None:
    desk.git("checkout", "-q", "--orphan", "fresh")
    for number in range(10):
        pipe.more(number)
    assert asked == [None]


@pytest.mark.parametrize("logged", ["true", "false"])
def test_each_commit_is_seen_whether_git_keeps_a_log_or_not(
    desk: World, pipe: ModuleType, asked: list[str | None], logged: str
) -> None:
    desk.git("config", "core.logAllRefUpdates", logged)
    desk.git("checkout", "-q", "--orphan", "fresh")
    seen: list[str | None] = []
    for number in range(3):
        desk.git("commit", "-q", "--allow-empty", "-m", str(number))
        seen.append(desk.git("rev-parse", "HEAD").strip())
        pipe.more(number)
        pipe.more(number + 100)
    assert asked == seen
    assert commits(desk) == set(seen)


def test_what_kills_have_left_in_the_cache_is_looked_for_once(
    pipe: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    looked: list[Path] = []
    sweep = local.sweep_temps

    def counted(directory: Path) -> int:
        looked.append(directory)
        return sweep(directory)

    monkeypatch.setattr(local, "sweep_temps", counted)
    for number in range(5):
        pipe.more(number)
    assert len(looked) == len(set(looked)) > 0
