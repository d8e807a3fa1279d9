"""`gc`: what nobody needs leaves the cache in two steps, and what anybody needs stays."""

from __future__ import annotations

import shlex
import subprocess

import pytest
from garbage import NOW, a_day_later, aged, has, in_trash, unneeded

from datatool.cache.local import Cache
from datatool.hashing import digest
from datatool.index.state import State
from world import DATATOOL, World, held


def test_a_plan_changes_nothing_and_says_what_would_go(world: World) -> None:
    data = unneeded(world)
    before = held(world.cache)
    planned = world.json("gc", "--keep-days", "0")
    assert planned["unneeded"] == {"objects": 1, "bytes": len(data)}
    assert not planned["applied"]
    assert held(world.cache) == before
    assert not (world.cache / "trash").exists()


def test_what_nobody_needs_lies_in_the_trash_for_a_day_before_it_is_deleted(world: World) -> None:
    data = unneeded(world)
    assert world.json(*NOW)["unneeded"] == {"objects": 1, "bytes": len(data)}
    assert not has(world, data)
    assert [path.name for path in in_trash(world.cache)] == [digest(data)]
    again = world.json(*NOW)
    assert again["waiting"] == {"objects": 1, "bytes": len(data)}
    assert again["deleted"]["objects"] == again["unneeded"]["objects"] == 0
    a_day_later(world.cache)
    assert world.json("gc")["deleted"]["objects"] == 1
    assert in_trash(world.cache)
    assert world.json(*NOW)["deleted"] == {"objects": 1, "bytes": len(data)}
    assert not in_trash(world.cache)
    assert not list((world.cache / "trash").glob("*/*"))


def test_what_is_recorded_again_comes_back_from_the_trash(world: World) -> None:
    data = unneeded(world)
    world.ok(*NOW)
    world.write("again.bin", data)
    world.ok("add", "again.bin")
    assert has(world, data)
    a_day_later(world.cache)
    world.ok(*NOW)
    assert has(world, data)


def test_a_pointer_that_came_while_gc_was_at_work_keeps_its_object(world: World) -> None:
    """It counted on the object before that went into the trash, and nobody has looked for it since."""
    data = unneeded(world)
    world.write("other.bin", data)
    world.ok("add", "other.bin")
    for database in world.local.glob("state.db*"):
        database.unlink()
    cache = Cache(world.cache, State(None))
    cache.trash.take_object(cache.loose_path(digest(data)), digest(data))
    a_day_later(world.cache)
    assert world.json("gc")["deleted"]["objects"] == 0
    assert world.json(*NOW)["deleted"]["objects"] == 0
    assert has(world, data)
    assert not in_trash(world.cache)


def test_what_came_lately_stays(world: World) -> None:
    data = unneeded(world)
    assert world.json("gc", "--apply")["kept"]["recent"] == {"objects": 1, "bytes": len(data)}
    assert has(world, data)
    aged(world.cache, 6)
    world.ok("gc", "--apply")
    assert has(world, data)
    world.ok("gc", "--apply", "--keep-days", "5")
    assert not has(world, data)


def test_the_default_is_seven_days(world: World) -> None:
    data = unneeded(world)
    aged(world.cache, 8)
    world.ok("gc", "--apply")
    assert not has(world, data)


def test_without_a_cache_there_is_nothing_to_do(world: World) -> None:
    assert world.json("gc", "--apply")["unneeded"]["objects"] == 0
    assert not world.cache.exists()


def test_cache_clean_leaves_the_trash_alone(world: World) -> None:
    unneeded(world)
    world.ok(*NOW)
    world.ok("cache", "clean")
    a_day_later(world.cache)
    world.ok("cache", "clean")
    assert in_trash(world.cache)


def test_files_set_aside_stay(world: World) -> None:
    unneeded(world)
    for place in (world.cache / "corrupt/x", world.local / "lost+found/y"):
        place.parent.mkdir(parents=True)
        place.write_bytes(b"unsaved")
    world.ok(*NOW)
    a_day_later(world.cache)
    world.ok(*NOW)
    assert (world.cache / "corrupt/x").exists()
    assert (world.local / "lost+found/y").exists()


