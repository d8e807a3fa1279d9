"""Putting files into git's index and taking them out, also while somebody else holds it."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from datatool.errors import GitError
from datatool.git import staging
from datatool.git.staging import (
    GitBusy,
    forget,
    has_unstaged_edits,
    rm_cached,
    stage,
    unstage,
    unstaged_edits,
)
from repositories import HARD_NAMES, at, commit, git, posix_names, remove, write


def status(top: Path) -> set[bytes]:
    return set(git(top, "status", "--porcelain", "-z", "-uall").split(b"\0")[:-1])


@posix_names
def test_files_of_any_name_are_staged_and_unstaged(top: Path) -> None:
    paths = [write(top, name) for name in HARD_NAMES]
    write(top, "globX.dt")
    stage(at(top), paths)
    assert status(top) == {b"A  " + path for path in paths} | {b"?? globX.dt"}
    unstage(at(top), paths)
    assert status(top) == {b"?? " + path for path in [*paths, b"globX.dt"]}


def test_filters_of_git_lfs_do_not_run_on_what_is_staged(top: Path) -> None:
    write(top, ".gitattributes", b"data/** filter=lfs\n")
    for name in ("clean", "smudge", "process"):
        git(top, "config", f"filter.lfs.{name}", "false")
    git(top, "config", "filter.lfs.required", "true")
    write(top, "data/a.dt", b"a pointer\n")
    stage(at(top), [b"data/a.dt"])
    assert git(top, "cat-file", "blob", ":data/a.dt") == b"a pointer\n"
    write(top, "data/a.dt", b"another one\n")
    assert unstaged_edits(at(top), [b"data/a.dt"]) == {b"data/a.dt"}


@posix_names
def test_files_are_forgotten_whatever_the_index_has_of_them(top: Path) -> None:
    paths = [write(top, name) for name in HARD_NAMES]
    commit(top)
    write(top, "new", b"staged")
    git(top, "add", "new")
    write(top, "new", b"edited")
    forget(at(top), [*paths, b"new", b"never-was"])
    assert git(top, "ls-files") == b""
    assert (top / "new").read_bytes() == b"edited"


def test_a_file_that_is_gone_is_staged_as_deleted(top: Path) -> None:
    write(top, "a.dt")
    write(top, "b.dt")
    commit(top)
    remove(top, "a.dt")
    stage(at(top), [b"a.dt", b"never-was.dt"])
    assert status(top) == {b"D  a.dt"}


def test_an_ignored_pointer_is_staged_when_it_is_meant(top: Path) -> None:
    write(top, ".gitignore", b"*.dt\n")
    commit(top)
    write(top, "a.dt")
    stage(at(top), [b"a.dt"])
    assert status(top) == {b"A  a.dt"}


def test_staging_honours_the_line_ends_that_gitattributes_ask_for(top: Path) -> None:
    write(top, ".gitattributes", b"*.dt text eol=lf\n")
    write(top, "a.dt", b"one\r\n")
    stage(at(top), [b"a.dt"])
    assert git(top, "show", ":a.dt") == b"one\n"


def test_unstaging_puts_the_index_back_to_the_last_commit_and_leaves_the_file(top: Path) -> None:
    write(top, "a.dt", b"first\n")
    commit(top)
    write(top, "a.dt", b"second\n")
    stage(at(top), [b"a.dt"])
    unstage(at(top), [b"a.dt"])
    assert status(top) == {b" M a.dt"}
    assert (top / "a.dt").read_bytes() == b"second\n"


def test_staging_nothing_starts_nothing(top: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    worktree = at(top)
    monkeypatch.setattr(staging, "ask", None)
    stage(worktree, [])
    unstage(worktree, [])
    rm_cached(worktree, [], recursive=True)
    assert unstaged_edits(worktree, []) == set()


def test_a_locked_index_is_waited_for(top: Path) -> None:
    write(top, "a.dt")
    lock = top / ".git" / "index.lock"
    lock.touch()
    timer = threading.Timer(0.15, lock.unlink)
    timer.start()
    try:
        stage(at(top), [b"a.dt"], patience=30)
    finally:
        timer.join()
    assert status(top) == {b"A  a.dt"}


@posix_names
def test_an_index_that_stays_locked_is_named_with_the_command_that_helps(top: Path) -> None:
    path = write(top, "it's mine.dt")
    lock = top / ".git" / "index.lock"
    lock.touch()
    for act in (stage, unstage):
        with pytest.raises(GitBusy, match="another git process holds") as caught:
            act(at(top), [path], patience=0)
        assert str(lock) in caught.value.message
        assert "it's mine.dt" in caught.value.message
    with pytest.raises(GitBusy) as caught:
        stage(at(top), [path], patience=0)
    assert caught.value.hint == "when it has ended: git add -- 'it'\"'\"'s mine.dt'"
    assert lock.exists()


def test_a_failure_that_is_no_lock_is_not_waited_for(top: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def waited(seconds: float) -> None:
        raise AssertionError("waited")

    monkeypatch.setattr("datatool.git.staging.time.sleep", waited)
    write(top, "a.dt")
    with pytest.raises(GitError, match=r"git update-index failed: .*outside"):
        stage(at(top), [b"a.dt", b"../outside.dt"])
    assert status(top) == {b"?? a.dt"}


def test_git_lets_go_of_files_and_they_stay(top: Path) -> None:
    write(top, "data/a", b"a")
    write(top, "data/b/c", b"c")
    write(top, "database", b"d")
    commit(top)
    rm_cached(at(top), [b"data"], recursive=True)
    assert status(top) == {b"D  data/a", b"D  data/b/c", b"?? data/a", b"?? data/b/c"}
    rm_cached(at(top), [b"database", b"not-there"], recursive=False)
    assert git(top, "ls-files") == b""
    assert (top / "database").read_bytes() == b"d"


def test_git_does_not_let_go_of_content_that_only_the_index_holds(top: Path) -> None:
    write(top, "a", b"1")
    commit(top)
    write(top, "a", b"2")
    git(top, "add", "a")
    write(top, "a", b"3")
    with pytest.raises(GitError, match=r"git rm failed: .*staged content different"):
        rm_cached(at(top), [b"a"], recursive=True)
    assert git(top, "show", ":a") == b"2"


def test_unstaged_edits_are_those_that_staging_would_take_along(top: Path) -> None:
    for name in ("same", "edited", "staged", "both", "gone"):
        write(top, f"{name}/.gitignore", b"1\n")
    commit(top)
    write(top, "edited/.gitignore", b"2\n")
    write(top, "staged/.gitignore", b"2\n")
    write(top, "both/.gitignore", b"2\n")
    git(top, "add", "staged", "both")
    write(top, "both/.gitignore", b"3\n")
    remove(top, "gone/.gitignore")
    write(top, "untracked/.gitignore", b"1\n")
    write(top, "ignored/.gitignore", b"*\n")
    worktree = at(top)
    names = ("same", "edited", "staged", "both", "gone", "untracked", "ignored", "nowhere")
    edited = {name for name in names if has_unstaged_edits(worktree, f"{name}/.gitignore".encode())}
    assert edited == {"edited", "both", "gone", "untracked", "ignored"}
    assert unstaged_edits(worktree, [f"{name}/.gitignore".encode() for name in names]) == {
        f"{name}/.gitignore".encode() for name in edited
    }


@posix_names
def test_unstaged_edits_are_found_under_any_name(top: Path) -> None:
    paths = [write(top, name) for name in HARD_NAMES]
    assert unstaged_edits(at(top), paths) == set(paths)
    commit(top)
    assert unstaged_edits(at(top), paths) == set()


def test_staging_in_a_linked_work_tree_leaves_the_others_alone(top: Path, tmp_path: Path) -> None:
    commit(top)
    linked = tmp_path / "linked"
    git(top, "worktree", "add", "-q", str(linked))
    write(linked, "a.dt")
    stage(at(linked), [b"a.dt"])
    assert status(linked) == {b"A  a.dt"}
    assert status(top) == set()


def test_staging_inside_a_hook_goes_into_the_index_being_committed(
    top: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(top, "a.dt")
    index = tmp_path / "next-index"
    monkeypatch.setenv("GIT_DIR", str(top / ".git"))
    monkeypatch.setenv("GIT_INDEX_FILE", str(index))
    monkeypatch.chdir(top)
    stage(at(top), [b"a.dt"])
    assert git(top, "ls-files") == b"a.dt\n"
    assert index.exists()
    assert not (top / ".git" / "index").exists()
