"""Reading a commit through libgit2 gives what git itself gives."""

from __future__ import annotations

from pathlib import Path

import pytest

from datatool.git import revision, trees
from datatool.git.worktree import Worktree, discover
from world import World


@pytest.fixture
def repository(world: World) -> Worktree:
    world.write("a.dt", b"datatool: 1\n")
    world.write("a/b/c.dt", b"datatool: 1\n# two\n")
    world.write("a.b/x", b"x" * 1000)
    world.write("run", b"#!", executable=True)
    world.write("big.dt", b"#" * (65 << 10))
    world.write("na me\n", b"odd")
    (world.root / "link.dt").symlink_to("a.dt")
    world.commit()
    found = discover(world.root)
    assert isinstance(found, Worktree)
    return found


@pytest.mark.parametrize("within", [(), (b"a",), (b"a", b"a/b"), (b"nothing",)])
def test_libgit2_and_git_read_the_same_pointers(repository: Worktree, within: tuple[bytes, ...]) -> None:
    assert repository.head is not None
    by_git = list(revision.pointers_at(repository, repository.head, within))
    assert list(trees.pointers_at(repository, repository.head, within)) == by_git


def test_a_repository_that_libgit2_refuses_is_read_by_git(tmp_path: Path) -> None:
    world = World(tmp_path, init=False)
    world.root.mkdir()
    world.git("init", "-q", "--object-format=sha256")
    world.write("a.dt", b"datatool: 1\n")
    world.commit()
    found = discover(world.root)
    assert isinstance(found, Worktree) and found.head is not None and len(found.head) == 64
    assert list(trees.pointers_at(found, found.head)) == [(b"a.dt", b"datatool: 1\n")]