def test_adds_and_checkouts_at_the_same_time_lose_nothing(world: World) -> None:
    """Everything that is added has been in the cache before, so that it need not be saved if it is still there."""
    contents = [b"content %d" % number for number in range(20)]
    for number, content in enumerate(contents):
        world.write(f"junk/{number}", content)
    world.ok("add", "junk")
    world.ok("remove", "junk", "--data")
    lines = [f"printf 'content {n}' > {n}.bin && {shlex.join(DATATOOL)} add -q {n}.bin" for n in range(len(contents))]
    adding = subprocess.Popen(["sh", "-c", " && ".join(lines)], cwd=world.root, env=world.env)
    rounds = 0
    while adding.poll() is None or not rounds:
        world.ok(*NOW)
        rounds += 1
    assert adding.wait() == 0
    a_day_later(world.cache)
    world.ok(*NOW)
    assert {digest(content) for content in contents} <= held(world.cache)
    for number in range(len(contents)):
        (world.root / f"{number}.bin").unlink()
    world.ok("checkout")
    assert [world.read(f"{number}.bin") for number in range(len(contents))] == contents


def test_reading_another_project_leaves_its_trash_alone(world: World) -> None:
    other = World(world.top / "another")
    other.write("theirs.bin", b"theirs")
    other.ok("add", "theirs.bin")
    other.commit()
    cache = Cache(other.cache, State(None))
    cache.trash.take_object(cache.loose_path(digest(b"theirs")), digest(b"theirs"))
    before = in_trash(other.cache)
    assert world.run("get", str(other.root), "theirs.bin").code != 0
    assert in_trash(other.cache) == before
    other.ok("push")
    world.ok("get", str(other.root), "theirs.bin")


def test_gc_refuses_where_a_needed_list_of_files_was_damaged(world: World) -> None:
    world.write("data/a", b"in a directory")
    world.ok("add", "data")
    world.commit()
    world.ok("push")
    listing = next(
        path for path in (world.cache / "objects").rglob("*") if path.is_file() and path.read_bytes()[:7] == b"dt-tree"
    )
    listing.chmod(0o644)
    listing.write_bytes(b"dt-tree 1 page\nnonsense\n")
    before = held(world.cache)
    ran = world.fails(5, *NOW)
    assert "corrupt" in ran.err
    assert digest(b"in a directory") in held(world.cache)
    world.ok("fetch")
    world.ok(*NOW)
    assert held(world.cache) == before


def test_where_there_is_no_git_the_pointers_in_the_directory_count(world: World) -> None:
    data = unneeded(world)
    world.write("kept.bin", b"kept")
    world.ok("add", "kept.bin")
    cache = world.root / ".datatool/local/cache"
    cache.parent.mkdir()
    world.cache.rename(cache)
    world.git_dir.rename(world.top / "no git")
    world.ok(*NOW)
    assert has(world, b"kept", cache)
    assert not has(world, data, cache)


def test_a_remote_is_not_cleaned_by_this_version(world: World) -> None:
    ran = world.fails(2, "gc", "-r", "default")
    assert "deletes nothing from remotes" in ran.err
    assert "hint" in ran.err


@pytest.mark.parametrize("age", ["soon", "30", "-3d", ""])
def test_an_age_that_is_none_is_a_mistake(age: str, world: World) -> None:
    world.fails(2, "gc", f"--runs-older-than={age}")


def test_a_person_reads_what_goes_what_stays_and_what_to_do(world: World) -> None:
    unneeded(world)
    world.write("kept.bin", b"kept")
    world.ok("add", "kept.bin")
    planned = world.ok("gc", "--keep-days", "0").out
    assert "would be put into the trash  1 object, 17 B" in planned
    assert "named in a work tree" in planned
    assert "datatool gc --apply does it" in planned
    assert "trash" not in world.ok("cache", "info").out
    assert "from tomorrow on" in world.ok(*NOW).out
    assert "trash      17 B (datatool gc --apply deletes it after a day)" in world.ok("cache", "info").out
