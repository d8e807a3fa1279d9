"""Reading HTTP/1.1 messages from a stream: heads, and bodies piece by piece as they lie on the wire."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, replace

STREAM_LIMIT = 1 << 18
_PIECE = 1 << 18


@dataclass(frozen=True, kw_only=True, slots=True)
class Head:
    """The first line and the headers of a message, with the bytes they were made of."""

    first_line: str
    headers: tuple[tuple[str, str], ...]
    """Names in lower case."""
    raw: bytes

    @classmethod
    def parse(cls, raw: bytes) -> Head:
        first_line, *lines = raw.decode("latin-1").removesuffix("\r\n\r\n").split("\r\n")
        headers = (line.partition(":") for line in lines)
        return cls(
            first_line=first_line, headers=tuple((name.lower(), value.strip()) for name, _, value in headers), raw=raw
        )

    @classmethod
    def build(cls, first_line: str, headers: Mapping[str, str]) -> Head:
        lines = [first_line, *(f"{name}: {value}" for name, value in headers.items())]
        return cls.parse("".join(f"{line}\r\n" for line in [*lines, ""]).encode("latin-1"))

    def get(self, name: str) -> str:
        """The value of a header, given in lower case; empty when there is none."""
        return next((value for known, value in self.headers if known == name), "")

    def with_headers(self, changed: Mapping[str, str | None]) -> Head:
        """The same head with headers replaced or added; None takes one away."""
        if not changed:
            return self
        names = {name.lower() for name in changed}
        lines = [line for line in self.raw.decode("latin-1").split("\r\n")[1:] if line]
        kept = [line for line in lines if line.partition(":")[0].lower() not in names]
        added = [f"{name}: {value}" for name, value in changed.items() if value is not None]
        return Head.parse("".join(f"{line}\r\n" for line in [self.first_line, *kept, *added, ""]).encode("latin-1"))

    def with_status(self, status: str) -> Head:
        """The same head of a response with another status, such as `206 Partial Content`."""
        version, line_end = self.first_line.partition(" ")[0], self.raw.index(b"\r\n")
        first_line = f"{version} {status}"
        return replace(self, first_line=first_line, raw=first_line.encode("latin-1") + self.raw[line_end:])

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

    @property
    def closes(self) -> bool:
        """Whether no other message follows this one on its connection."""
        return "close" in self.get("connection").lower()


@dataclass(frozen=True, kw_only=True, slots=True)
class Piece:
    """A piece of a body as it lies on the wire."""

    data: bytes
    is_framing: bool = False
    """What a chunked body says about itself; it is no part of the content."""


async def read_head(stream: asyncio.StreamReader) -> Head | None:
    """The next head; None where the connection ends in place of one."""
    try:
        return Head.parse(await stream.readuntil(b"\r\n\r\n"))
    except asyncio.IncompleteReadError:
        return None


async def request_body(stream: asyncio.StreamReader, head: Head) -> AsyncIterator[Piece]:
    """The body of a request; one that names no length has none."""
    pieces = _chunks(stream) if head.chunked else _counted(stream, head.length or 0)
    async for piece in pieces:
        yield piece


def has_body(head: Head, *, method: str) -> bool:
    """Whether the response to such a request has a body."""
    return method != "HEAD" and head.status not in {204, 304}


async def response_body(stream: asyncio.StreamReader, head: Head, *, method: str) -> AsyncIterator[Piece]:
    """The body of a response to such a request; one that names no length goes on to the end of the connection."""
    if not has_body(head, method=method):
        return
    if head.chunked:
        pieces = _chunks(stream)
    elif head.length is not None:
        pieces = _counted(stream, head.length)
    else:
        pieces = _rest(stream)
    async for piece in pieces:
        yield piece


async def _counted(stream: asyncio.StreamReader, length: int) -> AsyncIterator[Piece]:
    while length:
        data = await stream.read(min(length, _PIECE))
        if not data:
            raise ConnectionError("the body was cut")
        length -= len(data)
        yield Piece(data=data)


async def _chunks(stream: asyncio.StreamReader) -> AsyncIterator[Piece]:
    while True:
        line = await stream.readuntil(b"\r\n")
        yield Piece(data=line, is_framing=True)
        size = int(line.split(b";")[0], 16)
        if size == 0:
            break
        async for piece in _counted(stream, size):
            yield piece
        yield Piece(data=await stream.readexactly(2), is_framing=True)
    while True:  # trailers, up to an empty line
        line = await stream.readuntil(b"\r\n")
        yield Piece(data=line, is_framing=True)
        if line == b"\r\n":
            return


async def _rest(stream: asyncio.StreamReader) -> AsyncIterator[Piece]:
    while data := await stream.read(_PIECE):
        yield Piece(data=data)
