"""Fetching one file from an SFTP server into an open local one, hashed as it arrives."""

from __future__ import annotations

from datatool.model.oid import ObjectId
from datatool.remote.stores.arriving import ArrivingFile
from datatool.remote.stores.budget import Budget
from datatool.remote.stores.sftp_files import close_quietly, open_to_read
from datatool.remote.stores.sftp_link import Link
from datatool.remote.stores.sftp_lookahead import Lookahead
from datatool.remote.stores.sftp_stream import pieces
from datatool.store.protocol import WrongBytes


class Download:
    """One file on its way here. After a cut it goes on behind what has arrived: `done` bytes."""

    def __init__(
        self, path: bytes, name: str, target: ArrivingFile, sha256: ObjectId, size: int, *, budget: Budget
    ) -> None:
        self._path = path
        self._name = name
        self._target = target
        self._sha256 = sha256
        self._size = size
        self._budget = budget
        self._ahead = Lookahead()

    @property
    def done(self) -> int:
        """Bytes that are here."""
        return self._target.position

    def attempt(self, link: Link, where: str) -> None:
        """Fetch what is missing. Raises WrongBytes, NameMissing, RemoteError, LocalError."""
        with link.line(bulk=True) as line:
            file, size = line.run(open_to_read(line.sftp, self._path, self._name), where)
            try:
                if size != self._size:
                    raise WrongBytes(self._name)
                for data in pieces(line, file, self.done, size, ahead=self._ahead, budget=self._budget, where=where):
                    self._target.take(data)
            finally:
                line.start(close_quietly(file))
        if self.done != self._size or self._target.oid != self._sha256:
            raise WrongBytes(self._name)
