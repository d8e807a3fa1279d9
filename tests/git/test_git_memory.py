"""What is remembered of git's rules and index never contradicts git."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from datatool.git.ignore import ignored_many
from datatool.git.memory import GitMemory
from datatool.git.worktree import Worktree, discover
from repositories import git, repository

PIECES = [
    *(
        "a",
        "b",
        "data",
        "x.csv",
        "*",
        "?",
        "**",
        "[ab]",
        "[!a]",
        "\\a",
        "\\*",
        ".dt",
        "*.dt",
        "x*",
        "A",
        " ",
        "x.csv.dt",
    ),
]
PATHS = [
    f"{directory}{name}.dt".encode()
    for directory in ("", "a/", "data/", "a/data/", "a/b/data/")
    for name in ("x.csv", "a", "ab", "b.csv", "*", "X.csv", "a b", "ends ")
]


def pattern(chance: random.Random) -> str:
    names = ["".join(chance.choices(PIECES, k=chance.randint(1, 2))) for _ in range(chance.randint(1, 3))]
    return chance.choice(["", "", "/", "!", "#"]) + "/".join(names) + chance.choice(["", "", "/", " ", "\\ ", "\r"])


@pytest.fixture
def top(tmp_path: Path) -> Path:
    """An empty repository."""
    return repository(tmp_path / "r")


def work(top: Path) -> Worktree:
    found = discover(top)
    assert isinstance(found, Worktree)
    return found


@pytest.mark.parametrize("seed", range(8))
def test_whatever_git_ignores_some_rule_may_fit(seed: int, top: Path) -> None:
    chance = random.Random(seed)
    worktree = work(top)
    memory = GitMemory(worktree)
    met = 0
    for _ in range(15):
        for place in (".gitignore", "a/.gitignore", "data/.gitignore", ".git/info/exclude"):
            file = top / place
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text("\n".join(pattern(chance) for _ in range(chance.randint(0, 2))), newline="")
        ignored = ignored_many(worktree, PATHS)
        met += len(ignored)
        missed = [path for path in ignored if not memory.may_ignore(path)]
        assert not missed, {place: (top / place).read_text() for place in (".gitignore", "a/.gitignore")}
    assert met, "some are ignored"


def test_lines_for_other_data_are_no_reason_to_ask_git(top: Path) -> None:
    (top / ".gitignore").write_text("*.pyc\n__pycache__/\n" + "".join(f"/data-{i}.csv\n" for i in range(50)))
    memory = GitMemory(work(top))
    assert not memory.may_ignore(b"x.csv.dt")
    assert not memory.may_ignore(b"data/x.csv.dt")
    with (top / ".gitignore").open("a") as file:
        file.write("*.dt\n")
    assert memory.may_ignore(b"x.csv.dt"), "the file is read again when it changed"


def test_the_users_own_ignore_file_counts(top: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    own = tmp_path / "own"
    own.write_text("*.dt\n")
    git(top, "config", "core.excludesFile", str(own))
    assert GitMemory(work(top)).may_ignore(b"x.csv.dt")
    git(top, "config", "--unset", "core.excludesFile")
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    (tmp_path / "git").mkdir()
    (tmp_path / "git/ignore").write_text("x.*\n")
    assert GitMemory(work(top)).may_ignore(b"x.csv.dt")


def test_the_index_is_read_again_when_it_changed(top: Path) -> None:
    memory = GitMemory(work(top))
    assert memory.tracked_under(b"data") == []
    for name in ("data/a", "data/b", "data-b", "data.c"):
        (top / name).parent.mkdir(exist_ok=True)
        (top / name).write_text("x")
    git(top, "add", "-A")
    assert memory.tracked_under(b"data") == [b"data/a", b"data/b"]
    assert memory.tracked_under(b"data-b") == [b"data-b"]
    assert memory.tracked_under(b"data/a") == [b"data/a"]
    assert memory.tracked_under(b"other") == []
