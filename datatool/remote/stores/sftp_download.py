"""Fetching one file from an SFTP server into an open local one, hashed as it arrives."""

from __future__ import annotations

import os

from datatool.hashing import Hasher
from datatool.localfs.atomic import local_error, write_all
from datatool.model.oid import ObjectId
from datatool.remote.stores.sftp_files import OpenFile, close_quietly, open_to_read
from datatool.remote.stores.sftp_link import Line, Link
from datatool.remote.stores.sftp_room import Pace, Room
from datatool.remote.stores.sftp_stream import pieces
from datatool.store.protocol import Advance, WrongBytes


class Download:
    """One file on its way here. After a cut it goes on behind what has arrived: `done` bytes."""

    def __init__(
        self, path: bytes, name: str, target: int, sha256: ObjectId, size: int, *, room: Room, advance: Advance | None
    ) -> None:
        self._path = path
        self._name = name
        self._target = target
        self._sha256 = sha256
        self._size = size
        self._room = room
        self._advance = advance
        self._hasher = Hasher()
        self._pace = Pace()
        self.done = 0

    def attempt(self, link: Link, where: str) -> None:
        """Fetch what is missing. Raises WrongBytes, NameMissing, RemoteError, LocalError."""
        if not self.done:
            os.ftruncate(self._target, 0)
            os.lseek(self._target, 0, os.SEEK_SET)
        with link.line(bulk=True) as line:
            opened = line.run(open_to_read(line.sftp, self._path, self._name), where)
            try:
                if opened.size != self._size:
                    raise WrongBytes(self._name)
                self._fetch(line, opened, where)
            finally:
                line.start(close_quietly(opened.file))
        if self._hasher.oid != self._sha256:
            raise WrongBytes(self._name)

    def _fetch(self, line: Line, opened: OpenFile, where: str) -> None:
        for data in pieces(line, opened.file, self.done, self._size, pace=self._pace, room=self._room, where=where):
            try:
                write_all(self._target, data)
            except OSError as error:
                raise local_error(error, "the file being fetched", self._size) from error
            self._hasher.update(data)
            self.done += len(data)
            if self._advance is not None:
                self._advance(len(data))
        if self.done != self._size:
            raise WrongBytes(self._name)
