"""A store in a directory at an SSH server, over SFTP.

A name is published by link or rename when all its bytes are there; until then they lie in `tmp/`. sshfs opens the
connection, always against known host keys; over it asyncssh's SFTP client is driven directly, since sshfs leaves half
a file under its final name, reads whole files for a range, and keeps connections that are dead.

What a directory itself holds can't be synced over SFTP: after a power cut at the server a name that was just published
may be absent, but never incomplete where the server offers fsync@openssh.com.
"""

from __future__ import annotations

import asyncio
import posixpath
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from functools import partial
from pathlib import Path
from typing import Final

from asyncssh import FXF_CREAT, FXF_EXCL, FXF_WRITE, SFTPAttrs, SFTPClient

from datatool.errors import RemoteBusy, RemoteDenied
from datatool.model.oid import ObjectId
from datatool.remote.stores.arriving import ArrivingFile
from datatool.remote.stores.budget import Budget
from datatool.remote.stores.options import StoreOptions
from datatool.remote.stores.sftp_clock import ServerClock
from datatool.remote.stores.sftp_directories import RemoteDirectories
from datatool.remote.stores.sftp_download import Download
from datatool.remote.stores.sftp_errors import MISSING
from datatool.remote.stores.sftp_files import fetch
from datatool.remote.stores.sftp_link import Line, Link
from datatool.remote.stores.sftp_listing import Listing, entries_of
from datatool.remote.stores.sftp_place import parse_place
from datatool.remote.stores.sftp_publish import Destination, Publisher, is_there, remove
from datatool.remote.stores.sftp_sources import BytesSource, FileSource
from datatool.remote.stores.sftp_temps import DIRECTORY, FORGOTTEN, Temps
from datatool.remote.stores.sftp_upload import Source, Upload
from datatool.remote.url import RemoteUrl
from datatool.store.names import check_name
from datatool.store.protocol import Advance, ByteRange, Capabilities, Leftover, Listed, Store
from datatool.store.retry import Retries

_IN_FLIGHT: Final = 64 << 20
"""Bytes that all threads together may have under way."""

_MUCH: Final = 1 << 20
"""Bytes that are worth a channel of their own."""
_RESUMED: Final = 4 << 20
"""Files from this size on are gone on with when an upload was interrupted; smaller ones are sent again."""
_DELETES: Final = 128


def open_store(url: RemoteUrl, settings: Mapping[str, str], options: StoreOptions) -> Store:
    """The store at an `ssh://` or `sftp://` URL; nothing is contacted yet. Raises UsageError."""
    return SftpStore(url, settings, options)


