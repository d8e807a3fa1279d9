"""Reading HTTP/1.1 messages from a stream: heads, and bodies piece by piece as they lie on the wire."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass

_PIECE = 1 << 16


@dataclass(frozen=True, kw_only=True, slots=True)
class Head:
    """The first line and the headers of a message, with the bytes they were made of."""

    first_line: str
    headers: tuple[tuple[str, str], ...]
    raw: bytes

    @classmethod
    def parse(cls, raw: bytes) -> Head:
        first_line, *lines = raw.decode("latin-1").removesuffix("\r\n\r\n").split("\r\n")
        headers = (line.partition(":") for line in lines)
        return cls(
            first_line=first_line, headers=tuple((name.lower(), value.strip()) for name, _, value in headers), raw=raw
        )

    def get(self, name: str) -> str:
        """The value of a header, given in lower case; empty when there is none."""
        return next((value for known, value in self.headers if known == name), "")

    @property
    def length(self) -> int | None:
        """How long the body is; None when it says so itself (`chunked`) or nobody does."""
        value = self.get("content-length")
        return None if self.chunked or not value.isdigit() else int(value)

    @property
    def chunked(self) -> bool:
        return "chunked" in self.get("transfer-encoding").lower()

    @property
    def status(self) -> int:
        """The status of a response."""
        return int(self.first_line.split(" ", 2)[1])


async def read_head(stream: asyncio.StreamReader) -> Head | None:
    """The next head; None where the connection ends in place of one."""
    try:
        return Head.parse(await stream.readuntil(b"\r\n\r\n"))
    except asyncio.IncompleteReadError:
        return None


def response_has_body(head: Head, *, method: str) -> bool:
    return method != "HEAD" and head.status >= 200 and head.status not in {204, 304}


async def request_body(stream: asyncio.StreamReader, head: Head) -> AsyncIterator[bytes]:
    """The body of a request; one that names no length has none."""
    if head.chunked:
        async for piece in _chunks(stream):
            yield piece
    else:
        async for piece in _counted(stream, head.length or 0):
            yield piece


async def response_body(stream: asyncio.StreamReader, head: Head) -> AsyncIterator[bytes]:
    """The body of a response; one that names no length goes on to the end of the connection."""
    if head.chunked:
        pieces = _chunks(stream)
    elif head.length is not None:
        pieces = _counted(stream, head.length)
    else:
        pieces = _rest(stream)
    async for piece in pieces:
        yield piece


async def _counted(stream: asyncio.StreamReader, length: int) -> AsyncIterator[bytes]:
    while length:
        piece = await stream.read(min(length, _PIECE))
        if not piece:
            raise ConnectionError("the body was cut")
        length -= len(piece)
        yield piece


async def _chunks(stream: asyncio.StreamReader) -> AsyncIterator[bytes]:
    while True:
        line = await stream.readuntil(b"\r\n")
        yield line
        size = int(line.split(b";")[0], 16)
        if size == 0:
            break
        async for piece in _counted(stream, size + 2):
            yield piece
    while True:  # trailers, up to an empty line
        line = await stream.readuntil(b"\r\n")
        yield line
        if line == b"\r\n":
            return


async def _rest(stream: asyncio.StreamReader) -> AsyncIterator[bytes]:
    while piece := await stream.read(_PIECE):
        yield piece
