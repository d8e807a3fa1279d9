"""A remote on a web server, read only: any server that gives out files will do, with ranges or without.

What is asked for at once arrives in order, and never more than 64 MiB of it are held. Large files come in parts,
several at a time, where the server has parts.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Final

from datatool.errors import RemoteBusy, RemoteDenied, RemoteError
from datatool.model.oid import ObjectId
from datatool.remote.stores.arriving import ArrivingFile
from datatool.remote.stores.event_loop import EventLoop, result
from datatool.remote.stores.http_answer import Answer
from datatool.remote.stores.http_download import SAME_CUTS, Asks, Download
from datatool.remote.stores.http_errors import Changed, Cut, WithoutRanges
from datatool.remote.stores.http_requests import BehindEnd, Requests
from datatool.remote.stores.http_room import Room, Slots
from datatool.remote.stores.options import StoreOptions
from datatool.remote.url import RemoteUrl
from datatool.store.names import check_name
from datatool.store.protocol import Advance, ByteRange, Capabilities, Leftover, Listed, WrongBytes
from datatool.store.retry import Retries

PART: Final = 16 << 20
"""The size of a part of a large file."""
PARTS: Final = 4
"""Parts of one file that are under way."""
PARTED_FROM: Final = 32 << 20
"""Files smaller than this come as a whole."""
IN_FLIGHT: Final = 64 << 20
"""Bytes held by `get_many`, and by all `get_file` together."""
LARGEST: Final = 64 << 20
"""No name that is read into memory is larger."""
_STEP: Final = 1 << 20
_DATED: Final = "datatool-remote.json"
"""The name that is asked about for the time; any would do."""


def open_store(url: RemoteUrl, settings: Mapping[str, str], options: StoreOptions) -> HttpStore:
    """The remote at an http:// or https:// URL. Nothing is contacted yet."""
    return HttpStore(url, settings, options)


