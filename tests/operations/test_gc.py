"""`gc`: what nobody needs leaves the cache in two steps, and what anybody needs stays."""

from __future__ import annotations

import json
import os
import random
import shlex
import subprocess
import sys
import time
from pathlib import Path

import pytest

from datatool.cache.local import Cache
from datatool.formats.shard import Shard
from datatool.hashing import digest
from datatool.index.state import State
from world import DATATOOL, World, held

NOW = ("gc", "--apply", "--keep-days", "0")
DAY = 86_400


def has(world: World, data: bytes, cache: Path | None = None) -> bool:
    return digest(data) in held(cache or world.cache)


def in_trash(cache: Path) -> list[Path]:
    return [path for path in (cache / "trash").rglob("*") if path.is_file()]


def a_day_later(cache: Path, seconds: int = DAY + 60) -> None:
    """As if what lies in the trash had been put there a day ago."""
    for batch in (cache / "trash").glob("*/*"):
        then = batch.stat().st_mtime - seconds
        os.utime(batch, (then, then))


def aged(cache: Path, days: int) -> None:
    """As if everything had come into the cache some days ago."""
    then = time.time() - days * DAY
    for part in ("objects", "packs"):
        for path in (cache / part).rglob("*"):
            if path.is_file():
                os.utime(path, (then, then))


def unneeded(world: World, path: str = "gone.bin", data: bytes = b"nobody needs this") -> bytes:
    """Data that was added and whose pointer is nowhere any more."""
    world.write(path, data)
    world.ok("add", path)
    world.git("rm", "-q", "-f", "--cached", f"{path}.dt")
    (world.root / f"{path}.dt").unlink()
    (world.root / path).unlink()
    for database in world.local.glob("state.db*"):
        database.unlink()  # what was last saved is needed, too
    return data


# ---- two steps


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


# ---- what is needed


