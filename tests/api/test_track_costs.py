"""What a call of `track()` costs, in system calls: whatever the number of artifacts, and no sync for each file."""

from __future__ import annotations

import os
import re
import sqlite3
import subprocess
import sys
from collections import Counter
from contextlib import closing
from pathlib import Path

import pytest

import datatool
import needs
from api.tracking import NEW, OWN
from datatool.formats.pointer_file import write_pointer
from datatool.hashing import digest
from datatool.index.stamp import stamp_of
from datatool.index.state import Row, State
from datatool.localfs.database import open_database
from datatool.model.oid import to_digest
from datatool.model.pointer import ArtifactKind, Pointer
from measure import hashed_bytes
from world import World

WRITES = {
    *("write", "pwrite64", "writev", "rename", "renameat", "renameat2", "link", "linkat", "unlink", "unlinkat"),
    *("mkdir", "mkdirat", "ftruncate", "fallocate", "fchmod", "utimensat", "symlink", "symlinkat"),
}
SYNCS = {"fsync", "fdatasync", "syncfs", "sync_file_range", "sync"}


def many(world: World, count: int) -> None:
    """So many artifacts of one file each, as `datatool add` leaves them but for their objects: those are not needed to
    find that nothing changed, and would take a minute."""
    paths = [f"data/{number // 500:03}/{number:05}.txt".encode() for number in range(count)]
    rows = []
    world.write("first.csv", b"first\n")
    world.settle()
    world.ok("add", "first.csv")
    for number, path in enumerate(paths):
        data = b"%d\n" % number
        file = world.write(path, data)
        pointer = Pointer(kind=ArtifactKind.FILE, oid=digest(data), size=len(data))
        world.write(path + b".dt", write_pointer(pointer, old=None))
        rows.append(Row(path, stamp_of(os.lstat(file)), to_digest(digest(data))))
    with State(world.local / "state.db") as state:
        state.remember(rows)


def calls(world: World, before: str, measured: str) -> list[tuple[str, str]]:
    """The system calls (name, arguments) of the process and its children while `measured` runs."""
    needs.linux()
    code = f"import os, datatool\n{before}\nos.access('/begin', 0)\n{measured}\nos.access('/end', 0)\n"
    log = world.top / "strace.log"
    tracer = [needs.tool("strace"), "-f", "-qq", "-s", "300", "-o", str(log)]
    done = subprocess.run(
        [*tracer, sys.executable, "-c", code], cwd=world.root, env=world.env, capture_output=True, text=True
    )
    if "PTRACE" in done.stderr or "ptrace" in done.stderr:
        needs.lacking("ptrace")
    assert done.returncode == 0, done.stderr[-3000:]
    found = re.findall(r"^\d+ +(?:<\.\.\. )?(\w+)(?:\(| resumed)(.*)$", log.read_text(errors="replace"), re.MULTILINE)
    names = [arguments.split('"')[1] if '"' in arguments else "" for _, arguments in found]
    return found[names.index("/begin") + 1 : names.index("/end")]


def names(found: list[tuple[str, str]]) -> Counter[str]:
    """How often each call came; not those by which Python and its memory breathe."""
    idle = ("brk", "mmap", "munmap", "madvise", "mremap", "futex", "getrandom")
    return Counter(name for name, _ in found if name not in idle)


def test_an_unchanged_call_costs_the_same_with_ten_and_with_ten_thousand_artifacts(desk: World, tmp_path: Path) -> None:
    other = World(tmp_path, name="other")
    other.env.pop("CI", None)
    many(desk, 10)
    many(other, 10_000)
    for path in ("data/000/00007.txt", "first.csv"):
        once = f"datatool.track({path!r})"
        few = names(calls(desk, f"{once}\n{once}", "\n".join([once] * 5)))
        lots = names(calls(other, f"{once}\n{once}", "\n".join([once] * 5)))
        assert few == lots
        assert few.total() < 5 * 60, few
        assert not few.keys() & (WRITES | SYNCS | {"execve", "clone", "vfork", "fork", "clone3"}), few


