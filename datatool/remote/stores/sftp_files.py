"""Reading at an SFTP server: files in many requests at once, and directories.

Coroutines, for a `Line` to run. SFTP answers requests on one file as if they came one after the other, so several can
be sent before the first is answered.
"""

from __future__ import annotations

import asyncio
import stat
from collections import deque
from collections.abc import Coroutine, Sequence
from contextlib import suppress
from io import BytesIO
from typing import Any, Final, NamedTuple

import asyncssh
from asyncssh import FXF_READ, SFTPAttrs, SFTPClient, SFTPClientFile

from datatool.errors import RemoteError
from datatool.remote.stores.sftp_errors import FOREIGN, MISSING
from datatool.remote.stores.sftp_link import Line
from datatool.remote.stores.sftp_lookahead import Lookahead
from datatool.store.protocol import NameMissing

LARGEST: Final = 64 << 20
"""No record is larger: what goes on behind that is not read into memory."""

_AHEAD: Final = 16
"""Requests for the next names of a directory that are under way at once; each brings about a hundred."""


class OpenFile(NamedTuple):
    """A file that can be read, and how long it was a moment ago."""

    file: SFTPClientFile
    size: int


async def open_to_read(sftp: SFTPClient, path: bytes, name: str) -> OpenFile:
    """Open a plain file; NameMissing for whatever else is there, links among it."""
    opened, found = await asyncio.gather(
        sftp.open(path, FXF_READ, encoding=None, block_size=0), sftp.lstat(path), return_exceptions=True
    )
    plain = isinstance(found, SFTPAttrs) and (found.permissions is None or stat.S_ISREG(found.permissions))
    if isinstance(opened, SFTPClientFile):
        if plain and isinstance(found, SFTPAttrs):
            return OpenFile(opened, found.size or 0)
        _unwatched(close_quietly(opened))
    elif plain and not isinstance(opened, MISSING):
        raise opened
    if isinstance(found, BaseException) and not isinstance(found, MISSING):
        raise found
    raise NameMissing(name)


async def close_quietly(file: SFTPClientFile) -> None:
    """Close a file that was only read, or whose bytes are given up."""
    with suppress(*FOREIGN):
        await file.close()


async def fetch(line: Line, path: bytes, name: str, start: int, length: int | None) -> bytes:
    """A range of a file, shorter only where the file ends; without `length`, all from `start` on.

    Raises NameMissing; RemoteError for more than any record may hold.
    """
    file, size = await open_to_read(line.sftp, path, name)
    try:
        if length is not None:
            return await _read(line, file, start, min(length, max(0, size - start)), size)
        while True:
            if size - start > LARGEST:
                raise RemoteError(f"{name}: has {size} bytes, more than anything that is read as a whole")
            # One byte more than there should be: a name may have been replaced since the question for its size.
            data = await _read(line, file, start, max(0, size - start) + 1, size)
            if len(data) <= max(0, size - start):
                return data
            size = (await file.stat()).size or 0
    finally:
        _unwatched(close_quietly(file))


def _unwatched(work: Coroutine[Any, Any, None]) -> None:
    """Let something go on that nobody waits for."""
    task = asyncio.ensure_future(work)
    _going_on.add(task)
    task.add_done_callback(_going_on.discard)


_going_on: Final[set[asyncio.Task[None]]] = set()  # asyncio itself would forget them


async def _read(line: Line, file: SFTPClientFile, start: int, length: int, size: int) -> bytes:
    ahead = Lookahead()
    under_way: deque[tuple[int, asyncio.Task[bytes]]] = deque()
    result = BytesIO()
    asked = 0
    try:
        while True:
            while asked < length and (not under_way or asked - result.tell() < ahead.window):
                count = min(line.read_size, ahead.piece(line.read_size), length - asked)
                under_way.append((count, asyncio.ensure_future(read_block(line, file, start + asked, count, size))))
                asked += count
            if not under_way:
                break
            count, task = under_way.popleft()
            data = await task
            ahead.moved(len(data))
            result.write(data)
            if len(data) < count:
                break  # the file ends here
    finally:
        for _, task in under_way:
            task.cancel()
    return result.getvalue()


