"""Which object of ours has the bytes that DVC names by an md5, so that they are fetched once.

Only a hint: whoever uses it looks whether the cache still has the object. It is kept for each repository by itself, so
that no project can name, by its hash, a file that came from another one.
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterable
from pathlib import Path
from typing import Final, NamedTuple

from datatool.formats.dvc_file import Md5
from datatool.localfs.database import database_calls, open_database
from datatool.model.oid import ObjectId, from_digest, to_digest

_VERSION: Final = 1
_SCHEMA: Final = """
CREATE TABLE known (registry TEXT, md5 TEXT, oid BLOB, size INTEGER, PRIMARY KEY (registry, md5)) WITHOUT ROWID;
"""
_MANY: Final = 500


class Known(NamedTuple):
    """An object that has the bytes of an md5, and their count."""

    oid: ObjectId
    size: int


class Md5Memory:
    """A database in the user's cache directory; without a path, or where it can't be opened, nothing is known."""

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._db: sqlite3.Connection | None = None
        self._opened = path is None
        self._lock = threading.Lock()

    def close(self) -> None:
        """Let go of the file."""
        if self._db is not None:
            self._db.close()
        self._db = None

    def __del__(self) -> None:
        self.close()

    def known(self, registry: str, hashes: Iterable[Md5]) -> dict[Md5, Known]:
        """What is known of some hashes of a registry."""
        wanted = {_key(md5): md5 for md5 in hashes}
        found: dict[Md5, Known] = {}
        keys = list(wanted)
        with self._lock, database_calls:
            db = self._connect()
            for start in range(0, len(keys) if db is not None else 0, _MANY):
                some = keys[start : start + _MANY]
                marks = ",".join("?" * len(some))
                question = f"SELECT md5, oid, size FROM known WHERE registry=? AND md5 IN ({marks})"
                try:
                    assert db is not None
                    for key, oid, size in db.execute(question, (registry, *some)):
                        found[wanted[key]] = Known(from_digest(oid), size)
                except (sqlite3.Error, ValueError, TypeError):
                    return found
        return found

    def learn(self, registry: str, rows: Iterable[tuple[Md5, Known]]) -> None:
        """Remember what was found; losing it costs only time."""
        values = [(registry, _key(md5), to_digest(known.oid), known.size) for md5, known in rows]
        with self._lock, database_calls:
            db = self._connect() if values else None
            if db is not None:
                try:
                    db.execute("BEGIN IMMEDIATE")
                    db.executemany("INSERT OR REPLACE INTO known VALUES (?, ?, ?, ?)", values)
                    db.execute("COMMIT")
                except sqlite3.Error:
                    self._give_up()

    def _connect(self) -> sqlite3.Connection | None:
        if not self._opened:
            self._opened = True
            assert self._path is not None
            self._db = open_database(self._path, _SCHEMA, _VERSION)
        return self._db

    def _give_up(self) -> None:
        if self._db is not None:
            self._db.close()
        self._db = None


def _key(md5: Md5) -> str:
    return f"{'2' if md5.legacy else '3'}:{md5}"