class SftpStore:
    """See the module."""

    def __init__(
        self, url: RemoteUrl, settings: Mapping[str, str], options: StoreOptions, *, retries: Retries | None = None
    ) -> None:
        place = parse_place(url, settings)
        self._shown = place.shown
        self._top = place.path
        self._jobs = max(1, options.jobs)
        self._retries = retries or Retries()
        self._link = Link(place, settings, options)
        self._directories = RemoteDirectories(place.path)
        self._publisher = Publisher(self._directories)
        self._temps = Temps(options.scratch, place.shown)
        self._clock = ServerClock()
        self._budget = Budget(_IN_FLIGHT)

    @property
    def label(self) -> str:
        """What to call it in messages: its URL, without a password."""
        return self._shown

    @property
    def capabilities(self) -> Capabilities:
        """What it can do. Whether an exclusive put is safe against other machines depends on the server: while none
        was spoken to, it is not."""
        links = self._publisher.links
        return Capabilities(conditional=self._link.offers_links if links is None else links)

    def close(self) -> None:
        """End the connection; it is made again when it is needed."""
        self._link.close()

    # Reading

    def list(self, prefix: str) -> Iterator[Listed]:
        """Every name that starts with `prefix`, sorted; links and other things that are no plain file are none."""
        directory = prefix.rpartition("/")[0]
        if directory:
            check_name(directory)
        return self._list(prefix)

    def _list(self, prefix: str) -> Iterator[Listed]:
        with self._link.line() as line:
            yield from Listing(line, self._top, prefix, where=self._shown).names()

    def get(self, name: str, start: int = 0, length: int | None = None) -> bytes:
        """The bytes of a name, or a range of them."""
        path = self._path(check_name(name))
        held = _MUCH if length is None else length
        with self._link.line(bulk=held > _MUCH) as line:
            self._budget.take(held)
            try:
                return line.run(fetch(line, path, name, start, length), self._where(name))
            finally:
                self._budget.give(held)

    def get_many(self, ranges: Sequence[ByteRange]) -> Iterator[bytes]:
        """The bytes of each range, in the order asked, with several under way."""
        paths = [self._path(check_name(part.name)) for part in ranges]
        return self._get_many(ranges, paths) if paths else iter(())

    def _get_many(self, ranges: Sequence[ByteRange], paths: Sequence[bytes]) -> Iterator[bytes]:
        budget = self._budget
        todo = deque(zip(ranges, paths, strict=True))
        under_way: deque[tuple[ByteRange, Future[bytes]]] = deque()
        with self._link.line(bulk=sum(part.length for part in ranges) > _MUCH) as line:
            try:
                while todo or under_way:
                    while todo and len(under_way) < 2 * self._jobs:
                        part, path = todo[0]
                        if not under_way:
                            budget.take(part.length)
                        elif not budget.try_take(part.length):
                            break
                        todo.popleft()
                        reading = line.start(fetch(line, path, part.name, part.start, part.length))
                        reading.add_done_callback(partial(_park, budget, part.length))
                        under_way.append((part, reading))
                    part, reading = under_way[0]
                    data = line.wait(reading, self._where(part.name))
                    under_way.popleft()
                    budget.give(part.length, parked=True)
                    yield data
            finally:
                for part, reading in under_way:
                    reading.cancel()
                    budget.give(part.length, parked=True)

    def get_file(
        self, name: str, target: int, sha256: ObjectId, size: int, *, have: int = 0, advance: Advance | None = None
    ) -> None:
        """Copy `name` into an open local file, hashing what arrives; a cut costs what was under way."""
        path = self._path(check_name(name))
        arriving = ArrivingFile(target, size, advance, have=have)
        download = Download(path, name, arriving, sha256, size, budget=self._budget)
        self._persist(lambda: download.attempt(self._link, self._where(name)), lambda: download.done)

    # Writing

    def put(self, name: str, data: bytes, *, exclusive: bool = False) -> None:
        """Publish `data` under `name`."""
        check_name(name)
        self._upload(name, self._temps.fresh(name), BytesSource(data), None, exclusive=exclusive).attempt(self._link)

    def put_file(self, name: str, source: Path, sha256: ObjectId, *, advance: Advance | None = None) -> None:
        """Copy a local file to `name`, hashing what is sent. A big one is gone on with, in this process or the next."""
        check_name(name)
        with FileSource.opened(source, name) as opened:
            if opened.size < _RESUMED:
                self._upload(name, self._temps.fresh(name), opened, sha256, advance=advance).attempt(self._link)
                return
            with self._temps.claim(name) as temp:
                upload = self._upload(name, temp, opened, sha256, resumable=True, advance=advance)
                self._persist(lambda: upload.attempt(self._link), lambda: upload.progress)

    def _upload(
        self,
        name: str,
        temp: str,
        source: Source,
        sha256: ObjectId | None,
        *,
        resumable: bool = False,
        exclusive: bool = False,
        advance: Advance | None = None,
    ) -> Upload:
        to = Destination(
            name=name,
            path=self._path(name),
            temp=self._path(temp),
            where=self._where(name),
            resumable=resumable,
            exclusive=exclusive,
        )
        return Upload(
            to,
            source,
            sha256,
            directories=self._directories,
            publisher=self._publisher,
            budget=self._budget,
            on_written=self._written,
            advance=advance,
        )

    def _written(self, found: SFTPAttrs) -> None:
        self._clock.saw(found.mtime)

    def _persist(self, attempt: Callable[[], None], progress: Callable[[], int]) -> None:
        """Try again as long as every few attempts bring something."""
        while True:
            before = progress()
            try:
                return self._retries.call(attempt)
            except RemoteBusy:
                if progress() == before:
                    raise

    def delete_many(self, names: Iterable[str]) -> None:
        """Delete names, many at once; those that are not there are no error. A directory that was made for them goes,
        too, when it is empty then."""
        paths = deque(self._path(check_name(name)) for name in names)
        directories = {posixpath.dirname(path) for path in paths}
        if not paths:
            return
        with self._link.line() as line:
            while paths:
                some = [paths.popleft() for _ in range(min(_DELETES, len(paths)))]
                line.run(_remove_all(line, some), self._shown)
            line.run(self._directories.tidy(line.sftp, directories), self._shown)

    # Time

    def server_time(self) -> float:
        """Now, by the server's clock, at least; by this machine's while nothing was, or can be, written there."""
        known = self._clock.now()
        if known is not None:
            return known
        with self._link.line() as line:
            try:
                date = line.run(self._scratch_date(line.sftp), self._shown)
            except RemoteDenied:
                date = None
        self._clock.saw(date)
        return self._clock.now() or time.time()

    async def _scratch_date(self, sftp: SFTPClient) -> float | None:
        """The date of a file that is made now; None while there is no remote."""
        path = self._path(self._temps.fresh("time"))
        try:
            file = await sftp.open(path, FXF_WRITE | FXF_CREAT | FXF_EXCL, encoding=None)
        except MISSING:
            if not await is_there(sftp, self._top or b"/"):
                return None
            await self._directories.prepare(sftp, self._path(DIRECTORY))
            file = await sftp.open(path, FXF_WRITE | FXF_CREAT | FXF_EXCL, encoding=None)
        found, *_ = await asyncio.gather(file.stat(), file.close(), remove(sftp, path))
        return None if found.mtime is None else float(found.mtime)

    # Unfinished uploads

    def leftovers(self) -> Iterator[Leftover]:
        """What uploads left in `tmp/`, by anybody, except what a process of this clone goes on with now. What others
        began lately may be under way: the dates tell."""
        with self._link.line() as line:
            entries = line.run(entries_of(line, self._path(DIRECTORY)), self._shown)
        now = self.server_time()
        for entry in sorted(entries):
            id = entry.name.decode("ascii", "replace")
            found = self._temps.understand(id) if entry.is_file else None
            if found is None:
                continue
            forgotten = now - entry.time > FORGOTTEN
            if forgotten or not (found.mine and found.resumable and self._temps.in_use(found.name)):
                yield Leftover(found.name, entry.size, float(entry.time), id)

    def discard(self, leftover: Leftover) -> None:
        """Delete what an unfinished upload left; it is no error if that is gone already."""
        if self._temps.understand(leftover.id) is None:
            raise ValueError(f"no unfinished upload: {leftover.id!r:.80}")
        with self._link.line() as line:
            line.run(remove(line.sftp, self._path(f"{DIRECTORY}/{leftover.id}")), self._where(leftover.name))

    # Names

    def _path(self, name: str) -> bytes:
        return self._top + b"/" + name.encode("ascii")

    def _where(self, name: str) -> str:
        return f"{self._shown}/{name}"


def _park(budget: Budget, count: int, _: Future[bytes]) -> None:
    """What was asked for is here, or will never be."""
    budget.park(count)


async def _remove_all(line: Line, paths: Sequence[bytes]) -> None:
    async def remove_one(path: bytes) -> None:
        await remove(line.sftp, path)
        line.answered()

    await asyncio.gather(*map(remove_one, paths))
