"""`gc` and packs: what of them is needed, and what becomes of the rest."""

from __future__ import annotations

import random

from garbage import NOW, a_day_later, in_trash

from datatool.formats.shard import Shard
from datatool.hashing import digest
from world import World, held


def test_a_pack_in_the_trash_whose_list_is_damaged_stays(world: World) -> None:
    with_sparse_pack(world)
    world.ok(*NOW)
    packs = [path for path in in_trash(world.cache) if path.suffix == ".pack"]
    for path in packs:
        path.chmod(0o644)
        path.write_bytes(path.read_bytes()[:-10])
    a_day_later(world.cache)
    world.ok(*NOW)
    assert [path for path in in_trash(world.cache) if path.suffix == ".pack"] == packs


def with_sparse_pack(world: World) -> tuple[list[bytes], list[bytes]]:
    """One pack of which a tenth is needed; what is needed of it, and what is not."""
    chance = random.Random(1)
    contents = [chance.randbytes(500) for _ in range(600)]
    for number, content in enumerate(contents):
        world.write(f"data/{number:03}", content)
    world.ok("add", "data")
    for number in range(60, 600):
        (world.root / f"data/{number:03}").unlink()
    world.ok("add", "data")
    world.commit()
    return contents[:60], contents[60:]


def test_a_pack_of_which_little_is_needed_is_written_anew(world: World) -> None:
    needed, rest = with_sparse_pack(world)
    old = next((world.cache / "packs").rglob("*.pack"))
    planned = world.json("gc", "--keep-days", "0")
    assert (planned["packs"], planned["rewritten"]) == (2, 1)  # the other one is the list of files of before
    assert planned["unneeded"]["objects"] >= len(rest)
    world.ok(*NOW)
    assert not old.exists()
    assert {digest(data) for data in needed} <= held(world.cache)
    assert not {digest(data) for data in rest} & held(world.cache)
    for shard in (world.cache / "index").glob("*.dti"):
        packs = Shard(shard.read_bytes()).header.packs
        assert all((world.cache / "packs" / pack[:2] / f"{pack[2:]}.pack").exists() for pack in packs)
    a_day_later(world.cache)
    world.ok(*NOW)
    assert not in_trash(world.cache)
    for number in range(60):
        (world.root / f"data/{number:03}").unlink()
    world.ok("checkout")
    assert [world.read(f"data/{number:03}") for number in range(60)] == needed


def test_a_pack_that_is_needed_for_the_larger_part_stays_as_it_is(world: World) -> None:
    for number in range(300):
        world.write(f"data/{number:03}", b"%d" % number * 100)
    world.ok("add", "data")
    for number in range(250, 300):
        (world.root / f"data/{number:03}").unlink()
    world.ok("add", "data")
    world.commit()
    before = held(world.cache)
    found = world.json(*NOW)
    assert found["rewritten"] == 0
    assert found["kept"]["packed"]["objects"] == 50
    assert len(before - held(world.cache)) == found["unneeded"]["objects"] <= 3  # the list of files of before


def test_a_whole_pack_that_nobody_needs_goes_and_comes_back_if_it_is_added_again(world: World) -> None:
    def write() -> None:
        for number in range(300):
            world.write(f"data/{number:03}", b"%d" % number)

    write()
    world.ok("add", "data")
    for name in ("data.dt", ".gitignore"):
        world.git("rm", "-q", "-f", "--cached", name)
    (world.root / "data.dt").unlink()
    for database in world.local.glob("state.db*"):
        database.unlink()
    world.ok(*NOW)
    assert held(world.cache) == set()
    world.ok("add", "data")
    world.commit()
    a_day_later(world.cache)
    world.ok(*NOW)
    (world.root / "data/007").unlink()
    world.ok("checkout")
    assert world.read("data/007") == b"7"


def test_a_pack_that_a_killed_add_left_is_made_readable_if_it_is_needed_and_goes_if_not(world: World) -> None:
    needed, _ = with_sparse_pack(world)
    for shard in (world.cache / "index").iterdir():
        shard.unlink()
    world.ok("gc", "--apply")
    assert {digest(data) for data in needed} <= held(world.cache)
    (world.cache / "index").rename(world.cache / "index.gone")
    world.git("rm", "-q", "-f", "data.dt")
    world.git("commit", "-q", "--amend", "-m", "start")
    world.git("reflog", "expire", "--expire=all", "--all")
    for database in world.local.glob("state.db*"):
        database.unlink()
    (world.git_dir / "ORIG_HEAD").unlink(missing_ok=True)
    world.ok(*NOW)
    assert not list((world.cache / "packs").rglob("*.pack"))