async def read_block(line: Line, file: SFTPClientFile, offset: int, count: int, size: int) -> bytes:
    """So many bytes, shorter only where the file ends. A server may give less than it was asked for; where the file
    should end by its `size`, that needs no second question."""
    data: bytes = await file.read(count, offset)
    line.moved(len(data))
    while data and len(data) < count and offset + len(data) < size:
        more: bytes = await file.read(count - len(data), offset + len(data))
        line.moved(len(more))
        if not more:
            break
        data += more
    return data


async def read_blocks(line: Line, file: SFTPClientFile, offset: int, count: int, size: int) -> bytes:
    """The same in several requests, as many as it takes."""
    most = line.read_size
    if count <= most:
        return await read_block(line, file, offset, count, size)
    starts = range(0, count, most)
    blocks = await asyncio.gather(
        *(read_block(line, file, offset + start, min(most, count - start), size) for start in starts)
    )
    whole = next((n for n, block in enumerate(blocks[:-1]) if len(block) < most), len(blocks) - 1)
    return b"".join(blocks[: whole + 1])


class Entry(NamedTuple):
    """One name in a directory."""

    name: bytes
    is_dir: bool
    is_file: bool
    size: int
    time: int


async def read_directory(line: Line, path: bytes) -> Sequence[Entry]:
    """Everything in a directory, unsorted; a link to a directory is one, other links are nothing."""
    entries = [_entry(name, attrs) for name, attrs in await read_names(line, path)]
    return [entry if entry.is_dir or entry.is_file else await _behind(line.sftp, path, entry) for entry in entries]


async def read_names(line: Line, path: bytes) -> Sequence[tuple[bytes, SFTPAttrs]]:
    """Everything in a directory, `.` and `..` too, unsorted, with what the server says of each; links are links."""
    # The public `scandir` waits for each hundred names before it asks for the next, and for the end.
    handler = line.sftp._handler
    handle = await handler.opendir(path)
    entries: list[tuple[bytes, SFTPAttrs]] = []
    ahead = 2
    try:
        while True:
            answers = await asyncio.gather(*(handler.readdir(handle) for _ in range(ahead)), return_exceptions=True)
            line.answered()
            over = False
            for answer in answers:
                if isinstance(answer, asyncssh.SFTPEOFError):
                    over = True
                elif isinstance(answer, BaseException):
                    raise answer
                else:
                    names, at_end = answer
                    over = over or at_end
                    entries += [(_raw(found.filename), found.attrs) for found in names]
            if over:
                break
            ahead = min(2 * ahead, _AHEAD)
    finally:
        _unwatched(_close_handle(line.sftp, handle))
    return entries


async def is_directory(sftp: SFTPClient, path: bytes) -> bool:
    """Whether there is a directory of that name, or a link to one."""
    try:
        return stat.S_ISDIR((await sftp.stat(path or b"/")).permissions or 0)
    except asyncssh.SFTPError:
        return False


def _raw(name: bytes | str) -> bytes:
    return name if isinstance(name, bytes) else name.encode("utf-8", "surrogateescape")


def _entry(name: bytes, attrs: SFTPAttrs) -> Entry:
    mode = attrs.permissions or 0
    return Entry(
        name,
        stat.S_ISDIR(mode),
        stat.S_ISREG(mode),
        attrs.size or 0,
        int(attrs.mtime or 0),
    )


async def _behind(sftp: SFTPClient, path: bytes, entry: Entry) -> Entry:
    """The entry, as a directory if it is a link to one."""
    return entry._replace(is_dir=await is_directory(sftp, path + b"/" + entry.name))


async def _close_handle(sftp: SFTPClient, handle: bytes) -> None:
    with suppress(*FOREIGN):
        await sftp._handler.close(handle)
