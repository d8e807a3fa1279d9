"""`gc` against a model: whatever was done with branches, tags, stashes, work trees and a shared cache, everything that
git or a work tree can still name is there, and nothing else (P7)."""

from __future__ import annotations

import os
import shutil
import sqlite3
import tempfile
from collections.abc import Iterator
from pathlib import Path

import hypothesis.strategies as st
from hypothesis import HealthCheck, settings
from hypothesis.stateful import RuleBasedStateMachine, rule

from datatool.cache.local import Cache
from datatool.errors import FormatError
from datatool.formats.pointer_file import is_pointer, parse_pointer
from datatool.formats.tree_object import part_ids, read_tree
from datatool.index.state import State
from datatool.model.oid import EMPTY, ObjectId, from_digest, parse_oid
from datatool.stages.run_store import load_run
from world import World, held

CONTENTS = st.integers(0, 30).map(lambda number: b"content %d" % number)
WHO = st.sampled_from(["first", "second"])
NAMES = st.sampled_from(["one", "two"])
NOW = ("gc", "--apply", "--keep-days", "0")


class Machine(RuleBasedStateMachine):
    """A project and a clone of it that share a cache; each has a file and a directory that are tracked."""

    def __init__(self) -> None:
        super().__init__()
        self.top = Path(tempfile.mkdtemp(prefix="gc-"))
        first = World(self.top)
        self.shared = self.top / "shared"
        first.ok("config", "set", "cache.dir", str(self.shared))
        first.write("file", b"at first")
        first.write("directory/a", b"at first, too")
        first.ok("add", "file", "directory")
        first.commit()
        second = first.clone("second")
        second.ok("config", "set", "cache.dir", str(self.shared))
        second.ok("checkout")
        self.worlds = {"first": first, "second": second}
        self.where = {"first": first.root, "second": second.root}
        self.stashes = {"first": 0, "second": 0}

    def teardown(self) -> None:
        shutil.rmtree(self.top, ignore_errors=True)

    def git(self, who: str, *words: str) -> str:
        return self.worlds[who].git(*words, cwd=self.where[who])

    # What people do

    @rule(who=WHO, content=CONTENTS, number=st.integers(0, 3))
    def record(self, who: str, content: bytes, number: int) -> None:
        where = self.where[who]
        for path in ("file", f"directory/{number}"):
            (where / path).parent.mkdir(exist_ok=True)
            (where / path).write_bytes(content + path.encode())
        self.worlds[who].ok("add", "file", "directory", "--force", cwd=where)

    @rule(who=WHO)
    def run(self, who: str) -> None:
        """A run reads the file, which is recorded and perhaps replaced later, with no commit that knew it. Where
        the ignore line was stashed, a commit may have taken the output into git: then a run refuses to track it."""
        where = self.where[who]
        if (where / "file").exists() and (where / "file.dt").exists() and not self.git(who, "ls-files", "made"):
            self.worlds[who].ok("add", "file", "--force", cwd=where)
            self.worlds[who].ok("run", "-d", "file", "-o", "made", "--force", "--", "cp", "file", "made", cwd=where)

    @rule(who=WHO)
    def commit(self, who: str) -> None:
        self.git(who, "add", "-A")
        self.git(who, "commit", "-q", "--allow-empty", "-m", "change")

    @rule(who=WHO, name=NAMES)
    def branch(self, who: str, name: str) -> None:
        self.git(who, "branch", "-f", f"kept-{name}", "HEAD")

    @rule(who=WHO, name=NAMES)
    def tag(self, who: str, name: str) -> None:
        self.git(who, "tag", "-f", "-a", "-m", "kept", name)

    @rule(who=WHO, name=NAMES)
    def lose_a_name(self, who: str, name: str) -> None:
        for ref in (f"refs/heads/kept-{name}", f"refs/tags/{name}"):
            self.git(who, "update-ref", "-d", ref)

    @rule(who=WHO)
    def go_back(self, who: str) -> None:
        if self.git(who, "rev-list", "--count", "HEAD") > "2":
            self.git(who, "reset", "-q", "--hard", "HEAD~")

    @rule(who=WHO)
    def unstage(self, who: str) -> None:
        self.git(who, "reset", "-q")

    @rule(who=WHO)
    def stash(self, who: str) -> None:
        self.git(who, "stash", "-q", "-u")

    @rule(who=WHO)
    def drop_a_stash(self, who: str) -> None:
        if self.git(who, "stash", "list"):
            self.git(who, "stash", "drop", "-q")

    @rule(who=WHO)
    def forget_the_past(self, who: str) -> None:
        self.git(
            who,
            "reflog",
            "expire",
            "--expire=all",
            *self.git(who, "for-each-ref", "--format=%(refname)", "refs/heads").split(),
            "HEAD",
        )
        for name in ("ORIG_HEAD", "FETCH_HEAD"):
            for path in self.worlds[who].git_dir.rglob(name):
                path.unlink()

    @rule(who=WHO)
    def work_in_a_linked_tree(self, who: str) -> None:
        linked = self.top / f"{who}-linked"
        if not linked.exists():
            self.git(who, "worktree", "add", "-q", "--detach", str(linked))
            self.where[who] = linked

    @rule(who=WHO)
    def work_at_home_again(self, who: str) -> None:
        self.where[who] = self.worlds[who].root

    @rule(who=WHO)
    def remove_the_linked_tree(self, who: str) -> None:
        linked = self.top / f"{who}-linked"
        if linked.exists():
            self.where[who] = self.worlds[who].root
            self.git(who, "worktree", "remove", "--force", str(linked))

    @rule(who=WHO)
    def look(self, who: str) -> None:
        self.worlds[who].run("checkout", cwd=self.where[who])

    # What gc does

    @rule(who=WHO, later=st.booleans())
    def collect(self, who: str, later: bool) -> None:
        if later:
            for batch in (self.shared / "trash").glob("*/*"):
                os.utime(batch, (1, 1))
        ran = self.worlds[who].run(*NOW, cwd=self.where[who])
        assert ran.code == 0, ran
        now = {ObjectId(oid) for oid in held(self.shared)}
        needed = self.needed()
        assert needed <= now, "something that is needed is gone"
        assert now <= needed | self.bases(), "something stays that nobody needs"

    def needed(self) -> set[ObjectId]:
        """By git's own walk over objects, which is not how gc looks for them."""
        cache = Cache(self.shared, State(None))
        named = {oid for text in self.texts() for oid in objects_of(cache, text)}
        for path in (path for path in (self.shared / "runs").rglob("*") if path.is_file()):
            record = load_run(cache, parse_oid(path.name))
            assert record is not None, "a record is gone"
            named.add(parse_oid(path.name))
            for file in (*record.inputs, *record.outputs):
                named |= parts_of(cache, file.oid)
        return named - {EMPTY}

    def texts(self) -> Iterator[bytes]:
        for world in self.worlds.values():
            listed = world.git("rev-list", "--objects", "--all", "--reflog", "--indexed-objects")
            for blob in {line.split(" ")[0] for line in listed.splitlines() if line.endswith(".dt")}:
                yield world.git("cat-file", "blob", blob).encode() + b"\n"
        for directory in self.top.iterdir():
            yield from (path.read_bytes() for path in directory.rglob("*.dt") if ".git" not in path.parts)

    def bases(self) -> set[ObjectId]:
        cache = Cache(self.shared, State(None))
        found: set[ObjectId] = set()
        for path in (database for world in self.worlds.values() for database in world.git_dir.rglob("state.db")):
            with sqlite3.connect(path) as database:
                for row in database.execute("SELECT version, here FROM base").fetchall():
                    found |= {oid for value in row for oid in parts_of(cache, from_digest(value))}
        return found


def objects_of(cache: Cache, text: bytes) -> set[ObjectId]:
    pointer = parse_pointer(text, name="p") if is_pointer(text) else None
    return set() if pointer is None or pointer.oid is None else parts_of(cache, pointer.oid)


def parts_of(cache: Cache, oid: ObjectId) -> set[ObjectId]:
    """An object, and what it lists if it is a list of files. It must be there."""
    try:
        entries = [entry.oid for entry in read_tree(oid, cache.load) if entry.oid is not None]
        return {oid, *part_ids(oid, cache.load), *entries}
    except FormatError:
        return {oid}


TestTheModel = Machine.TestCase
TestTheModel.settings = settings(
    max_examples=10, stateful_step_count=20, deadline=None, suppress_health_check=list(HealthCheck)
)
