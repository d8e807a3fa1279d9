"""What this work tree remembers: hashes by stat, the version last saved or checked out, objects verified.

Everything here can be found out again, so nothing here is ever needed for correctness: a missing, damaged or
busy database costs time, not data (formats §4). One thing is written later where it was busy: the version last here.
Without it, an older one that the user puts back would pass for what datatool left there.
"""

from __future__ import annotations

import sqlite3
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from operator import eq
from pathlib import Path
from typing import Any, NamedTuple

from msgspec import Struct

from datatool.index.stamp import STAMP_SIZE, Stamp
from datatool.localfs.database import BUSY_SECONDS, database_calls, open_database, read_database
from datatool.model.oid import ObjectId, from_digest, to_digest

_VERSION = 4
_SCHEMA = """
CREATE TABLE stat (path BLOB PRIMARY KEY, stamp BLOB, oid BLOB) WITHOUT ROWID;
CREATE TABLE base (artifact BLOB PRIMARY KEY, version BLOB, here BLOB, executable INTEGER) WITHOUT ROWID;
CREATE TABLE verified (name TEXT PRIMARY KEY, size INTEGER, mtime_ns INTEGER, ino INTEGER) WITHOUT ROWID;
CREATE TABLE listing (artifact BLOB PRIMARY KEY, mark BLOB, tree BLOB) WITHOUT ROWID;
CREATE TABLE part (artifact BLOB, first BLOB, tree BLOB, paths BLOB, stamps BLOB, PRIMARY KEY (artifact, first));
CREATE TABLE complete (oid BLOB PRIMARY KEY, stamp BLOB) WITHOUT ROWID;
"""
_KEPT = frozenset({"base", "verified"})
"""What stays of other versions: without its base, what datatool put there before the pointer moved on would be taken
for an edit."""
_STAT = "path, stamp, oid"
_SET_BASE = "INSERT OR REPLACE INTO base VALUES (?,?,?,?)"
_PAGE = 8192


class Row(NamedTuple):
    """One remembered file: `path` is raw bytes from the work tree's root."""

    path: bytes
    stamp: Stamp
    digest: bytes
    """32 raw bytes."""


class Part(NamedTuple):
    """Some files of a directory that were what a tree has at their paths when they had these stamps: their paths, with
    a NUL between two of them, and their stamps one behind the other."""

    paths: bytes
    stamps: bytes

    @classmethod
    def of(cls, paths: list[bytes], stamps: list[Stamp]) -> Part:
        """That of some files."""
        return cls(b"\0".join(paths), b"".join(stamps))

    def each(self) -> Iterator[tuple[bytes, bytes]]:
        """Path and stamp of each of them."""
        stamps = self.stamps
        every = [stamps[at : at + STAMP_SIZE] for at in range(0, len(stamps), STAMP_SIZE)]
        return zip(self.paths.split(b"\0"), every, strict=False)


class Base(Struct, frozen=True, kw_only=True):
    """What was last saved or checked out for an artifact in this work tree.

    `version` is the pointer's id at that time; `here` is the tree of the entries that were really put here: the
    same id when all were, a tree of its own after a partial checkout. For a file both are the file's id.
    """

    version: ObjectId
    here: ObjectId
    executable: bool = False


def _base_row(artifact: bytes, base: Base) -> tuple[bytes, bytes, bytes, int]:
    return artifact, to_digest(base.version), to_digest(base.here), int(base.executable)


def bases_in(path: Path) -> set[ObjectId]:
    """What was last saved or checked out in the work tree that a `state.db` belongs to, whoever's that is; nothing
    where it can't be read: then its user has to say `--force` in some cases, and loses nothing."""
    rows = read_database(path, "SELECT version, here FROM base")
    return {from_digest(value) for row in rows for value in row if isinstance(value, bytes) and len(value) == 32}


