"""Small databases that only remember: opened, or opened anew, or done without."""

from __future__ import annotations

import os
import sqlite3
from pathlib import Path
from typing import Final

from datatool.forks import Unforked
from datatool.localfs.atomic import make_dirs
from datatool.localfs.sharing import Sharing
from datatool.model.settings import Durability

BUSY_SECONDS = 2.0
"""How long a command waits for another one's transaction before it goes on without the database."""

database_calls: Final = Unforked()
"""To be in for each call of a connection: SQLite's own locks are of this process, not of a connection."""


@database_calls
def open_database(
    path: Path, schema: str, version: int, *, kept: frozenset[str] = frozenset()
) -> sqlite3.Connection | None:
    """Open the database at `path`, making it by `schema` where it is missing, damaged or of another version. Of another
    version only the tables named in `kept` stay, where they are as in `schema`.

    Gives None where that is not possible (read-only, busy, full): everything kept in such a database can be
    found out again, so the caller goes on without it. Commits need no sync (WAL, `synchronous=NORMAL`): a
    power cut loses the last ones and damages nothing.
    """
    for attempt in range(2):
        connection: sqlite3.Connection | None = None
        try:
            make_dirs(path.parent, like=path.parent, durability=Durability.NONE)
            fresh = not path.exists()
            connection = sqlite3.connect(path, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False)
            found = connection.execute("PRAGMA user_version").fetchone()[0]
            if found != version:
                connection.execute("PRAGMA journal_mode=WAL")
                if fresh:
                    Sharing.like(path.parent).give_file(path)
                connection.execute("BEGIN IMMEDIATE")
                missing = [text.strip() for text in schema.split(";") if text.strip()]
                tables = connection.execute("SELECT name, sql FROM sqlite_master WHERE type='table'").fetchall()
                for name, text in tables:
                    if name in kept and text in missing:
                        missing.remove(text)
                    else:
                        connection.execute(f'DROP TABLE "{name}"')
                for text in missing:
                    connection.execute(text)
                connection.execute(f"PRAGMA user_version={version}")
                connection.execute("COMMIT")
            connection.execute("PRAGMA synchronous=NORMAL")
            connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
            return connection
        except sqlite3.DatabaseError as error:
            if connection is not None:
                connection.close()
            if isinstance(error, sqlite3.OperationalError) or attempt:
                return None
            _set_aside(path)
        except OSError:
            return None
    return None


@database_calls
def read_database(path: Path, question: str) -> list[tuple[object, ...]]:
    """The answer of a database that belongs to somebody else, which is not changed; none where it can't be read."""
    try:
        connection = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, timeout=BUSY_SECONDS)
    except sqlite3.Error:
        return []
    try:
        return connection.execute(question).fetchall()
    except sqlite3.Error:
        return []
    finally:
        connection.close()


def _set_aside(path: Path) -> None:
    for suffix in ("", "-wal", "-shm"):
        try:
            os.replace(f"{path}{suffix}", f"{path}{suffix}.damaged")
        except FileNotFoundError:
            continue
        except OSError:
            return