class HttpStore:
    """Names below a URL. What is asked of it by several threads shares connections and the bound on memory."""

    def __init__(
        self,
        url: RemoteUrl,
        settings: Mapping[str, str],
        options: StoreOptions,
        *,
        retries: Retries | None = None,
        requests: Asks | None = None,
    ) -> None:
        """`requests` ask otherwise than by names below the URL."""
        self._loop = EventLoop()
        self._requests = requests or Requests(url, settings, options, self._loop)
        self._retries = retries or Retries()
        self._jobs = max(1, options.jobs)
        self._label = url.shown
        self._ranges = True
        self._files = Slots(IN_FLIGHT // PART)
        self._cuts: dict[tuple[str, int], tuple[int, int]] = {}

    @property
    def label(self) -> str:
        """What to call it in messages: the URL, without password and query."""
        return self._label

    @property
    def capabilities(self) -> Capabilities:
        """What it can do: read."""
        return Capabilities(write=False, list=False, delete=False, ranges=self._ranges)

    # Reading

    def list(self, prefix: str) -> Iterator[Listed]:
        """No web server can be counted on for that: readers go by `index.list`."""
        raise RemoteError(f"{self._label}: a remote over HTTP can't be listed")

    def get(self, name: str, start: int = 0, length: int | None = None) -> bytes:
        """The bytes of a name, or a range of them."""
        part = ByteRange(check_name(name), start, LARGEST if length is None else length)
        return self._loop.run(self._get(part, None, 0))

    def get_many(self, ranges: Sequence[ByteRange]) -> Iterator[bytes]:
        """The bytes of each range, in the order asked."""
        for part in ranges:
            check_name(part.name)
        return self._get_many(deque(enumerate(ranges)))

    def _get_many(self, todo: deque[tuple[int, ByteRange]]) -> Iterator[bytes]:
        room = Room(IN_FLIGHT)
        flying: deque[Future[bytes]] = deque()
        try:
            while todo or flying:
                while todo and len(flying) < self._jobs:
                    number, part = todo.popleft()
                    flying.append(self._loop.start(self._get(part, room, number)))
                data = result(flying.popleft())
                yield data
                self._loop.start(room.leave(len(data)))
        finally:
            for future in flying:
                future.cancel()

    async def _get(self, part: ByteRange, room: Room | None, number: int) -> bytes:
        """One request; with a `room`, its bytes come in when it is their turn."""
        name, start, length = part
        everything = start == 0 and length >= LARGEST
        stop = None if length >= LARGEST else start + max(length, 1)
        try:
            answer = await self._requests.get(name, start, stop)
        except BehindEnd as end:
            if end.size is not None and end.size > start:
                raise RemoteBusy(f"{self._label}: the server has no part of {name} where there is one") from end
            if room is not None:
                await room.enter(number, 0)
            return b""
        try:
            if answer.whole and not everything and answer.length != 0:
                self._ranges = False
            size = length if answer.length is None else min(length, answer.length)
            if room is not None:
                await room.enter(number, size)
            data = await self._take(answer, part)
            if room is not None and len(data) < size:
                await room.leave(size - len(data))
            return data
        finally:
            await answer.close()

    async def _take(self, answer: Answer, part: ByteRange) -> bytes:
        """The bytes asked for, out of an answer that may hold more."""
        pieces: list[bytes] = []
        left = part.length
        try:
            await answer.skip(part.start - answer.start)
            while left and (data := await answer.read(left)):
                pieces.append(data)
                left -= len(data)
        except Cut:
            if not self._ends_there(part, part.length - left):
                raise
        if part.length >= LARGEST and not left and await answer.read(1):
            raise RemoteError(f"{self._label}: {part.name} is larger than anything of its kind in a remote")
        return b"".join(pieces)

    def _ends_there(self, part: ByteRange, count: int) -> bool:
        """Whether an answer was cut off at the same byte so often that the name is taken for shorter than it says:
        else a file that is damaged on the server would look like a bad connection for ever."""
        key = part.name, part.start
        at, times = self._cuts.get(key, (count, 0))
        self._cuts[key] = count, times + 1 if at == count else 1
        return count > 0 and self._cuts[key][1] >= SAME_CUTS

    # Large files

    def get_file(
        self, name: str, target: int, sha256: ObjectId, size: int, *, have: int = 0, advance: Advance | None = None
    ) -> None:
        """Copy `name` into an open local file, hashing what arrives."""
        check_name(name)
        file = ArrivingFile(target, size, advance, have=have)
        try:
            self._copy(name, file, size, parted=True)
        except (WithoutRanges, Changed) as error:
            self._ranges = self._ranges and not isinstance(error, WithoutRanges)
            file.restart()
            self._copy(name, file, size, parted=False)
        if file.oid != sha256:
            raise WrongBytes(name)

    def _copy(self, name: str, file: ArrivingFile, size: int, *, parted: bool) -> None:
        lanes = 0
        if parted and self._ranges and size >= PARTED_FROM:
            lanes = self._files.take(PARTS, least=2)
        if not lanes:
            self._copy_whole(name, file, size)
            return
        try:
            self._copy_parts(name, file, size, lanes)
        finally:
            self._files.give_back(lanes)

    def _copy_whole(self, name: str, file: ArrivingFile, size: int) -> None:
        """One answer, read a piece ahead of what is written."""
        download = self._download(name, file.position, size, size=size, parted=False)
        ahead = self._loop.start(download.read(_STEP))
        try:
            while data := result(ahead):
                ahead = self._loop.start(download.read(_STEP))
                file.take(data)
            self._loop.run(download.finish())
        finally:
            ahead.cancel()
            self._loop.run(download.close())

    def _copy_parts(self, name: str, file: ArrivingFile, size: int, lanes: int) -> None:
        """Several parts under way; the first answer tells which content the others must be of."""
        begin = file.position
        first = self._download(name, begin, min(begin + PART, size), size=size, parted=True)
        self._loop.run(first.begin())
        todo = deque(range(begin + PART, size, PART))
        flying = deque([self._loop.start(_part(first))])
        try:
            while flying:
                while todo and len(flying) < lanes:
                    start = todo.popleft()
                    stop = min(start + PART, size)
                    part = self._download(name, start, stop, size=size, parted=True, validator=first.validator)
                    flying.append(self._loop.start(_part(part)))
                file.take(result(flying[0]))
                flying.popleft()
        finally:
            for future in flying:
                future.cancel()

    def _download(
        self, name: str, start: int, stop: int, *, size: int, parted: bool, validator: str | None = None
    ) -> Download:
        return Download(
            self._requests,
            name,
            start=start,
            stop=stop,
            size=size,
            parted=parted,
            validator=validator,
            retries=self._retries,
        )

    # What can't be done, and the time

    def put(self, name: str, data: bytes, *, exclusive: bool = False) -> None:
        """Refused."""
        raise self._read_only(name)

    def put_file(self, name: str, source: Path, sha256: ObjectId, *, advance: Advance | None = None) -> None:
        """Refused."""
        raise self._read_only(name)

    def delete_many(self, names: Iterable[str]) -> None:
        """Refused, unless there is nothing to delete."""
        for name in names:
            raise self._read_only(name)

    def server_time(self) -> float:
        """Now, by the server's `Date`, which is in whole seconds."""
        text = self._loop.run(self._requests.date(_DATED))
        try:
            return parsedate_to_datetime(text or "").timestamp()
        except ValueError as error:
            raise RemoteError(f"{self._label}: the server does not tell the time") from error

    def leftovers(self) -> Iterator[Leftover]:
        """None: nothing is begun here."""
        return iter(())

    def discard(self, leftover: Leftover) -> None:
        """Nothing to do."""

    def _read_only(self, name: str) -> RemoteDenied:
        check_name(name)
        return RemoteDenied(
            f"{self._label}: read only, nothing can be changed there over HTTP",
            hint="use the remote that lies behind that address",
        )


async def _part(download: Download) -> bytes:
    try:
        return await download.read(PART)
    finally:
        await download.close()
