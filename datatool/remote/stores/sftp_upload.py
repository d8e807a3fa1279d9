"""Sending one file to an SFTP server: under a temporary name, hashed as it is sent, published when it is all there.

Writes are sent in order, several ahead of their answers, so what a kill leaves is a beginning. The next attempt reads
that beginning back and compares it before it sends the rest: nothing at the server is taken on trust. Only what was
synced there, within the same process, need not be read again.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
import stat
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import suppress
from typing import Final, NamedTuple, Protocol

import asyncssh
from asyncssh import FXF_CREAT, FXF_EXCL, FXF_READ, FXF_WRITE, SFTPAttrs, SFTPClient, SFTPClientFile

from datatool.errors import RemoteBusy, RemoteError
from datatool.localfs.atomic import size_text
from datatool.model.oid import ObjectId
from datatool.model.paths import show
from datatool.progress import Spared
from datatool.remote.stores.budget import Budget
from datatool.remote.stores.sftp_directories import RemoteDirectories
from datatool.remote.stores.sftp_errors import MISSING, no_room, reason
from datatool.remote.stores.sftp_files import close_quietly
from datatool.remote.stores.sftp_link import Line, Link
from datatool.remote.stores.sftp_lookahead import Lookahead
from datatool.remote.stores.sftp_publish import Destination, Publisher, remove
from datatool.remote.stores.sftp_stream import pieces
from datatool.store.protocol import Advance, WrongBytes

SYNC_EVERY: Final = 64 << 20
"""Bytes after which what was sent is put on disk there, so that no more than that is read back after a cut."""

_SMALL: Final = 256 << 10
_NOTHING_FREE: Final = 1 << 20
_ELSEWHERE: Final = "look at that path on the server, or choose another: datatool remote set NAME url=…"


class Source(Protocol):
    """Where the bytes come from."""

    @property
    def size(self) -> int:
        """How many there are."""

    def read(self, offset: int, count: int) -> bytes:
        """So many bytes. Raises ReadFailed, WrongBytes if there are fewer."""


class _Step(NamedTuple):
    """A request that is under way: one that brings `length` bytes, or one that puts on disk what the hash is of."""

    length: int
    future: Future[bool]
    hash: hashlib._Hash | None


class Upload:
    """One file on its way there."""

    def __init__(
        self,
        to: Destination,
        source: Source,
        sha256: ObjectId | None,
        *,
        directories: RemoteDirectories,
        publisher: Publisher,
        budget: Budget,
        on_written: Callable[[SFTPAttrs], None],
        advance: Advance | None = None,
    ) -> None:
        """`on_written` hears what the server says of the finished file."""
        self._to = to
        self._source = source
        self._sha256 = sha256
        self._directories = directories
        self._publisher = publisher
        self._budget = budget
        self._on_written = on_written
        self._advance = advance
        self._ahead = Lookahead()
        self._hash = hashlib.sha256(usedforsecurity=False)
        self._safe = 0
        self._hash_of_safe = self._hash.copy()
        self._told = 0
        self._complete = False
        self.done = 0
        """Bytes that are known to be there."""

    def attempt(self, link: Link) -> None:
        """Send what is missing and publish it. Raises WrongBytes, NameTaken, RemoteError, ReadFailed.

        After RemoteBusy, or an interruption, another attempt goes on; after any other error nothing is left behind.
        """
        where = self._to.where
        with link.line(bulk=self._source.size > _SMALL) as line:
            if self._complete and line.run(self._is_published(line.sftp), where):
                return  # only the answer to that was lost
            try:
                self._send(line)
                line.run(self._publisher.publish(line.sftp, self._to), where)
            except RemoteBusy:
                raise
            except BaseException as error:
                if self._to.resumable and not isinstance(error, Exception):
                    raise
                explained = self._explained(line, error)
                with suppress(RemoteError):
                    line.run(remove(line.sftp, self._to.temp), where)
                if explained is not None:
                    raise explained from error
                raise

    @property
    def progress(self) -> int:
        """Bytes that were there at some time: what is read back after a cut counts once."""
        return self._told

    def _send(self, line: Line) -> None:
        where = self._to.where
        size = self._source.size
        file, there = line.run(self._open(line.sftp), where)
        try:
            self.done = self._compare(line, file, min(there, size))
            finishing = self._write(line, file, cut=size if there > size else None)
            found = line.wait(finishing, where, working=True)
        except BaseException:
            line.start(close_quietly(file))
            raise
        if self._sha256 is not None and self._hash.hexdigest() != self._sha256:
            raise WrongBytes(self._to.name)
        if found.size is not None and found.size != size:
            raise RemoteBusy(f"{where}: {found.size} of {size} bytes arrived", path=where)
        self._complete = True
        self._on_written(found)

    # The temporary file

    async def _open(self, sftp: SFTPClient) -> tuple[SFTPClientFile, int]:
        """The temporary file and how long it is already. Meanwhile the directory is made that it is to go to."""
        temp = self._to.temp
        opened, found, prepared = await asyncio.gather(
            _create(sftp, temp), sftp.lstat(temp), self._prepare(sftp), return_exceptions=True
        )
        size = 0
        if isinstance(opened, MISSING):
            await self._directories.prepare_again(sftp, os.path.dirname(temp))
            opened = await _create(sftp, temp)
        elif isinstance(opened, asyncssh.SFTPError) and isinstance(found, SFTPAttrs):
            if self._to.resumable and stat.S_ISREG(found.permissions or 0):
                opened = await sftp.open(temp, FXF_READ | FXF_WRITE, encoding=None, block_size=0)
                size = found.size or 0
            else:  # a link, say, that somebody put there to have another file written
                await sftp.remove(temp)
                opened = await _create(sftp, temp)
        if isinstance(opened, BaseException):
            raise opened
        if isinstance(prepared, BaseException):
            await close_quietly(opened)
            raise prepared
        return opened, size

    async def _prepare(self, sftp: SFTPClient) -> None:
        await self._directories.prepare(sftp, os.path.dirname(self._to.path))
        await self._directories.sharing(sftp)

    async def _is_published(self, sftp: SFTPClient) -> bool:
        """Whether the file, which was complete, has got its name: it is there, and no longer under the other."""
        temp, found = await asyncio.gather(sftp.lstat(self._to.temp), sftp.lstat(self._to.path), return_exceptions=True)
        return isinstance(temp, MISSING) and isinstance(found, SFTPAttrs) and found.size == self._source.size

    # Its bytes

    def _compare(self, line: Line, file: SFTPClientFile, there: int) -> int:
        """How far what is there is what it should be; the hash is of that much."""
        if there < self._safe:  # what had been put on disk is gone
            self._safe, self._hash_of_safe = 0, hashlib.sha256(usedforsecurity=False)
        self._hash = self._hash_of_safe.copy()
        offset = self._safe
        for data in pieces(line, file, offset, there, ahead=self._ahead, budget=self._budget, where=self._to.where):
            wanted = self._source.read(offset, len(data))
            if data != wanted:
                break
            self._hash.update(wanted)
            offset += len(wanted)
            self._tell(offset, spared=True)
        return offset

    def _write(self, line: Line, file: SFTPClientFile, *, cut: int | None) -> Future[SFTPAttrs]:
        """Send everything from `done` on, and behind it what finishes the file; what comes of that is given."""
        size = self._source.size
        under_way: deque[_Step] = deque()
        sent = synced = self.done
        finishing: Future[SFTPAttrs] | None = None
        try:
            while True:
                while sent < size and (not under_way or sent - self.done < self._ahead.window):
                    count = min(self._ahead.piece(line.write_size), size - sent)
                    if not under_way:
                        self._budget.take(count)
                    elif not self._budget.try_take(count):
                        break
                    under_way.append(self._write_one(line, file, sent, count))
                    sent += count
                    if sent - synced >= SYNC_EVERY and sent < size:
                        under_way.append(_Step(0, line.start(_sync(file)), self._hash.copy()))
                        synced = sent
                if sent == size and finishing is None:
                    finishing = line.start(self._directories.finish(line.sftp, file, self._to.temp, cut=cut))
                if under_way:
                    self._wait_for(line, under_way)
                elif finishing is not None:
                    return finishing
        finally:
            for step in under_way:
                step.future.cancel()
                self._budget.give(step.length)

    def _write_one(self, line: Line, file: SFTPClientFile, offset: int, count: int) -> _Step:
        try:
            data = self._source.read(offset, count)
        except BaseException:
            self._budget.give(count)
            raise
        self._hash.update(data)
        return _Step(count, line.start(_put(line, file, offset, data)), None)

    def _wait_for(self, line: Line, under_way: deque[_Step]) -> None:
        step = under_way[0]
        done = line.wait(step.future, self._to.where, working=step.hash is not None)
        under_way.popleft()
        if step.hash is not None:
            if done:
                self._safe, self._hash_of_safe = self.done, step.hash
            return
        self._budget.give(step.length)
        self.done += step.length
        self._ahead.moved(step.length)
        self._tell(self.done)

    def _tell(self, upto: int, *, spared: bool = False) -> None:
        """Tell whom it concerns how many bytes are there, each byte once; `spared` ones were so before."""
        if upto > self._told:
            count, self._told = upto - self._told, upto
            if self._advance is not None:
                self._advance(Spared(count) if spared else count)

    # When it fails

    def _explained(self, line: Line, error: BaseException) -> RemoteError | None:
        """Why a server only says "Failure" or "No such file": OpenSSH has no other words for a full disk, or for a path
        that can't be. None for what explains itself."""
        cause = error.__cause__
        if type(error) is not RemoteError or cause is None or not isinstance(cause, (asyncssh.SFTPFailure, *MISSING)):
            return None
        said = reason(cause)
        try:
            return self._why(line, said)
        except RemoteError:
            where = self._to.where
            return RemoteError(f"{where}: the server could not write it ({said})", hint=_ELSEWHERE, path=where)

    def _why(self, line: Line, said: str) -> RemoteError:
        where = self._to.where
        directory = os.path.dirname(self._to.path)
        around, holds = line.run(self._directories.nearest(line.sftp, directory), where)
        name = show(os.fsdecode(around or b"/"))
        if not holds:
            text = f"{where}: {name} is a file there; a remote needs a directory"
            return RemoteError(text, hint=_ELSEWHERE, path=where)
        found = line.run(line.sftp.statvfs(around or b"/"), where)
        free = (found.bavail or 0) * (found.frsize or 0)
        if found.blocks and (free < _NOTHING_FREE or (found.files and not found.favail)):
            return no_room(where, needed=size_text(self._source.size - self.done), free=size_text(free))
        if around != directory:
            return RemoteError(f"{where}: nothing can be made in {name} there ({said})", hint=_ELSEWHERE, path=where)
        text = f"{where}: the server could not write it ({said}); is a quota used up?"
        return RemoteError(text, hint=_ELSEWHERE, path=where)


async def _create(sftp: SFTPClient, temp: bytes) -> SFTPClientFile:
    """A new file; nothing that is there is opened or followed."""
    opened: SFTPClientFile = await sftp.open(temp, _NEW, encoding=None, block_size=0)
    return opened


_NEW: Final = FXF_READ | FXF_WRITE | FXF_CREAT | FXF_EXCL


async def _put(line: Line, file: SFTPClientFile, offset: int, data: bytes) -> bool:
    """Write, in order, in requests as large as the server takes them."""
    most = line.write_size

    async def put(start: int) -> None:
        part = data[start : start + most]
        await file.write(part, offset + start)
        line.moved(len(part))

    await asyncio.gather(*map(put, range(0, len(data), most)))
    return True


async def _sync(file: SFTPClientFile) -> bool:
    """Put on disk what was written; False where the server does not do that when asked."""
    try:
        await file.fsync()
    except asyncssh.SFTPOpUnsupported:
        return False
    return True