def test_an_unchanged_call_makes_one_look_into_the_index_and_reads_no_data(
    desk: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    many(desk, 10)
    datatool.track("first.csv")
    asked = []
    original = State._all

    def counted(self: State, sql: str, arguments: tuple[object, ...]) -> list[object]:
        asked.append(sql)
        return original(self, sql, arguments)

    monkeypatch.setattr(State, "_all", counted)
    with hashed_bytes(monkeypatch) as hashed:
        datatool.track("first.csv")
    assert len(asked) == 1, asked
    assert hashed() == 0


def test_new_files_in_calls_of_their_own_are_synced_once_and_git_is_asked_once(desk: World) -> None:
    for number in range(101):
        desk.write(f"data/{number}.txt", b"%d\n" % number)
    code = "for number in range(100): datatool.track(f'data/{number}.txt')"
    found = calls(desk, "datatool.track('data/100.txt')", code)
    assert not names(found).keys() & SYNCS
    assert not names(found)["execve"], "git was asked once, before"
    renamed = names(found)["rename"] + names(found)["renameat"] + names(found)["renameat2"]
    assert renamed <= 100 + 10, "each pointer gets its name by one; the .gitignore is replaced once in a while"
    lines = desk.read("data/.gitignore").splitlines()
    assert lines == sorted(f"/{number}.txt".encode() for number in range(101)), "sorted when the process ends"
    assert not [name for name, _ in found if "sleep" in name], "nothing is waited for"
    assert desk.json("status")["clean"]
    assert len(desk.json("status")["artifacts"]) == 101


def test_a_new_file_in_a_call_of_its_own_costs_few_system_calls(desk: World) -> None:
    for number in range(120):
        desk.write(f"data/a/b/{number:03}.txt", b"%d\n" % number)
    desk.settle()  # a hash of what was written just now would not be remembered
    code = "for number in range(%d, %d): datatool.track(f'data/a/b/{number:03}.txt')"
    found = names(calls(desk, code % (0, 100), code % (100, 120)))
    assert found["fcntl"] <= 20 * 9, "what SQLite locks, for one transaction"
    assert found["open"] + found["openat"] <= 20 * 18, found
    looks_around = 20 * len(desk.root.parts)  # for a link above the project
    assert found.total() <= 20 * 157 + looks_around, found


def test_a_new_file_is_remembered_in_one_transaction(desk: World, monkeypatch: pytest.MonkeyPatch) -> None:
    statements: list[str] = []

    def traced(path: Path, schema: str, version: int, kept: frozenset[str]) -> sqlite3.Connection | None:
        connection = open_database(path, schema, version, kept=kept)
        if connection is not None:
            connection.set_trace_callback(statements.append)
        return connection

    monkeypatch.setattr("datatool.index.state.open_database", traced)
    for number in range(6):
        desk.write(f"data/{number}.txt", b"%d\n" % number)
    desk.settle()
    datatool.track("data/0.txt")
    statements.clear()
    for number in range(1, 6):
        datatool.track(f"data/{number}.txt")
    assert 5 * 3 <= len(statements) <= 5 * 5, statements
    assert sum(text.startswith("BEGIN") for text in statements) == 5, statements


def test_a_list_of_new_files_is_synced_once_for_all_of_them(desk: World) -> None:
    for number in range(100):
        desk.write(f"data/{number}.txt", b"%d\n" % number)
    code = "datatool.track([f'data/{number}.txt' for number in range(100)])"
    found = calls(desk, "", code + "\nimport atexit\natexit._run_exitfuncs()")
    assert 1 <= sum(name in SYNCS for name, _ in found) <= 40
    assert desk.json("status")["clean"]


def test_the_cost_of_a_call_does_not_grow_with_the_files_recorded_before(desk: World) -> None:
    for number in range(300):
        desk.write(f"data/{number:03}.txt", b"%d\n" % number)
    code = "[datatool.track(f'data/{number:03}.txt') for number in range(%d, %d)]"
    early = names(calls(desk, code % (0, 100), code % (100, 120))).total()
    late = names(calls(desk, code % (120, 280), code % (280, 300))).total()
    assert late < early * 1.2


def test_going_to_another_branch_waits_for_nothing_and_asks_git_nothing_for_each_file(desk: World) -> None:
    names_here = [f"data/{number}.txt" for number in range(20)]
    for content in (b"one", b"two"):
        for name in names_here:
            desk.write(name, content + name.encode())
        desk.ok("add", *names_here)
        desk.commit()
    desk.git("checkout", "-q", "HEAD~1")
    code = "for number in range(1, 20): datatool.track(f'data/{number}.txt')"
    found = calls(desk, "datatool.track('data/0.txt')", code)
    assert all(desk.read(name) == b"one" + name.encode() for name in names_here)
    assert not names(found)["execve"]
    assert not [name for name, _ in found if "sleep" in name]
    assert desk.json("status")["clean"]


def test_what_was_recorded_is_synced_when_the_process_ends(desk: World) -> None:
    needs.linux()
    for number in range(10):
        desk.write(f"data/{number}.txt", b"%d\n" % number)
    code = "for number in range(10): datatool.track(f'data/{number}.txt')"
    found = calls(desk, code, "import atexit\natexit._run_exitfuncs()")
    synced = sum(name in SYNCS for name, _ in found)
    assert 1 <= synced <= 60
    for number in range(100):
        desk.write(f"more/{number}.txt", b"more %d\n" % number)
    code = "for number in range(100): datatool.track(f'more/{number}.txt')"
    found = calls(desk, code, "import atexit\natexit._run_exitfuncs()")
    assert 1 <= sum(name in SYNCS for name, _ in found) <= 60, "many are synced with one call for all"


def test_a_process_that_changes_nothing_leaves_everything_as_it_was(desk: World) -> None:
    many(desk, 10)
    code = "import datatool\nfor _ in range(2): datatool.track(['first.csv', 'data/000/00003.txt'])\n"

    def files() -> dict[str, tuple[int, int]]:
        return {str(path): (path.lstat().st_mtime_ns, path.lstat().st_size) for path in sorted(desk.root.rglob("*.*"))}

    def run() -> None:
        done = subprocess.run([sys.executable, "-c", code], cwd=desk.root, env=desk.env, capture_output=True, text=True)
        assert (done.returncode, done.stdout, done.stderr) == (0, "", "")

    run()  # which is recorded: later ones are the same again
    before = files()
    run()
    assert files() == before


def test_a_program_in_which_nothing_is_missing_loads_nothing_that_fetches(desk: World) -> None:
    many(desk, 10)
    code = """
import sys, datatool
datatool.track("first.csv")
print([name for name in sys.modules if name.startswith(("datatool.remote", "datatool.registry", "fsspec", "pygit2"))])
"""
    done = subprocess.run([sys.executable, "-c", code], cwd=desk.root, env=desk.env, capture_output=True, text=True)
    assert (done.stdout, done.stderr) == ("[]\n", "")


def test_between_two_calls_others_may_remember_what_they_record(desk: World) -> None:
    desk.write("x.csv", NEW)
    desk.ok("add", "x.csv")
    desk.write("x.csv", OWN)
    desk.settle()
    datatool.track("x.csv", on_change="keep")  # hashes it, which is remembered
    (place,) = desk.local.rglob("state.db")
    with closing(sqlite3.connect(place, timeout=0, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        other.execute("ROLLBACK")
