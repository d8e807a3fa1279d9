"""The commits that changed one file, through its renames."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from datatool.git.history import history
from datatool.git.worktree import Worktree, discover
from repositories import HARD_NAMES, commit, git, remove, repository, write


@pytest.fixture(params=["sha1", "sha256"])
def top(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    return repository(tmp_path / "repo", f"--object-format={request.param}")


def worktree(top: Path) -> Worktree:
    found = discover(top)
    assert isinstance(found, Worktree)
    return found


def pointer(mark: str) -> bytes:
    return f"datatool: 1\nkind: file\noid: sha256:{mark * 64}\nsize: 1\n".encode()


def test_every_commit_that_changed_it_newest_first(top: Path) -> None:
    write(top, "a.dt", pointer("1"))
    first = commit(top, "one")
    write(top, "b.dt", pointer("2"))
    commit(top, "another file")
    write(top, "a.dt", pointer("3"))
    second = commit(top, "two: with a colon")
    remove(top, "a.dt")
    git(top, "commit", "-q", "-a", "--allow-empty-message", "-m", "")
    third = git(top, "rev-parse", "HEAD").decode().strip()
    found = list(history(worktree(top), b"a.dt"))
    assert [change.commit.id for change in found] == [third, second, first]
    assert [change.data for change in found] == [None, pointer("3"), pointer("1")]
    assert [change.commit.subject for change in found] == ["", "two: with a colon", "one"]
    assert [change.data for change in history(worktree(top), b"a.dt", limit=2)] == [None, pointer("3")]


def test_a_rename_in_a_commit_or_in_the_index_is_followed(top: Path) -> None:
    write(top, "a.dt", pointer("1"))
    commit(top, "one")
    git(top, "mv", "a.dt", "b.dt")
    commit(top, "moved")
    git(top, "mv", "b.dt", "c.dt")
    assert [(change.path, change.commit.subject) for change in history(worktree(top), b"c.dt")] == [
        (b"b.dt", "moved"),
        (b"a.dt", "one"),
    ]


def test_a_life_before_a_rename_under_the_same_name_belongs_to_another(top: Path) -> None:
    write(top, "a.dt", pointer("1"))
    write(top, "b.dt", pointer("2"))
    commit(top, "both")
    remove(top, "b.dt")
    commit(top, "b went")
    git(top, "mv", "a.dt", "b.dt")
    commit(top, "a took its name")
    assert [change.commit.subject for change in history(worktree(top), b"b.dt")] == ["a took its name", "both"]
    assert {change.data for change in history(worktree(top), b"b.dt")} == {pointer("1")}


@pytest.mark.parametrize("name", HARD_NAMES)
def test_hard_names_are_names(top: Path, name: bytes | str) -> None:
    path = os.fsencode(name)
    write(top, path, pointer("1"))
    commit(top, "one")
    assert [change.path for change in history(worktree(top), path)] == [path]
    assert list(history(worktree(top), b"*.dt")) == []


def test_the_users_settings_for_git_log_do_not_matter(top: Path) -> None:
    for key, value in {
        "log.showRoot": "false",
        "log.follow": "true",
        "log.decorate": "full",
        "log.date": "relative",
        "log.diffMerges": "first-parent",
        "diff.renames": "copies",
        "diff.noprefix": "true",
        "color.ui": "always",
        "log.abbrevCommit": "true",
        "i18n.logOutputEncoding": "latin1",
    }.items():
        git(top, "config", key, value)
    write(top, "a.dt", pointer("1"))
    first = commit(top, "größer")
    (change,) = history(worktree(top), b"a.dt")
    assert (change.commit.id, change.commit.subject, change.data) == (first, "größer", pointer("1"))


def test_before_the_first_commit_there_is_no_history(top: Path) -> None:
    git(top, "update-ref", "-d", "HEAD")
    assert list(history(worktree(top), b"a.dt")) == []