def versions_on(world: World, how: str) -> bytes:
    """A version that is named only where `how` says."""
    data = f"only in {how}".encode()
    world.write("kept.bin", b"first")
    world.ok("add", "kept.bin")
    world.commit("first")
    world.write("kept.bin", data)
    world.ok("add", "kept.bin")
    match how:
        case "the work tree":
            world.git("reset", "-q")
        case "the index":
            world.git("add", "kept.bin.dt")
            (world.root / "kept.bin.dt").write_text(world.git("show", "HEAD:kept.bin.dt") + "\n")
        case "a branch":
            world.git("checkout", "-q", "-b", "side")
            world.commit("second")
            world.git("checkout", "-q", "-")
        case "a tag":
            world.commit("second")
            world.git("tag", "-a", "-m", "kept", "v1")
            world.git("reset", "-q", "--hard", "HEAD~")
            world.git("reflog", "expire", "--expire=all", "--all")
        case "a reflog":
            world.commit("second")
            world.git("reset", "-q", "--hard", "HEAD~")
        case "a stash":
            world.git("stash", "-q")
        case "an older stash":
            world.git("stash", "-q")
            world.write("kept.bin", b"a newer stash")
            world.ok("add", "kept.bin", "--force")
            world.git("stash", "-q")
        case "a stash of untracked files":
            world.git("rm", "-q", "-f", "--cached", "kept.bin.dt")
            world.git("commit", "-q", "-m", "untracked")
            world.git("stash", "-q", "-u")
        case "one side of a merge":
            world.git("checkout", "-q", "-b", "side")
            world.commit("second")
            world.git("checkout", "-q", "-")
            world.write("kept.bin", b"third")
            world.ok("add", "kept.bin", "--force")
            world.commit("third")
            world.git("-c", "alias.conflict=!git merge -q side || true", "conflict")
            (world.git_dir / "MERGE_HEAD").unlink()
            world.git("branch", "-q", "-D", "side")
            world.git("reflog", "expire", "--expire=all", "--all")
            (world.root / "kept.bin.dt").unlink()
        case "an unfinished rebase":
            world.commit("second")
            second = world.git("rev-parse", "HEAD")
            world.git("reset", "-q", "--hard", "HEAD~")
            world.git("reflog", "expire", "--expire=all", "--all")
            (world.git_dir / "rebase-merge").mkdir()
            (world.git_dir / "rebase-merge/orig-head").write_text(second + "\n")
        case "a linked work tree":
            world.git("worktree", "add", "-q", str(world.top / "linked"))
            (world.top / "linked/kept.bin.dt").write_bytes(world.read("kept.bin.dt"))
        case "the index of a linked work tree":
            linked = world.top / "linked"
            world.git("worktree", "add", "-q", str(linked))
            (linked / "kept.bin.dt").write_bytes(world.read("kept.bin.dt"))
            world.git("add", "kept.bin.dt", cwd=linked)
            (linked / "kept.bin.dt").unlink()
        case "a reflog of a linked work tree":
            linked = world.top / "linked"
            world.git("worktree", "add", "-q", "--detach", str(linked))
            (linked / "kept.bin.dt").write_bytes(world.read("kept.bin.dt"))
            world.git("commit", "-q", "-a", "-m", "second", cwd=linked)
            world.git("reset", "-q", "--hard", "HEAD~", cwd=linked)
        case "a ref of a linked work tree alone":
            linked = world.top / "linked"
            world.git("worktree", "add", "-q", "--detach", str(linked))
            (linked / "kept.bin.dt").write_bytes(world.read("kept.bin.dt"))
            world.git("commit", "-q", "-a", "-m", "second", cwd=linked)
            world.git("update-ref", "refs/worktree/kept", "HEAD", cwd=linked)
            world.git("reset", "-q", "--hard", "HEAD~", cwd=linked)
            world.git("reflog", "expire", "--expire=all", "--all", cwd=linked)
            for name in world.git_dir.rglob("ORIG_HEAD"):
                name.unlink()
        case "an ignored pointer":
            (world.root / ".gitignore").write_text("kept.bin\naside/\n")
            world.commit("ignored")
            world.write("aside/kept.bin.dt", world.read("kept.bin.dt"))
        case "a pointer that does not read":
            text = world.read("kept.bin.dt").decode().replace("kind: file", "kind: something new")
            world.write("aside.dt", text.encode())
        case "the database":
            world.git("reset", "-q", "--hard")
            return data
    if how not in ("the work tree", "the index", "one side of a merge"):
        world.git("reset", "-q", "--hard")
    for database in world.git_dir.rglob("state.db*"):
        database.unlink()
    return data


@pytest.mark.parametrize(
    "how",
    [
        *("the work tree", "the index", "a branch", "a tag", "a reflog", "a stash", "an older stash"),
        *("a stash of untracked files", "one side of a merge", "an unfinished rebase", "a linked work tree"),
        *("the index of a linked work tree", "a reflog of a linked work tree", "a ref of a linked work tree alone"),
        *("an ignored pointer", "a pointer that does not read", "the database"),
    ],
)
def test_a_version_is_kept_that_is_named_only_in(how: str, world: World) -> None:
    data = versions_on(world, how)
    world.ok(*NOW)
    assert has(world, data)
    a_day_later(world.cache)
    world.ok(*NOW)
    assert has(world, data)


def test_what_a_link_in_the_work_tree_leads_to_is_kept(world: World) -> None:
    """Also where the file that is one was moved, and nothing tracks it any more."""
    world.ok("config", "set", "cache.link", "symlink")
    world.write("linked.bin", b"behind a link")
    world.ok("add", "linked.bin")
    assert (world.root / "linked.bin").is_symlink()
    world.git("rm", "-q", "-f", "--cached", "linked.bin.dt")
    (world.root / "linked.bin.dt").unlink()
    (world.root / "aside").mkdir()
    (world.root / "linked.bin").rename(world.root / "aside/moved.bin")
    for database in world.local.glob("state.db*"):
        database.unlink()
    world.ok(*NOW)
    assert world.read("aside/moved.bin") == b"behind a link"


