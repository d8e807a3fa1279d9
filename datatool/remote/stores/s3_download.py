"""Getting one object of S3 into an open file: in ranges side by side, each written to its place, hashed behind.

The first range tells how large the object is and which version of it this is; the others ask for the same version.
A range that breaks is gone on with where it broke. A server that ignores ranges sends everything at once.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import Final

from datatool.errors import DatatoolError, RemoteBusy
from datatool.hashing import Hasher
from datatool.localfs.atomic import local_error
from datatool.localfs.positions import cut, read_at, write_at
from datatool.model.oid import ObjectId
from datatool.progress import Spared
from datatool.remote.stores.s3_client import S3Client
from datatool.remote.stores.s3_reading import Changed, Reading
from datatool.remote.stores.transfer import Transfer, in_thread
from datatool.store.protocol import AHEAD, Advance, Kept, WrongBytes

RANGE: Final = 16 << 20
_BATCH: Final = 1 << 20
"""Bytes that are written, and that are hashed, in one go."""


class _Range:
    """Bytes from `start` to `end`, of which those before `at` have been written."""

    __slots__ = ("at", "end", "start")

    def __init__(self, start: int, end: int) -> None:
        self.start = self.at = start
        self.end = end

    def is_beyond(self, position: int) -> bool:
        """Whether more has been written than up to there."""
        return self.at > position


def _ranges(have: int, size: int, kept: Sequence[tuple[int, int]]) -> list[_Range]:
    """All of a file behind `have`: what is kept as it is, what is missing in ranges."""
    ranges: list[_Range] = []
    for begin, end in (*kept, (size, size)):
        ranges += [_Range(start, min(start + RANGE, begin)) for start in range(have, begin, RANGE)]
        if begin < end:
            there = _Range(begin, end)
            there.at = end
            ranges.append(there)
        have = end
    return ranges


class Download:
    """One call of `get_file`; `run` does it, in the caller's thread. `have` bytes are there from an earlier attempt."""

    def __init__(self, client: S3Client, name: str, target: int, sha256: ObjectId, size: int, *, have: int = 0) -> None:
        self._client = client
        self._name = name
        self._target = target
        self._sha256 = sha256
        self._size = size
        self._have = max(0, min(have, size, os.fstat(target).st_size))
        self._note = have.note if isinstance(have, Kept) else None
        self._kept = have.further if isinstance(have, Kept) else ()
        """Stretches behind `have` that are there, too."""
        self._ranges = [_Range(0, 0)] if size == 0 else _ranges(self._have, size, self._kept)
        self._etag: str | None = None
        self._missing = [part for part in self._ranges if part.at < part.end or not size]
        self._opened = not self._missing
        """The first answer has begun: the object has the right size, and it is known whether it comes in ranges."""

    def run(self, advance: Advance | None) -> None:
        """Get everything; WrongBytes unless it is what was promised."""
        try:
            self._cut()
            if self._kept and advance is not None:
                advance(Spared(sum(end - start for start, end in self._kept)))
            with Transfer(self._client.loop, advance) as transfer:
                if self._missing:
                    transfer.begin(self._first(transfer))
                found = self._hash_behind(transfer)
                transfer.wait(lambda: not transfer.running)
        except OSError as error:
            if isinstance(error, DatatoolError):
                raise
            raise local_error(error, "the file being fetched", self._size) from error
        if found != self._sha256:
            raise WrongBytes(self._name)

    # In the caller's thread

    def _cut(self) -> None:
        """Leave nothing in the file that is not known to be there: it would be taken for what was written."""
        end = max([self._have, *(end for _, end in self._kept)])
        if self._note is not None:
            self._note(end, end)
        cut(self._target, end)

    def _hash_behind(self, transfer: Transfer) -> ObjectId:
        """Hash what is there, then what has been written, in order; begin the other ranges as lanes become free."""
        hasher = Hasher()
        for start in range(0, self._have, _BATCH):
            hasher.update(self._bytes(start, min(start + _BATCH, self._have)))
            transfer.report()
        transfer.wait(lambda: self._opened)
        waiting = deque(self._missing[1:])
        for part in self._ranges:
            done = part.start
            while done < part.end:
                while waiting and transfer.running < self._client.jobs and waiting[0].end - done <= AHEAD:
                    transfer.begin(self._other(waiting.popleft(), transfer))
                transfer.wait(partial(part.is_beyond, done))
                data = self._bytes(done, min(part.at, done + _BATCH))
                hasher.update(data)
                done += len(data)
        return hasher.oid

    def _bytes(self, start: int, end: int) -> bytes:
        data = read_at(self._target, end - start, start)
        if len(data) != end - start:
            raise WrongBytes(self._name)  # somebody else cut the file
        return data

    # In the loop's thread

    async def _first(self, transfer: Transfer) -> None:
        await self._patiently(partial(self._get_first, transfer))

    async def _get_first(self, transfer: Transfer) -> None:
        part = self._missing[0]
        alone = len(self._missing) == 1 and part.end == self._size
        async with self._reading(part.at, None if alone else part.end - part.at) as reading:
            self._check_size(reading)
            if alone or not reading.ignored_range:
                self._etag = self._etag or reading.etag
                self._opened = True
                transfer.nudge()
                await self._write(reading, part, transfer)
                if alone and await reading.read():
                    raise WrongBytes(self._name)
                return
        self._ranges = self._missing = [_Range(self._have, self._size)]  # the server can only send all of it
        await self._get_first(transfer)

    async def _other(self, part: _Range, transfer: Transfer) -> None:
        async def attempt() -> None:
            async with self._reading(part.at, part.end - part.at) as reading:
                self._check_size(reading)
                await self._write(reading, part, transfer)

        await self._patiently(attempt)

    async def _patiently(self, attempt: Callable[[], Awaitable[None]]) -> None:
        try:
            await self._client.patiently(attempt)
        except Changed:
            label = self._client.place.label
            raise RemoteBusy(f"{label}: {self._name} changed while it was read", path=label) from None

    def _reading(self, start: int, length: int | None) -> Reading:
        return Reading(self._client, self._name, start, length, etag=self._etag)

    def _check_size(self, reading: Reading) -> None:
        if reading.total is not None and reading.total != self._size:
            raise WrongBytes(self._name)

    async def _write(self, reading: Reading, part: _Range, transfer: Transfer) -> None:
        """Write what arrives to its place; what arrived before the connection broke counts."""
        pieces: list[bytes] = []
        held = 0
        try:
            while part.at + held < part.end and (piece := await reading.read()):
                pieces.append(piece)
                held += len(piece)
                if held >= _BATCH:
                    held = await self._flush(pieces, part, transfer)
        except RemoteBusy:
            await self._flush(pieces, part, transfer)
            raise
        await self._flush(pieces, part, transfer)
        if part.at < part.end:
            raise WrongBytes(self._name)  # a clean end, too early

    def _put(self, data: bytes, start: int) -> None:
        write_at(self._target, data, start)
        if self._note is not None:
            self._note(start, start + len(data))

    async def _flush(self, pieces: list[bytes], part: _Range, transfer: Transfer) -> int:
        data = b"".join(pieces)
        pieces.clear()
        if len(data) > part.end - part.at:
            raise WrongBytes(self._name)
        if data:
            await in_thread(partial(self._put, data, part.at))
            part.at += len(data)
            await transfer.moved(len(data))
        return 0