class State:
    """An open `state.db`, or nothing at all: then every question is answered "not known"."""

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._opened = path is None
        self._db: sqlite3.Connection | None = None
        self._dirty = False
        self._busy = False
        """Others write just now: what would wait for them is left out."""
        self._uncommitted: dict[bytes, tuple[Base | None, Base]] = {}
        """Bases that are not in the database yet: the one there, and the new one."""

    def _connect(self) -> sqlite3.Connection | None:
        if not self._opened:
            self._opened = True
            assert self._path is not None
            self._db = open_database(self._path, _SCHEMA, _VERSION, kept=_KEPT)
        return self._db

    def __enter__(self) -> State:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @database_calls
    def close(self) -> None:
        """Commit what was remembered and let go of the file."""
        self.commit(patient=True)
        if self._db is not None:
            self._db.close()
            self._db = None

    def commit(self, *, patient: bool = False) -> None:
        """Make what was remembered so far visible to later commands; losing it would only cost time. What the database
        was too busy for is tried again; where that is the last time, be `patient`."""
        if self._dirty or self._busy:
            self._commit(patient)

    @database_calls
    def _commit(self, patient: bool) -> None:
        if self._dirty and self._db is not None:
            try:
                self._db.execute("COMMIT")
                self._uncommitted.clear()
            except sqlite3.Error:
                self._give_up()
        self._dirty = False
        if self._busy:
            self._try_again(BUSY_SECONDS if patient else 0)

    def _try_again(self, seconds: float) -> None:
        """Store the bases that wait, but for those that another process has replaced since."""
        db = self._db
        if db is None:
            return
        try:
            db.execute(f"PRAGMA busy_timeout={seconds * 1000:.0f}")
            db.execute("BEGIN IMMEDIATE")
            for artifact, (before, base) in self._uncommitted.items():
                if self._stored_base(artifact) == before:
                    db.execute(_SET_BASE, _base_row(artifact, base))
            db.execute("COMMIT")
            db.execute(f"PRAGMA busy_timeout={BUSY_SECONDS * 1000:.0f}")
        except sqlite3.Error as error:
            self._failed(error)
        else:
            self._busy = False
            self._uncommitted.clear()

    def row(self, path: bytes) -> Row | None:
        """The remembered file at exactly a path, by one look into the index."""
        for row in self._all(f"SELECT {_STAT} FROM stat WHERE path=?", (path,)):
            return Row(*row)
        return None

    def rows(self, prefix: bytes) -> Iterator[Row]:
        """Remembered files at or below a path, in raw-byte order."""
        yield from map(Row._make, self._all(f"SELECT {_STAT} FROM stat WHERE path=?", (prefix,)))
        low, high = prefix + b"/", prefix + b"0"
        while True:  # a page at a time, so that rows may be written while others are still read
            page = self._all(
                f"SELECT {_STAT} FROM stat WHERE path>? AND path<? ORDER BY path LIMIT {_PAGE}", (low, high)
            )
            yield from map(Row._make, page)
            if len(page) < _PAGE:
                return
            low = page[-1][0]

    def recall(self, paths: Sequence[bytes]) -> list[tuple[bytes, Stamp, bytes] | None]:
        """What is remembered of each of many sorted paths, which lie close together: rows are read by range. As
        plain tuples, for speed."""
        found: list[tuple[bytes, Stamp, bytes] | None] = []
        while len(found) < len(paths):
            start = len(found)
            page = self._all(
                f"SELECT {_STAT} FROM stat WHERE path>=? AND path<=? ORDER BY path LIMIT {_PAGE}",
                (paths[start], paths[-1]),
            )
            # Where more lies between them than was asked for, the page tells of the first of them only.
            end = len(paths) if len(page) < _PAGE else bisect_right(paths, page[-1][0])
            asked = paths[start:end]
            every = len(page) == len(asked) and all(map(eq, [row[0] for row in page], asked))
            found += page if every else map({row[0]: row for row in page}.get, asked)
        return found

    def remember(self, rows: Iterable[tuple[bytes, Stamp, bytes]]) -> None:
        """Remember hashes, as a `Row` has them; the caller has applied the racy rule."""
        # For each of `bytes` the module looks for an adapter, which costs as much as all the rest of storing a row.
        self._write_many(
            f"INSERT OR REPLACE INTO stat ({_STAT}) VALUES (?,?,?)",
            [(bytearray(path), bytearray(stamp), bytearray(digest)) for path, stamp, digest in rows],
        )

    def forget(self, prefix: bytes) -> None:
        """Forget the hashes and the base at or below a path."""
        self._write("DELETE FROM stat WHERE path=? OR path>=? AND path<?", (prefix, prefix + b"/", prefix + b"0"))
        self._write("DELETE FROM base WHERE artifact=?", (prefix,))
        self._uncommitted.pop(prefix, None)
        self._write("DELETE FROM listing WHERE artifact=?", (prefix,))
        self.forget_parts(prefix)

    def move(self, old: bytes, new: bytes) -> None:
        """Remember under a new path what was remembered at or below an old one (a rename keeps inode and times,
        but not every system keeps the ctime: then the hashes simply don't hold)."""
        rows = [row._replace(path=new + row.path[len(old) :]) for row in self.rows(old)]
        self.forget(old)
        self.remember(rows)

    def base(self, artifact: bytes) -> Base | None:
        """What was last saved or checked out for an artifact, if that is known."""
        if artifact in self._uncommitted:
            return self._uncommitted[artifact][1]
        return self._stored_base(artifact)

    def _stored_base(self, artifact: bytes) -> Base | None:
        for version, here, executable in self._all(
            "SELECT version, here, executable FROM base WHERE artifact=?", (artifact,)
        ):
            return Base(version=from_digest(version), here=from_digest(here), executable=bool(executable))
        return None

    def set_base(self, artifact: bytes, base: Base) -> None:
        """Remember what was just saved or checked out; writes nothing when it is known already."""
        before = self.base(artifact)
        if before != base and self._connect() is not None:
            stored = self._uncommitted[artifact][0] if artifact in self._uncommitted else before
            self._uncommitted[artifact] = stored, base
            self._write(_SET_BASE, _base_row(artifact, base))

    def listing(self, artifact: bytes) -> tuple[bytes, ObjectId] | None:
        """The mark of a directory when the hashes of all its files were known, and the tree that it was."""
        for mark, tree in self._all("SELECT mark, tree FROM listing WHERE artifact=?", (artifact,)):
            return mark, from_digest(tree)
        return None

    def set_listing(self, artifact: bytes, mark: bytes, tree: ObjectId, parts: Iterable[Part]) -> None:
        """Remember that, and `parts` of it; every file's hash is remembered too."""
        self._write("INSERT OR REPLACE INTO listing VALUES (?,?,?)", (artifact, mark, to_digest(tree)))
        self.forget_parts(artifact)
        self.add_parts(artifact, tree, parts)

    def parts(self, artifact: bytes, tree: ObjectId) -> list[Part]:
        """Files of a directory that were just what a tree has there."""
        rows = self._all("SELECT paths, stamps FROM part WHERE artifact=? AND tree=?", (artifact, to_digest(tree)))
        return [Part(*row) for row in rows]

    def has_parts(self, artifact: bytes, tree: ObjectId) -> bool:
        """Whether there are some."""
        question = "SELECT 1 FROM part WHERE artifact=? AND tree=? LIMIT 1"
        return bool(self._all(question, (artifact, to_digest(tree))))

    def add_parts(self, artifact: bytes, tree: ObjectId, parts: Iterable[Part]) -> None:
        """Remember more of them; the caller has applied the racy rule."""
        self._write_many(
            "INSERT OR REPLACE INTO part VALUES (?,?,?,?,?)",
            [(artifact, part.paths.partition(b"\0")[0], to_digest(tree), *part) for part in parts],
        )

    def forget_parts(self, artifact: bytes) -> None:
        """Forget them, whichever tree it was."""
        self._write("DELETE FROM part WHERE artifact=?", (artifact,))

    def verified(self, name: str) -> tuple[int, int, int] | None:
        """size, mtime_ns and ino that a cache file had when its bytes were last known to be right."""
        for row in self._all("SELECT size, mtime_ns, ino FROM verified WHERE name=?", (name,)):
            return row[0], row[1], row[2]
        return None

    def set_verified(self, rows: Iterable[tuple[str, int, int, int]]) -> None:
        """Remember cache files (name, size, mtime_ns, ino) whose bytes are known to be right."""
        self._write_many("INSERT OR REPLACE INTO verified VALUES (?,?,?,?)", rows)

    def complete(self, oid: ObjectId) -> bytes | None:
        """The cache's stamp at the time all of a tree's objects were found in it."""
        for (stamp,) in self._all("SELECT stamp FROM complete WHERE oid=?", (to_digest(oid),)):
            assert isinstance(stamp, bytes)
            return stamp
        return None

    def set_complete(self, oid: ObjectId, stamp: bytes) -> None:
        """Remember that all of a tree's objects are in the cache, as long as its stamp stays the same."""
        self._write("INSERT OR REPLACE INTO complete VALUES (?,?)", (to_digest(oid), stamp))

    # The database may fail at any time; then the command goes on without it.

    @database_calls
    def _all(self, sql: str, arguments: tuple[object, ...]) -> list[Any]:
        db = self._connect()
        if db is None:
            return []
        try:
            return db.execute(sql, arguments).fetchall()
        except sqlite3.Error:
            self._give_up()
            return []

    def _write(self, sql: str, arguments: tuple[object, ...]) -> None:
        self._write_many(sql, [arguments])

    def _write_many(self, sql: str, rows: Iterable[tuple[object, ...]]) -> None:
        every = list(rows)
        if every:
            self._write_all(sql, every)

    @database_calls
    def _write_all(self, sql: str, rows: list[tuple[object, ...]]) -> None:
        db = self._connect()
        if db is None or self._busy:
            return
        try:
            if not self._dirty:
                db.execute("BEGIN IMMEDIATE")
                self._dirty = True
            db.executemany(sql, rows)
        except sqlite3.Error as error:
            self._failed(error)

    def _failed(self, error: sqlite3.Error) -> None:
        code = getattr(error, "sqlite_errorcode", 0)
        if code & 0xFF == sqlite3.SQLITE_BUSY and not self._dirty:
            self._busy = True  # it can still be read
        else:
            self._give_up()

    def _give_up(self) -> None:
        if self._db is not None:
            self._db.close()
        self._db, self._dirty = None, False