def test_all_of_a_large_directory_is_kept_and_nothing_else(world: World) -> None:
    for number in range(3000):
        world.write(f"data/{number:04}.txt", b"%d" % number)
    world.ok("add", "data")
    world.commit()
    before = held(world.cache)
    data = unneeded(world)
    world.ok(*NOW)
    assert held(world.cache) == before
    assert not has(world, data)
    assert world.json("status")["clean"]
    (world.root / "data/0007.txt").unlink()
    world.ok("checkout")
    assert world.read("data/0007.txt") == b"7"


# ---- packs


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


# ---- runs


def with_runs(world: World) -> None:
    """A command that was run twice, with another input each time."""
    for text in (b"old", b"new"):
        world.write("in.csv", text)
        world.ok("add", "in.csv")
        world.ok("run", "-d", "in.csv", "-o", "out.csv", "--", "sh", "-c", "sed s/^/made-of-/ in.csv > out.csv")


def test_runs_keep_what_they_read_and_made(world: World) -> None:
    with_runs(world)
    found = world.json(*NOW)
    assert found["runs"] == 0
    assert found["kept"]["runs"]["objects"] == 4  # two records, and what the older one read and made
    assert has(world, b"old")
    assert has(world, b"made-of-old")
    found = world.json(*NOW, "--runs-older-than", "1h")
    assert found["runs"] == 0
    assert has(world, b"made-of-old")


def test_old_runs_are_forgotten_with_what_they_made_unless_a_pointer_names_them(world: World) -> None:
    with_runs(world)
    world.commit()
    assert world.json("gc", "--runs-older-than", "0s")["runs"] == 1
    assert len(list((world.cache / "runs").rglob("*/*/*"))) == 2
    assert world.json(*NOW, "--runs-older-than", "0s")["runs"] == 1
    assert not has(world, b"old")
    assert not has(world, b"made-of-old")
    assert has(world, b"made-of-new")
    assert len([path for path in (world.cache / "runs").rglob("*") if path.is_file()]) == 1
    assert [item["action"] for item in world.json("reproduce", "out.csv")["runs"]] == ["unchanged"]
    world.write("in.csv", b"old")
    words = ("run", "-d", "in.csv", "-o", "out.csv", "--json", "--", "sh", "-c", "sed s/^/made-of-/ in.csv > out.csv")
    assert world.ok(*words).json["action"] == "executed"
    assert world.read("out.csv") == b"made-of-old"
    assert not [path for path in in_trash(world.cache) if path.name == digest(b"made-of-old")]


def test_results_of_stages_stay_until_their_runs_are_old(world: World) -> None:
    script = (
        "import datatool\n@datatool.stage\ndef answer(n: int) -> dict:\n    print('made', n)\n    return {'n': n}\n"
    )
    world.write("work.py", (script + "print(answer(1))\n").encode())

    def work() -> str:
        words = [sys.executable, "work.py"]
        done = subprocess.run(words, cwd=world.root, env=world.env, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        return done.stdout

    assert "made" in work()
    world.ok(*NOW)
    assert "made" not in work()
    assert world.json(*NOW, "--runs-older-than", "0s")["runs"] == 1
    assert "made" in work()


def test_records_of_another_project_count_too(world: World) -> None:
    shared = world.top / "shared"
    other = World(world.top / "another")
    for one in (world, other):
        one.ok("config", "set", "cache.dir", str(shared))
    with_runs(other)
    world.ok(*NOW)
    assert has(other, b"made-of-old", shared)


def test_a_record_of_a_later_version_stops_gc(world: World) -> None:
    with_runs(world)
    record = b'{"datatool_run":99}'
    oid = digest(record)
    for name, data in ((f"objects/{oid[:2]}/{oid[2:]}", record), (f"runs/{oid[:2]}/{oid[2:]}/{oid}", b"")):
        (world.cache / name).parent.mkdir(parents=True, exist_ok=True)
        (world.cache / name).write_bytes(data)
    before = held(world.cache)
    world.fails(1, *NOW, "--runs-older-than", "0s")
    assert held(world.cache) == before


# ---- several users of one cache


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


# ---- damage


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


# ---- without git, and words


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
