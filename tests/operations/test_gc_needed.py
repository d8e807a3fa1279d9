"""`gc` keeps what pointers of any commit, links and records of runs name."""

from __future__ import annotations

import subprocess
import sys

import pytest
from garbage import NOW, a_day_later, has, in_trash, unneeded

from datatool.hashing import digest
from world import World, held


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


def test_runs_keep_what_their_program_read_around_them(world: World) -> None:
    world.write(
        "work.py",
        b"import datatool, os\n"
        b"read = datatool.track('in.csv').read_text()\n"
        b"with datatool.run('block'):\n"
        b"    datatool.track('out.csv', output=True).write_text('made of ' + read)\n"
        b"os._exit(7)\n",  # so that the block's record is the only one
    )
    for text in (b"old", b"new"):
        world.write("in.csv", text)
        done = subprocess.run([sys.executable, "work.py"], cwd=world.root, env=world.env, capture_output=True)
        assert done.returncode == 7, done.stderr.decode()
    assert len(list((world.cache / "runs").rglob("*/*/*"))) == 2
    world.ok(*NOW)
    assert has(world, b"old")
    assert has(world, b"made of old")
    world.ok(*NOW, "--runs-older-than", "0s")
    assert not has(world, b"old")


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
