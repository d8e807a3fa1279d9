"""Which pointers git knows, and how they stand to the last commit."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from datatool.git.pointers import list_pointers, pointer_listing, pointer_states
from repositories import HARD_NAMES, at, commit, git, posix_names, remove, repository, write


def test_tracked_and_untracked_pointers_are_listed_and_ignored_ones_are_not(top: Path) -> None:
    write(top, "committed.dt")
    commit(top)
    write(top, "deep/er/untracked.dt")
    write(top, "staged.dt")
    git(top, "add", "staged.dt")
    write(top, "ignored.dt")
    write(top, "build/inside.dt")
    write(top, "other.txt")
    write(top, ".gitignore", b"ignored.dt\nbuild/\n")
    listing = list_pointers(at(top))
    assert listing.paths == (b"committed.dt", b"deep/er/untracked.dt", b"staged.dt")
    assert listing.untracked == {b"deep/er/untracked.dt"}


def test_a_pointer_that_is_tracked_is_listed_though_a_rule_ignores_it(top: Path) -> None:
    write(top, "a.dt")
    commit(top)
    write(top, ".gitignore", b"*.dt\n")
    assert pointer_listing(at(top)) == [b"a.dt"]


def test_a_pointer_that_was_deleted_is_not_listed(top: Path) -> None:
    write(top, "a.dt")
    write(top, "b.dt")
    commit(top)
    remove(top, "a.dt")
    assert pointer_listing(at(top)) == [b"b.dt"]


def test_a_pointer_outside_a_sparse_checkout_is_not_listed(top: Path) -> None:
    write(top, "in/a.dt")
    write(top, "out/b.dt")
    commit(top)
    git(top, "sparse-checkout", "set", "in")
    assert pointer_listing(at(top)) == [b"in/a.dt"]


def test_a_pointer_with_an_unfinished_merge_is_listed_once_and_changed(top: Path) -> None:
    write(top, "a.dt", b"base\n")
    commit(top)
    git(top, "checkout", "-q", "-b", "other")
    write(top, "a.dt", b"theirs\n")
    write(top, "both.dt", b"theirs\n")
    commit(top)
    git(top, "checkout", "-q", "main")
    write(top, "a.dt", b"ours\n")
    write(top, "both.dt", b"ours\n")
    commit(top)
    with pytest.raises(AssertionError, match="merge"):
        git(top, "merge", "-q", "other")
    worktree = at(top)
    assert pointer_listing(worktree) == [b"a.dt", b"both.dt"]
    assert pointer_states(worktree, [b"a.dt", b"both.dt"]) == {b"a.dt": "changed", b"both.dt": "changed"}


def test_pointers_of_a_submodule_and_of_a_nested_repository_are_their_own(top: Path, tmp_path: Path) -> None:
    inner = repository(tmp_path / "inner")
    write(inner, "theirs.dt")
    commit(inner)
    git(top, "submodule", "--quiet", "add", str(inner), "sub.dt")
    write(repository(top / "nested.dt"), "x.dt")
    assert pointer_listing(at(top)) == []
    assert pointer_listing(at(top / "sub.dt")) == [b"theirs.dt"]


@posix_names
def test_pointers_of_any_name_are_listed_and_have_a_state(top: Path) -> None:
    old = sorted(write(top, b"dir*/" + name) for name in HARD_NAMES)
    commit(top)
    new = sorted(write(top, name) for name in HARD_NAMES)
    write(top, old[0], b"edited\n")
    worktree = at(top)
    assert pointer_listing(worktree) == sorted(old + new)
    states = pointer_states(worktree, old + new)
    assert states == dict.fromkeys(new, "new") | dict.fromkeys(old, "committed") | {old[0]: "changed"}


@posix_names
def test_within_a_path_its_characters_mean_only_themselves(top: Path) -> None:
    write(top, b"a*/x.dt")
    write(top, b"a*/deep/y.dt")
    write(top, b"ab/z.dt")
    write(top, b"[ab]/q.dt")
    write(top, b"b\\\xff/w.dt")
    worktree = at(top)
    assert pointer_listing(worktree, [b"a*"]) == [b"a*/deep/y.dt", b"a*/x.dt"]
    assert pointer_listing(worktree, [b"[ab]/", b"b\\\xff"]) == [b"[ab]/q.dt", b"b\\\xff/w.dt"]
    assert pointer_listing(worktree, [b"a*/x.dt", b"nowhere"]) == [b"a*/x.dt"]
    assert len(pointer_listing(worktree, [b"a*", b""])) == 5


def test_before_the_first_commit_every_pointer_is_new(top: Path) -> None:
    write(top, "a.dt")
    git(top, "add", "a.dt")
    write(top, "b.dt")
    assert pointer_states(at(top), [b"a.dt", b"b.dt"]) == {b"a.dt": "new", b"b.dt": "new"}


def test_a_pointer_is_changed_in_the_work_tree_in_the_index_and_when_git_let_go_of_it(top: Path) -> None:
    for name in ("same", "edited", "staged", "reverted", "let-go", "touched"):
        write(top, f"{name}.dt", b"first\n")
    commit(top)
    write(top, "edited.dt", b"second\n")
    write(top, "staged.dt", b"second\n")
    write(top, "reverted.dt", b"second\n")
    git(top, "add", "staged.dt", "reverted.dt")
    write(top, "reverted.dt", b"first\n")
    git(top, "rm", "-q", "--cached", "let-go.dt")
    os.utime(top / "touched.dt", (1, 1))
    write(top, "intended.dt")
    git(top, "add", "-N", "intended.dt")
    worktree = at(top)
    paths = pointer_listing(worktree)
    states = pointer_states(worktree, paths)
    changed = {path for path in paths if states[path] == "changed"}
    assert changed == {b"edited.dt", b"staged.dt", b"reverted.dt", b"let-go.dt"}
    assert states[b"same.dt"] == states[b"touched.dt"] == "committed"
    assert states[b"intended.dt"] == "new"
    assert pointer_states(worktree, paths, untracked=list_pointers(worktree).untracked) == states


def test_an_ignored_pointer_that_git_does_not_track_is_new(top: Path) -> None:
    write(top, ".gitignore", b"*.dt\n")
    commit(top)
    write(top, "a.dt")
    assert pointer_states(at(top), [b"a.dt"]) == {b"a.dt": "new"}


def test_many_pointers_get_the_same_states_as_few(top: Path) -> None:
    paths = [write(top, f"d{number % 7}/{number}.dt") for number in range(100)]
    commit(top)
    write(top, paths[50], b"edited\n")
    write(top, "new.dt")
    states = pointer_states(at(top), [*paths, b"new.dt"])
    assert states == dict.fromkeys(paths, "committed") | {paths[50]: "changed", b"new.dt": "new"}


def test_states_of_a_sha256_repository_are_told(tmp_path: Path) -> None:
    top = repository(tmp_path / "sha256", "--object-format=sha256")
    write(top, "a.dt")
    commit(top)
    assert pointer_states(at(top), [b"a.dt"]) == {b"a.dt": "committed"}


def test_looking_writes_nothing_into_the_repository(top: Path) -> None:
    write(top, "a.dt")
    commit(top)
    os.utime(top / "a.dt", (1, 1))
    before = (top / ".git" / "index").read_bytes()
    pointer_states(at(top), pointer_listing(at(top)))
    assert (top / ".git" / "index").read_bytes() == before
