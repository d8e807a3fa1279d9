"""Plain files at an SSH server: a file, or a directory with all that is in it."""

from __future__ import annotations

import asyncio
import os
import stat
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from typing import Final, TypeVar

from asyncssh import FXF_READ, SFTPAttrs, SFTPClientFile

from datatool.errors import PathNotFound, RemoteDenied, RemoteError
from datatool.model.entry import DIRECTORY, EXECUTABLE, FILE, SYMLINK
from datatool.model.paths import show_bytes
from datatool.remote.plain import Found, PlainFile, changed, sorted_files, stat_mark
from datatool.remote.stores.options import StoreOptions
from datatool.remote.stores.sftp_errors import MISSING
from datatool.remote.stores.sftp_files import close_quietly, read_blocks, read_names
from datatool.remote.stores.sftp_link import Line, Link
from datatool.remote.stores.sftp_place import parse_place
from datatool.remote.url import RemoteUrl
from datatool.store.protocol import NameMissing
from datatool.store.retry import Retries

T = TypeVar("T")

_AHEAD: Final = 32
"""Directories, and links, that are asked for at once."""
_BULK: Final = 1 << 20
"""Bytes that are worth a channel of their own."""


def open_plain(url: RemoteUrl, settings: Mapping[str, str], options: StoreOptions) -> SftpFiles:
    """What lies at an `ssh://` or `sftp://` URL. Nothing is contacted yet. Raises UsageError."""
    place = parse_place(url, settings)
    return SftpFiles(Link(place, settings, options), place.path, label=place.shown, jobs=options.jobs)


class SftpFiles:
    """A file, or a directory. Links in it are links; only the path itself may lead through some."""

    def __init__(self, link: Link, path: bytes, *, label: str, jobs: int, retries: Retries | None = None) -> None:
        self._link = link
        self._path = path or b"/"
        self._top = self._path
        """Where that leads, through links; known when it was looked at."""
        self._label = label
        self._jobs = max(1, jobs)
        self._retries = retries or Retries()

    @property
    def label(self) -> str:
        """Its URL, without a password."""
        return self._label

    @property
    def lanes(self) -> int:
        """How many may read at a time."""
        return self._jobs

    def look(self) -> Found:
        """What is there now: a request for it, two or three for each directory, one for each link."""
        return self._retries.call(lambda: self._with_line(self._look))

    def _with_line(self, work: Callable[[Line], T]) -> T:
        with self._link.line() as line:
            return work(line)

    def _look(self, line: Line) -> Found:
        try:
            self._top, attrs = line.run(_behind(line, self._path), self._label)
        except NameMissing:
            raise PathNotFound(f"{self._label}: no such file or directory on the server") from None
        name = self._path.rpartition(b"/")[2]
        name = b"" if name == b"." else name
        mode = attrs.permissions or 0
        if stat.S_ISREG(mode):
            return Found(name=name, directory=False, files=(_file(b"", attrs),))
        if not stat.S_ISDIR(mode):
            raise RemoteError(f"{self._label}: is neither a file nor a directory", path=self._label)
        files: list[PlainFile] = []
        skipped: list[bytes] = []
        links: list[tuple[bytes, SFTPAttrs]] = []
        todo = deque([b""])
        under_way: deque[tuple[bytes, Future[Sequence[tuple[bytes, SFTPAttrs]]]]] = deque()
        while todo or under_way:
            while todo and len(under_way) < _AHEAD:
                directory = todo.popleft()
                under_way.append((directory, line.start(read_names(line, self._full(directory)))))
            directory, reading = under_way.popleft()
            try:
                rows = [row for row in line.wait(reading, self._where(directory)) if row[0] not in (b".", b"..")]
            except RemoteDenied as error:
                raise RemoteDenied(f"{self._where(directory)}: {error.message}", hint=error.hint) from error
            if directory and not rows:
                files.append(PlainFile(directory, DIRECTORY, 0, None))
            for own, attrs in rows:
                path = directory + b"/" + own if directory else own
                mode = attrs.permissions or 0
                if stat.S_ISDIR(mode):
                    todo.append(path)
                elif stat.S_ISLNK(mode):
                    links.append((path, attrs))
                elif stat.S_ISREG(mode):
                    files.append(_file(path, attrs))
                else:
                    skipped.append(path)
        for start in range(0, len(links), _AHEAD):
            some = [path for path, _ in links[start : start + _AHEAD]]
            targets = line.run(_targets(line, [self._full(path) for path in some]), self._label)
            pairs = zip(some, targets, strict=True)
            files += [PlainFile(path, SYMLINK, len(target), None, target) for path, target in pairs]
        return Found(name=name, directory=True, files=sorted_files(files), skipped=tuple(sorted(skipped)))

    def read(self, file: PlainFile, start: int, length: int) -> bytes:
        """A range of a file. It must be the one that was looked at, before and after."""
        path, where = self._full(file.path), self._where(file.path)
        with self._link.line(bulk=length > _BULK) as line:
            try:
                return line.run(_read(line, path, file, start, length), where)
            except NameMissing:
                raise changed(self._label, file.path) from None

    def stop(self) -> None:
        """End the connection."""
        self._link.close()

    def _full(self, path: bytes) -> bytes:
        return self._top.rstrip(b"/") + b"/" + path if path else self._top

    def _where(self, path: bytes) -> str:
        return f"{self._label}/{show_bytes(path)}" if path else self._label


async def _behind(line: Line, path: bytes) -> tuple[bytes, SFTPAttrs]:
    """Where a path leads in the end, and what is there. Raises NameMissing."""
    try:
        found, attrs = await asyncio.gather(line.sftp.realpath(path), line.sftp.stat(path))
    except MISSING:
        raise NameMissing("") from None
    line.answered()
    return (found if isinstance(found, bytes) else os.fsencode(found)), attrs


async def _targets(line: Line, paths: Sequence[bytes]) -> list[bytes]:
    async def target(path: bytes) -> bytes:
        found = await line.sftp.readlink(path)
        line.answered()
        return found if isinstance(found, bytes) else os.fsencode(found)

    return list(await asyncio.gather(*map(target, paths)))


async def _read(line: Line, path: bytes, file: PlainFile, start: int, length: int) -> bytes:
    try:
        opened, found = await asyncio.gather(
            line.sftp.open(path, FXF_READ, encoding=None, block_size=0), line.sftp.lstat(path), return_exceptions=True
        )
        if isinstance(opened, SFTPClientFile):
            try:
                if isinstance(found, BaseException):
                    raise found
                _require_same(found, file)
                count = max(0, min(length, (file.size or 0) - start))
                data = await read_blocks(line, opened, start, count, file.size or 0)
                _require_same(await opened.stat(), file)
                return data
            finally:
                await close_quietly(opened)
        raise opened if isinstance(opened, BaseException) else NameMissing("")
    except MISSING:
        raise NameMissing("") from None


def _require_same(now: SFTPAttrs, file: PlainFile) -> None:
    """Raise NameMissing for what is not the file that was looked at."""
    if not stat.S_ISREG(now.permissions or stat.S_IFREG) or (now.size, stat_mark(now.size, now.mtime)) != (
        file.size,
        file.mark,
    ):
        raise NameMissing("")


def _file(path: bytes, attrs: SFTPAttrs) -> PlainFile:
    kind = EXECUTABLE if (attrs.permissions or 0) & 0o111 else FILE
    return PlainFile(path, kind, attrs.size or 0, stat_mark(attrs.size or 0, attrs.mtime))
