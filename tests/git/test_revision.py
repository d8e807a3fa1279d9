"""What the commits of a repository hold."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from msgspec.structs import replace

from datatool.errors import GitError, RevisionNotFound, UsageError
from datatool.git import revision
from datatool.git.repository import Repository, promisor_of, tree_files
from datatool.git.revision import (
    TreeFile,
    all_pointer_blobs,
    blob_at,
    pointers_at,
    resolve,
    suggest_refs,
    unpushed_pointer_blobs,
)
from repositories import HARD_NAMES, at, commit, git, posix_names, remove, repository, write


@pytest.fixture(params=["sha1", "sha256"])
def top(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """An empty repository of either kind."""
    return repository(tmp_path / "r", f"--object-format={request.param}")


def reading(top: Path) -> Repository:
    return Repository(url=str(top), git_dir=top / ".git", local=top)


def merge_with(top: Path, branch: str, path: str, data: bytes) -> str:
    """Merge a branch, and write something else into a file than either side had."""
    git(top, "merge", "-q", "--no-commit", "-s", "ours", branch)
    write(top, path, data)
    return commit(top, "merge")


def test_revisions_of_every_kind_are_resolved_to_a_commit(top: Path) -> None:
    first = commit(top)
    git(top, "tag", "-a", "-m", "x", "v1")
    second = commit(top)
    git(top, "branch", "feature/x")
    worktree = at(top)
    for rev in ("v1", "main~1", "HEAD^", first, first[:12], "refs/tags/v1", "v1^{commit}"):
        assert resolve(worktree, rev) == first
    for rev in ("HEAD", "@", "feature/x", "main"):
        assert resolve(worktree, rev) == second


@pytest.mark.parametrize("rev", ["nothing", "--all", "-n", "HEAD..main", "^HEAD", "HEAD:a.dt", "a\0b", "v 1", "HEAD\n"])
def test_what_is_no_commit_is_not_found(tmp_path: Path, rev: str) -> None:
    top = repository(tmp_path / "r")
    write(top, "a.dt")
    commit(top)
    with pytest.raises(RevisionNotFound, match="git knows no revision") as caught:
        resolve(at(top), rev)
    assert caught.value.hint


def test_an_empty_revision_is_a_usage_error(top: Path) -> None:
    commit(top)
    for rev in ("", " "):
        with pytest.raises(UsageError):
            resolve(at(top), rev)


def test_a_repository_without_a_commit_has_no_revision(top: Path) -> None:
    with pytest.raises(RevisionNotFound):
        resolve(at(top), "HEAD")
    worktree = at(top)
    assert list(all_pointer_blobs(worktree, branches=True, tags=True)) == []
    assert list(all_pointer_blobs(worktree, commits=True)) == []
    assert list(unpushed_pointer_blobs(worktree)) == []


def test_a_mistyped_revision_suggests_the_nearest_names(top: Path) -> None:
    commit(top)
    git(top, "tag", "v1.10")
    git(top, "branch", "experiment")
    git(top, "update-ref", "refs/remotes/origin/topic", "HEAD")
    worktree = at(top)
    assert suggest_refs(worktree, "experimnet") == ["experiment"]
    assert suggest_refs(worktree, "topic") == ["origin/topic"]
    assert suggest_refs(worktree, "zzz") == []
    with pytest.raises(RevisionNotFound) as caught:
        resolve(worktree, "v1.1")
    assert caught.value.hint == "did you mean v1.10?"


def test_a_shallow_clone_says_how_to_get_older_commits(top: Path, tmp_path: Path) -> None:
    first = commit(top)
    commit(top)
    git(tmp_path, "clone", "-q", "--depth=1", f"file://{top}", "shallow")
    with pytest.raises(RevisionNotFound) as caught:
        resolve(at(tmp_path / "shallow"), first)
    assert "git fetch --unshallow" in str(caught.value.hint)


@posix_names
def test_the_pointers_of_a_commit_have_their_old_bytes(top: Path) -> None:
    names = [b"dir*/" + name for name in HARD_NAMES]
    for number, name in enumerate(names):
        write(top, name, b"%d\n" % number)
    write(top, "top.dt", b"top\n")
    write(top, "code.py")
    (top / "link.dt").symlink_to("top.dt")
    head = commit(top)
    write(top, "top.dt", b"later\n")
    worktree = at(top)
    inside = sorted((name, b"%d\n" % number) for number, name in enumerate(names))
    assert list(pointers_at(worktree, head)) == sorted([*inside, (b"top.dt", b"top\n")])
    assert list(pointers_at(worktree, head, [b"dir*"])) == inside
    assert list(pointers_at(worktree, head, [b"dir"])) == []
    assert list(pointers_at(worktree, head, [b"top.dt", names[0]])) == sorted(
        [inside_of(inside, names[0]), (b"top.dt", b"top\n")]
    )


def inside_of(found: list[tuple[bytes, bytes]], path: bytes) -> tuple[bytes, bytes]:
    return next(one for one in found if one[0] == path)


def test_a_file_too_large_for_a_pointer_is_not_read(top: Path) -> None:
    write(top, "large.dt", b"x" * (revision.POINTER_LIMIT + 1))
    write(top, "fits.dt", b"x" * revision.POINTER_LIMIT)
    head = commit(top)
    assert [path for path, _ in pointers_at(at(top), head)] == [b"fits.dt"]


def test_only_a_full_commit_id_is_read(top: Path) -> None:
    commit(top)
    worktree = at(top)
    for wrong in ("HEAD", "--output=x", "abc"):
        with pytest.raises(UsageError):
            list(pointers_at(worktree, wrong))
        with pytest.raises(UsageError):
            blob_at(worktree, wrong, b"a")


@posix_names
def test_the_files_of_a_commit_come_with_mode_and_size(top: Path) -> None:
    for name in HARD_NAMES:
        write(top, b"d/" + name, b"12345")
    write(top, "d/run.sh", b"x")
    (top / "d" / "run.sh").chmod(0o755)
    (top / "d" / "link").symlink_to("run.sh")
    write(top, "dx/other", b"")
    head = commit(top)
    found = tree_files(reading(top), head)
    assert [file.path for file in found] == sorted(
        [b"d/" + name for name in HARD_NAMES] + [b"d/link", b"d/run.sh", b"dx/other"]
    )
    by_path = {file.path: file for file in found}
    assert (by_path[b"d/link"].mode, by_path[b"d/link"].size) == (0o120000, 6)
    assert by_path[b"d/run.sh"].mode == 0o100755
    assert {by_path[b"d/" + name][1:3] for name in HARD_NAMES} == {(0o100644, 5)}
    assert tree_files(reading(top), head, b"d") == [file for file in found if file.path.startswith(b"d/")]
    magic = b"d/:(top)magic.dt"
    assert tree_files(reading(top), head, magic) == [by_path[magic]]
    assert tree_files(reading(top), head, b"nowhere") == []


def test_a_submodule_is_listed_as_one(tmp_path: Path) -> None:
    inner = repository(tmp_path / "inner")
    there = commit(inner)
    top = repository(tmp_path / "r")
    git(top, "submodule", "--quiet", "add", str(inner), "sub")
    head = commit(top)
    found = {file.path: file for file in tree_files(reading(top), head)}
    assert found[b"sub"] == TreeFile(path=b"sub", mode=0o160000, size=None, blob=there)
    assert blob_at(at(top), head, b"sub") is None


@posix_names
def test_one_file_of_a_commit_is_read(top: Path) -> None:
    for name in HARD_NAMES:
        write(top, b"d/" + name, name)
    head = commit(top)
    worktree = at(top)
    for name in HARD_NAMES:
        assert blob_at(worktree, head, b"d/" + name) == name
    assert blob_at(worktree, head, b"d") is None
    assert blob_at(worktree, head, b"d/") is None
    assert blob_at(worktree, head, b"nowhere") is None


def test_the_tips_of_branches_and_tags_give_every_version_once(top: Path) -> None:
    write(top, "a.dt", b"old\n")
    old = commit(top)
    git(top, "tag", "light")
    write(top, "a.dt", b"middle\n")
    commit(top)
    write(top, "a.dt", b"new\n")
    write(top, "same.dt", b"same\n")
    new = commit(top)
    git(top, "tag", "-a", "-m", "x", "annotated")
    git(top, "tag", "-a", "-m", "x", "of-a-tag", "annotated")
    git(top, "branch", "twin")
    git(top, "checkout", "-q", "-b", "side", old)
    write(top, "b.dt", b"side\n")
    side = commit(top)
    git(top, "tag", "of-a-file", git(top, "rev-parse", "HEAD:b.dt").decode().strip())
    worktree = at(top)
    branches = set(all_pointer_blobs(worktree, branches=True))
    assert {(path, data) for _, path, data in branches} == {
        (b"a.dt", b"new\n"),
        (b"a.dt", b"old\n"),
        (b"same.dt", b"same\n"),
        (b"b.dt", b"side\n"),
    }
    assert len(branches) == 4
    assert {commit_id for commit_id, _, _ in branches} == {new, side}
    assert set(all_pointer_blobs(worktree, tags=True)) == {
        (new, b"a.dt", b"new\n"),
        (new, b"same.dt", b"same\n"),
        (old, b"a.dt", b"old\n"),
    }
    both = {(path, data) for _, path, data in all_pointer_blobs(worktree, branches=True, tags=True)}
    assert both == {(path, data) for _, path, data in branches}
    assert list(all_pointer_blobs(worktree)) == []


@pytest.fixture
def eventful(top: Path) -> tuple[Path, dict[bytes, set[bytes]]]:
    """A history with everything that hides a version: merges, an overruled branch, a stash, a deletion, a move."""
    write(top, "a.dt", b"root\n")
    write(top, "moved.dt", b"moved\n")
    commit(top)
    git(top, "checkout", "-q", "-b", "overruled")
    write(top, "a.dt", b"overruled\n")
    commit(top)
    git(top, "checkout", "-q", "main")
    write(top, "a.dt", b"main\n")
    commit(top)
    merge_with(top, "overruled", "a.dt", b"evil merge\n")
    git(top, "branch", "-q", "-D", "overruled")
    git(top, "checkout", "-q", "-b", "ignored")
    write(top, "a.dt", b"ignored\n")
    commit(top)
    git(top, "checkout", "-q", "main")
    git(top, "merge", "-q", "-s", "ours", "-m", "x", "ignored")
    git(top, "branch", "-q", "-D", "ignored")
    write(top, "a.dt", b"root\n")
    commit(top, "back to the first version")
    remove(top, "moved.dt")
    write(top, "sub/moved.dt", b"moved\n")
    commit(top)
    remove(top, "a.dt")
    commit(top)
    git(top, "checkout", "-q", "--detach")
    write(top, "tagged.dt", b"tagged\n")
    commit(top)
    git(top, "tag", "only-a-tag")
    git(top, "checkout", "-q", "main")
    write(top, "stashed.dt", b"stashed\n")
    git(top, "add", "stashed.dt")
    git(top, "stash", "-q")
    linked = top.parent / "linked"
    git(top, "worktree", "add", "-q", "--detach", str(linked))
    write(linked, "detached.dt", b"detached\n")
    commit(linked)
    return top, {
        b"a.dt": {b"root\n", b"overruled\n", b"main\n", b"evil merge\n", b"ignored\n"},
        b"moved.dt": {b"moved\n"},
        b"sub/moved.dt": {b"moved\n"},
        b"tagged.dt": {b"tagged\n"},
        b"stashed.dt": {b"stashed\n"},
        b"detached.dt": {b"detached\n"},
    }


def test_the_whole_history_gives_every_version_that_ever_was(
    eventful: tuple[Path, dict[bytes, set[bytes]]],
) -> None:
    top, expected = eventful
    found: dict[bytes, list[bytes]] = {}
    worktree = at(top)
    for commit_id, path, data in all_pointer_blobs(worktree, commits=True):
        found.setdefault(path, []).append(data)
        assert blob_at(worktree, commit_id, path) == data
    assert {path: sorted(versions) for path, versions in found.items()} == {
        path: sorted(versions) for path, versions in expected.items()
    }


def test_settings_of_the_user_change_nothing_in_what_is_read(
    eventful: tuple[Path, dict[bytes, set[bytes]]], monkeypatch: pytest.MonkeyPatch
) -> None:
    top, _ = eventful
    before = sorted(all_pointer_blobs(at(top), commits=True))
    head = resolve(at(top), "HEAD")
    pointers = list(pointers_at(at(top), head))
    for key, value in {
        "log.showRoot": "false",
        "log.showSignature": "true",
        "log.follow": "true",
        "log.decorate": "full",
        "log.diffMerges": "off",
        "log.date": "relative",
        "format.pretty": "fuller",
        "diff.renames": "copies",
        "diff.relative": "true",
        "diff.noprefix": "true",
        "diff.orderFile": os.devnull,
        "core.abbrev": "7",
        "core.quotePath": "true",
        "color.ui": "always",
        "core.pager": "false",
    }.items():
        git(top, "config", key, value)
    monkeypatch.setenv("GIT_LITERAL_PATHSPECS", "1")
    assert sorted(all_pointer_blobs(at(top), commits=True)) == before
    assert list(pointers_at(at(top), head)) == pointers


@pytest.fixture
def pushed(top: Path, tmp_path: Path) -> Path:
    """A repository whose first commit is pushed to `origin/main`."""
    git(tmp_path, "init", "-q", "--bare", f"--object-format={'sha1' if len(commit(top)) == 40 else 'sha256'}", "origin")
    write(top, "a.dt", b"pushed\n")
    commit(top)
    git(top, "remote", "add", "origin", str(tmp_path / "origin"))
    git(top, "push", "-q", "-u", "origin", "main")
    return top


def test_versions_in_commits_that_the_upstream_lacks_are_unpushed(pushed: Path) -> None:
    worktree = at(pushed)
    assert list(unpushed_pointer_blobs(worktree)) == []
    write(pushed, "a.dt", b"second\n")
    second = commit(pushed)
    write(pushed, "a.dt", b"third\n")
    third = commit(pushed)
    write(pushed, "a.dt", b"not committed\n")
    assert set(unpushed_pointer_blobs(worktree)) == {(second, b"a.dt", b"second\n"), (third, b"a.dt", b"third\n")}
    git(pushed, "push", "-q")
    assert list(unpushed_pointer_blobs(worktree)) == []


def test_merging_the_upstream_makes_nothing_of_it_unpushed(pushed: Path) -> None:
    git(pushed, "checkout", "-q", "-b", "theirs")
    write(pushed, "theirs.dt", b"theirs\n")
    commit(pushed)
    git(pushed, "push", "-q", "origin", "theirs:main")
    git(pushed, "checkout", "-q", "main")
    write(pushed, "ours.dt", b"ours\n")
    ours = commit(pushed)
    git(pushed, "fetch", "-q")
    git(pushed, "merge", "-q", "-m", "merge", "origin/main")
    assert list(unpushed_pointer_blobs(at(pushed))) == [(ours, b"ours.dt", b"ours\n")]


def test_without_an_upstream_what_no_remote_branch_has_is_unpushed(pushed: Path) -> None:
    git(pushed, "checkout", "-q", "-b", "new-branch")
    write(pushed, "b.dt", b"b\n")
    head = commit(pushed)
    assert list(unpushed_pointer_blobs(at(pushed))) == [(head, b"b.dt", b"b\n")]
    git(pushed, "checkout", "-q", "--detach")
    assert list(unpushed_pointer_blobs(at(pushed))) == [(head, b"b.dt", b"b\n")]


def test_an_upstream_that_is_gone_is_as_good_as_none(pushed: Path) -> None:
    write(pushed, "b.dt", b"b\n")
    head = commit(pushed)
    git(pushed, "update-ref", "refs/remotes/origin/kept", "HEAD~1")
    git(pushed, "update-ref", "-d", "refs/remotes/origin/main")
    assert list(unpushed_pointer_blobs(at(pushed))) == [(head, b"b.dt", b"b\n")]


def test_in_a_partial_clone_pointers_are_read_and_sizes_are_not_downloaded(tmp_path: Path) -> None:
    top = repository(tmp_path / "r")
    git(top, "config", "uploadpack.allowFilter", "true")
    git(top, "config", "uploadpack.allowAnySHA1InWant", "true")
    write(top, "a.dt", b"a\n")
    write(top, "big.bin", b"0" * 5000)
    head = commit(top)
    git(tmp_path, "clone", "-q", "--no-checkout", "--filter=blob:none", f"file://{top}", "partial")
    clone = tmp_path / "partial"
    worktree = at(clone)
    read = replace(reading(clone), promisor="origin")
    assert promisor_of(reading(clone)) == "origin" and promisor_of(reading(top)) is None
    assert [(file.path, file.size) for file in tree_files(read, head)] == [(b"a.dt", None), (b"big.bin", None)]
    assert list(pointers_at(worktree, head)) == [(b"a.dt", b"a\n")]
    missing = git(clone, "rev-list", "--objects", "--missing=print", head).splitlines()
    assert [line for line in missing if line.startswith(b"?")] == [b"?" + git(top, "rev-parse", "HEAD:big.bin").strip()]


def test_a_repository_that_lost_an_object_is_an_error(tmp_path: Path) -> None:
    top = repository(tmp_path / "r")
    write(top, "a.dt", b"lost\n")
    head = commit(top)
    blob = git(top, "rev-parse", "HEAD:a.dt").decode().strip()
    path = top / ".git" / "objects" / blob[:2] / blob[2:]
    path.chmod(0o644)
    path.unlink()
    with pytest.raises(GitError, match="git lacks the object") as caught:
        list(pointers_at(at(top), head))
    assert caught.value.hint == "git fsck tells what is damaged"


def test_many_versions_are_read_in_batches(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    top = repository(tmp_path / "r")
    for number in range(10):
        write(top, f"{number}.dt", b"%d\n" % number)
    write(top, "twin.dt", b"3\n")
    head = commit(top)
    monkeypatch.setattr(revision, "_BATCH", 3)
    expected = [(b"%d.dt" % number, b"%d\n" % number) for number in range(10)] + [(b"twin.dt", b"3\n")]
    assert list(pointers_at(at(top), head)) == expected
