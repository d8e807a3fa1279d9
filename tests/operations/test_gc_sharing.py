"""`gc` and the other users of a cache: projects, people, linked work trees."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from garbage import NOW, has, unneeded

from world import World, held


def sharing(world: World) -> tuple[World, Path]:
    """The project and a clone of it, with one cache."""
    shared = world.top / "shared"
    world.ok("config", "set", "cache.dir", str(shared))
    world.write("mine.bin", b"mine")
    world.ok("add", "mine.bin")
    world.commit()
    other = world.clone("other")
    other.ok("config", "set", "cache.dir", str(shared))
    other.write("theirs.bin", b"theirs")
    other.ok("add", "theirs.bin")
    return other, shared


def registration(shared: Path, world: World) -> Path:
    return next(
        path
        for path in (shared / "users").iterdir()
        if json.loads(path.read_bytes())["git_dir"] == str(world.git_dir.resolve())
    )


def test_what_another_user_of_the_cache_needs_is_kept(world: World) -> None:
    other, shared = sharing(world)
    other.git("worktree", "add", "-q", str(world.top / "linked"))
    (world.top / "linked/theirs.bin.dt").write_bytes(other.read("theirs.bin.dt"))
    other.git("rm", "-q", "-f", "--cached", "theirs.bin.dt")
    (other.root / "theirs.bin.dt").unlink()
    data = unneeded(world)
    found = world.json(*NOW)
    assert len(found["users"]) == 2
    assert has(world, b"theirs", shared)
    assert has(other, b"mine", shared)
    assert not has(world, data, shared)


@pytest.mark.parametrize("broken", ["gone", "elsewhere", "no json", "no repository", "its history", "a work tree"])
def test_gc_refuses_while_a_user_of_the_cache_cannot_be_read(broken: str, world: World) -> None:
    other, shared = sharing(world)
    file = registration(shared, other)
    unneeded(world)
    hint = str(file)
    match broken:
        case "gone":
            other.root.rename(world.top / "moved")
        case "elsewhere":
            file.write_text(json.dumps({"host": "another", "git_dir": str(other.git_dir)}))
        case "no json":
            file.write_bytes(b"{")
        case "no repository":
            (other.git_dir / "HEAD").unlink()
            hint = ""
        case "its history":
            for pack in (other.git_dir / "objects").rglob("*"):
                if pack.is_file():
                    pack.unlink()
            hint = ""
        case "a work tree":
            other.git("worktree", "add", "-q", str(world.top / "linked"))
            (world.top / "linked").rename(world.top / "linked elsewhere")
    before = held(shared)
    for words in (("gc",), NOW):
        ran = world.fails(7, *words)
        assert hint in ran.err
    assert world.fails(7, *NOW, "--json").json["unneeded"]["objects"] == 0
    assert held(shared) == before
    if hint:
        file.unlink()
        world.ok(*NOW)


def test_an_own_linked_work_tree_that_is_gone_refuses_until_git_forgets_it(world: World) -> None:
    world.git("worktree", "add", "-q", str(world.top / "linked"))
    (world.top / "linked").rename(world.top / "elsewhere")
    ran = world.fails(7, "gc")
    assert "git worktree prune" in ran.err
    world.git("worktree", "prune")
    world.ok("gc")


def test_gc_in_a_linked_work_tree_keeps_what_the_others_need(world: World) -> None:
    world.write("mine.bin", b"mine")
    world.ok("add", "mine.bin")
    world.git("worktree", "add", "-q", str(world.top / "linked"))
    world.ok(*NOW, cwd=world.top / "linked")
    assert has(world, b"mine")


def test_a_linked_work_tree_that_was_removed_needs_nothing_any_more(world: World) -> None:
    other, shared = sharing(world)
    linked = world.top / "linked"
    other.git("worktree", "add", "-q", "--detach", str(linked))
    (linked / "temporary.bin").write_bytes(b"temporary")
    other.ok("add", "temporary.bin", cwd=linked)
    assert len(list((shared / "users").iterdir())) == 3
    other.git("worktree", "remove", "--force", str(linked))
    assert len(world.json(*NOW)["users"]) == 2
    assert not has(world, b"temporary", shared)
    assert has(world, b"theirs", shared)
