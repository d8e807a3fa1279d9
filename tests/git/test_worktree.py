"""Finding the repository around a directory, however it is laid out."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from datatool.errors import GitError, PathNotFound
from datatool.git import worktree as module
from datatool.git.command import GitResult, run_git
from datatool.git.pointers import pointer_listing
from datatool.git.worktree import (
    Unsafe,
    Worktree,
    discover,
    exclude_path,
    file_mode_binds,
    head_commit,
    init,
    is_shallow,
)
from repositories import commit, git, repository, write


def found(directory: Path) -> Worktree:
    worktree = discover(directory)
    assert isinstance(worktree, Worktree)
    return worktree


def test_a_repository_is_found_from_a_directory_below(tmp_path: Path) -> None:
    top = repository(tmp_path / "r")
    write(top, "a/b/c.txt")
    head = commit(top)
    expected = Worktree(top=top, git_dir=top / ".git", common_dir=top / ".git", head=head)
    assert found(top) == found(top / "a" / "b") == expected


def test_discovery_starts_git_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    top = repository(tmp_path / "r")
    calls: list[object] = []

    def counted(words: Sequence[str | bytes], *, cwd: Path, check: bool, environ: Mapping[str, str]) -> GitResult:
        calls.append(words)
        return run_git(words, cwd=cwd, check=check, environ=environ)

    monkeypatch.setattr(module, "run_git", counted)
    found(top)
    assert len(calls) == 1


def test_a_repository_without_a_commit_has_no_head(tmp_path: Path) -> None:
    worktree = found(repository(tmp_path / "r"))
    assert worktree.head is None
    assert head_commit(worktree) is None


def test_a_detached_head_is_a_commit(tmp_path: Path) -> None:
    top = repository(tmp_path / "r")
    first = commit(top)
    second = commit(top)
    git(top, "checkout", "-q", "--detach", first)
    worktree = found(top)
    assert worktree.head == first
    git(top, "checkout", "-q", "main")
    assert head_commit(worktree) == second


def test_without_a_repository_the_answer_needs_no_git(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert discover(tmp_path) is None
    (tmp_path / ".git").mkdir()
    with pytest.raises(GitError, match="not installed"):
        discover(tmp_path)


def test_a_directory_that_does_not_exist_is_named(tmp_path: Path) -> None:
    with pytest.raises(PathNotFound, match="nowhere: no such directory"):
        discover(tmp_path / "nowhere")


def test_an_empty_git_directory_is_no_repository(tmp_path: Path) -> None:
    (tmp_path / ".git").mkdir()
    assert discover(tmp_path) is None


def test_a_bare_repository_and_the_inside_of_a_git_directory_have_no_work_tree(tmp_path: Path) -> None:
    bare = repository(tmp_path / "bare.git", "--bare")
    top = repository(tmp_path / "r")
    assert discover(bare) is None
    assert discover(top / ".git" / "refs") is None


def test_a_linked_work_tree_has_its_own_git_directory_and_the_common_one(tmp_path: Path) -> None:
    top = repository(tmp_path / "r")
    head = commit(top)
    git(top, "worktree", "add", "-q", str(tmp_path / "linked"))
    worktree = found(tmp_path / "linked")
    assert worktree.top == tmp_path / "linked"
    assert worktree.git_dir == top / ".git" / "worktrees" / "linked"
    assert worktree.common_dir == top / ".git"
    assert worktree.head == head
    assert exclude_path(worktree) == top / ".git" / "info" / "exclude"


def test_a_submodule_is_a_repository_of_its_own(tmp_path: Path) -> None:
    inner = repository(tmp_path / "inner")
    head = commit(inner)
    outer = repository(tmp_path / "outer")
    git(outer, "submodule", "--quiet", "add", str(inner), "sub")
    worktree = found(outer / "sub")
    assert (worktree.top, worktree.git_dir) == (outer / "sub", outer / ".git" / "modules" / "sub")
    assert worktree.head == head
    assert found(outer).top == outer


def test_a_repository_inside_another_is_the_one_that_counts(tmp_path: Path) -> None:
    outer = repository(tmp_path / "outer")
    inner = repository(outer / "inner")
    assert found(inner).top == inner


def test_a_directory_reached_by_a_symlink_is_where_it_really_is(tmp_path: Path) -> None:
    top = repository(tmp_path / "r")
    (top / "data").mkdir()
    (tmp_path / "link").symlink_to(top / "data")
    assert found(tmp_path / "link").top == top


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such names")
@pytest.mark.parametrize("name", [b"new\nline", b"latin-\xe9", b"-dash", b"--end-of-options"])
def test_a_repository_in_a_directory_of_any_name_is_found(tmp_path: Path, name: bytes) -> None:
    top = repository(tmp_path / os.fsdecode(name))
    worktree = found(top)
    assert (worktree.top, worktree.git_dir) == (top, top / ".git")
    write(top, "a.dt")
    assert pointer_listing(worktree) == [b"a.dt"]


def test_inside_a_hook_the_environment_says_which_repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    top = repository(tmp_path / "r")
    write(top, "a.dt")
    commit(top)
    repository(top / "nested")
    monkeypatch.chdir(top)
    monkeypatch.setenv("GIT_DIR", ".git")
    worktree = found(top)
    assert (worktree.top, worktree.git_dir) == (top, top / ".git")
    monkeypatch.chdir(tmp_path)
    assert pointer_listing(worktree) == [b"a.dt"]


def test_relative_places_in_the_environment_still_hold_when_git_runs_elsewhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    top = repository(tmp_path / "r")
    write(top, "sub/a.dt")
    monkeypatch.chdir(top / "sub")
    monkeypatch.setenv("GIT_DIR", "../.git")
    monkeypatch.setenv("GIT_WORK_TREE", "..")
    worktree = found(top / "sub")
    assert worktree.top == top
    assert pointer_listing(worktree) == [b"sub/a.dt"]


def test_a_work_tree_whose_repository_lies_elsewhere_is_found_by_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bare = repository(tmp_path / "dotfiles", "--bare")
    plain = tmp_path / "plain"
    write(plain, "a.dt")
    assert discover(plain) is None
    monkeypatch.setenv("GIT_DIR", str(bare))
    monkeypatch.setenv("GIT_WORK_TREE", str(plain))
    assert found(plain).git_dir == bare
    assert pointer_listing(found(plain)) == [b"a.dt"]


def test_a_hook_of_a_linked_work_tree_sees_that_work_tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    top = repository(tmp_path / "r")
    commit(top)
    linked = tmp_path / "linked"
    git(top, "worktree", "add", "-q", str(linked))
    monkeypatch.setenv("GIT_DIR", str(top / ".git" / "worktrees" / "linked"))
    worktree = found(linked)
    assert (worktree.top, worktree.common_dir) == (linked, top / ".git")


def test_the_index_that_a_hook_names_is_the_one_that_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    top = repository(tmp_path / "r")
    write(top, "a.dt")
    write(top, ".gitignore", b"*.dt\n")
    worktree = found(top)
    assert pointer_listing(worktree) == []
    monkeypatch.setenv("GIT_INDEX_FILE", str(tmp_path / "other-index"))
    git(top, "add", "-f", "a.dt")
    assert pointer_listing(worktree) == [b"a.dt"]


def test_a_repository_of_another_owner_is_unsafe(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    top = repository(tmp_path / "r")
    (top / "sub").mkdir()
    monkeypatch.setenv("GIT_TEST_ASSUME_DIFFERENT_OWNER", "1")
    answer = discover(top / "sub")
    assert isinstance(answer, Unsafe)
    assert answer.top == top
    assert "dubious ownership" in answer.reason


def test_a_broken_configuration_is_gits_error_not_a_missing_repository(tmp_path: Path) -> None:
    top = repository(tmp_path / "r")
    (top / ".git" / "config").write_text("[core\n")
    with pytest.raises(GitError, match="bad config"):
        discover(top)


def test_a_sha256_repository_is_read_like_any_other(tmp_path: Path) -> None:
    top = repository(tmp_path / "r", "--object-format=sha256")
    head = commit(top)
    assert len(head) == 64
    assert found(top).head == head_commit(found(top)) == head


def test_init_makes_a_repository_as_the_user_configured_it(tmp_path: Path) -> None:
    worktree = init(tmp_path)
    assert worktree.top == tmp_path
    assert (tmp_path / ".git" / "HEAD").read_text() == "ref: refs/heads/main\n"
    assert init(tmp_path) == worktree


def test_a_shallow_clone_is_known_as_one(tmp_path: Path) -> None:
    top = repository(tmp_path / "r")
    commit(top)
    commit(top)
    git(tmp_path, "clone", "-q", "--depth=1", f"file://{top}", "shallow")
    assert is_shallow(found(tmp_path / "shallow"))
    assert not is_shallow(found(top))


def test_core_file_mode_is_what_git_says(tmp_path: Path) -> None:
    top = repository(tmp_path / "r")
    for value, expected in (("yes", True), ("off", False)):
        git(top, "config", "core.fileMode", value)
        assert file_mode_binds(found(top)) is expected
    git(top, "config", "--unset", "core.fileMode")
    assert file_mode_binds(found(top)) is None
