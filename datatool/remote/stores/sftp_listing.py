"""Listing the names in a remote at an SFTP server: its directories are read in parallel, and told in order."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import Future
from itertools import islice
from typing import Final, NamedTuple

import asyncssh

from datatool.remote.stores.sftp_errors import MISSING
from datatool.remote.stores.sftp_files import Entry, is_directory, read_directory
from datatool.remote.stores.sftp_link import Line
from datatool.remote.stores.sftp_temps import DIRECTORY
from datatool.store.names import is_name
from datatool.store.protocol import Listed

_AHEAD: Final = 64
"""Directories that are read ahead of the one that is being told."""


class _Row(NamedTuple):
    """A directory (whose key ends in `/`, as it sorts) or a name."""

    key: str
    listed: Listed | None


class Listing:
    """The names below `top` (a path of the server's, told as `where`) that start with `prefix`."""

    def __init__(self, line: Line, top: bytes, prefix: str, *, where: str) -> None:
        self._line = line
        self._top = top
        self._prefix = prefix
        self._where = where

    def names(self) -> Iterator[Listed]:
        """All of them, sorted; links and other things that are no plain file are none. Raises RemoteError."""
        directory = self._prefix.rpartition("/")[0]
        if directory.partition("/")[0] == DIRECTORY:
            return
        yield from self._walk(directory, self._read(directory))

    def _walk(self, directory: str, reading: Future[Sequence[Entry]]) -> Iterator[Listed]:
        rows = sorted(self._rows(directory, self._line.wait(reading, f"{self._where}/{directory}")))
        inner = [row.key[:-1] for row in rows if row.listed is None]
        ahead = iter(inner)
        under_way = {name: self._read(name) for name in islice(ahead, _AHEAD)}
        for row in rows:
            if row.listed is not None:
                yield row.listed
                continue
            name = row.key[:-1]
            yield from self._walk(name, under_way.pop(name))
            for following in islice(ahead, 1):
                under_way[following] = self._read(following)

    def _rows(self, directory: str, entries: Sequence[Entry]) -> Iterator[_Row]:
        for entry in entries:
            try:
                own = entry.name.decode("ascii")
            except UnicodeDecodeError:
                continue
            name = f"{directory}/{own}" if directory else own
            if not is_name(name) or name == DIRECTORY:
                continue
            inside = f"{name}/"
            if entry.is_dir:
                if inside.startswith(self._prefix) or self._prefix.startswith(inside):
                    yield _Row(inside, None)
            elif entry.is_file and name.startswith(self._prefix):
                yield _Row(name, Listed(name, entry.size, float(entry.time)))

    def _read(self, directory: str) -> Future[Sequence[Entry]]:
        path = b"/".join((self._top, directory.encode("ascii"))) if directory else self._top or b"/"
        return self._line.start(entries_of(self._line, path))


async def entries_of(line: Line, path: bytes) -> Sequence[Entry]:
    """What is in a directory; nothing if there is none."""
    try:
        return await read_directory(line, path)
    except MISSING:
        return ()
    except asyncssh.SFTPFailure:
        if await is_directory(line.sftp, path):
            raise
        return ()
