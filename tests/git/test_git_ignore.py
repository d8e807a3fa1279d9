"""What git tracks below a path, and which rule ignores one."""

from __future__ import annotations

from pathlib import Path

import pytest

from datatool.errors import GitError
from datatool.git.ignore import IgnoreRule, ignored_by, ignored_many, tracked_under
from repositories import HARD_NAMES, at, commit, git, posix_names, remove, repository, write


def test_tracked_files_at_and_below_a_path_are_listed(top: Path) -> None:
    write(top, "data/b")
    write(top, "data/a/c")
    write(top, "database")
    commit(top)
    write(top, "data/untracked")
    remove(top, "data/b")
    worktree = at(top)
    assert tracked_under(worktree, b"data") == tracked_under(worktree, b"data/") == [b"data/a/c", b"data/b"]
    assert tracked_under(worktree, b"database") == [b"database"]
    assert tracked_under(worktree, b"dat") == []
    assert tracked_under(worktree, b"") == [b"data/a/c", b"data/b", b"database"]


def test_a_file_with_an_unfinished_merge_is_tracked_once(top: Path) -> None:
    write(top, "a", b"base")
    blob = git(top, "hash-object", "-w", "a").strip()
    git(top, "update-index", "--index-info", input=b"".join(b"100644 %s %d\ta\n" % (blob, side) for side in (1, 2, 3)))
    assert tracked_under(at(top), b"") == [b"a"]


@posix_names
def test_tracked_files_of_any_name_are_found_and_match_only_themselves(top: Path) -> None:
    for name in HARD_NAMES:
        write(top, name)
    write(top, "globX[ab]q.dt")
    commit(top)
    worktree = at(top)
    for name in HARD_NAMES:
        assert tracked_under(worktree, name) == [name]


def test_the_rule_that_ignores_a_path_is_named_with_its_place(top: Path) -> None:
    write(top, ".gitignore", b"\n*.log\n!keep.log\n")
    write(top, "sub/.gitignore", b"/data\n")
    write(top, "sub/data/file")
    worktree = at(top)
    assert ignored_by(worktree, b"x.log") == IgnoreRule(source=".gitignore", line=2, pattern="*.log")
    assert ignored_by(worktree, b"sub/data/file") == IgnoreRule(source="sub/.gitignore", line=1, pattern="/data")
    assert ignored_by(worktree, b"keep.log") is None
    assert ignored_by(worktree, b"data") is None


def test_a_rule_of_the_users_own_file_is_named_by_its_full_path(top: Path, tmp_path: Path) -> None:
    own = tmp_path / "own ignores"
    own.write_text("*.dt\n")
    git(top, "config", "core.excludesFile", str(own))
    assert ignored_by(at(top), b"a.dt") == IgnoreRule(source=str(own), line=1, pattern="*.dt")


def test_a_tracked_file_is_not_ignored_whatever_the_rules_say(top: Path) -> None:
    write(top, "a.dt")
    commit(top)
    write(top, ".gitignore", b"*.dt\n")
    assert ignored_by(at(top), b"a.dt") is None
    assert ignored_many(at(top), [b"a.dt", b"b.dt"]) == {b"b.dt"}


def test_a_rule_for_directories_ignores_only_a_directory(top: Path) -> None:
    write(top, ".gitignore", b"data/\n")
    write(top, "data/x")
    write(top, "sub/data")
    assert ignored_many(at(top), [b"data", b"sub/data", b"later/data/", b"later/data"]) == {b"data", b"later/data/"}


@posix_names
def test_paths_of_any_name_are_judged(top: Path) -> None:
    write(top, ".gitignore", b"*.dt\n!dir/*.dt\n")
    paths = [*HARD_NAMES, *(b"dir/" + name for name in HARD_NAMES)]
    assert ignored_many(at(top), paths) == set(HARD_NAMES)
    assert ignored_by(at(top), b":(top)magic.dt") == IgnoreRule(source=".gitignore", line=1, pattern="*.dt")


@posix_names
def test_a_name_that_looks_like_a_pattern_with_magic_is_only_a_name(top: Path) -> None:
    write(top, ".gitignore", b"magic.dt\n")
    assert ignored_many(at(top), [b":(top)magic.dt", b":!x", b":(glob)x", b"magic.dt"]) == {b"magic.dt"}
    assert ignored_by(at(top), b":(top)magic.dt") is None


def test_paths_that_git_can_not_judge_do_not_stop_the_others(top: Path, tmp_path: Path) -> None:
    inner = repository(tmp_path / "inner")
    commit(inner)
    git(top, "submodule", "--quiet", "add", str(inner), "sub")
    write(top, ".gitignore", b"*\n")
    write(top, "real/x")
    (top / "link").symlink_to("real")
    worktree = at(top)
    assert ignored_many(worktree, [b"a", b"link/x", b"b", b"sub/y", b"c"]) == {b"a", b"b", b"c"}
    with pytest.raises(GitError, match="beyond a symbolic link"):
        ignored_by(worktree, b"link/x")


def test_nothing_asked_is_nothing_ignored(top: Path) -> None:
    assert ignored_many(at(top), []) == set()
