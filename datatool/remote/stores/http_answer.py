"""One answer of a web server: its headers believed only where they fit the question, its body read with limits."""

from __future__ import annotations

import re
import time
from collections.abc import Mapping
from contextlib import suppress
from typing import Final

from aiohttp import ClientResponse

from datatool.errors import RemoteBusy, RemoteError
from datatool.remote.stores.http_errors import Cut, Place, translated

SLOWEST: Final = 1000
"""Bytes per second below which a server is given up: it would hold this machine for days."""

PIECE: Final = 256 << 10
"""What is taken from a connection at a time, and read ahead of that: the library keeps as much as it is asked for,
and loses it when the connection breaks."""

_RANGE: Final = re.compile(r"bytes (\d{1,18})-(\d{1,18})/(\d{1,18}|\*)", re.ASCII)
_REST: Final = 64 << 10
"""What is rather read to the end than thrown away with its connection."""


class Answer:
    """A body that starts at byte `start` of a name. `total` is the name's whole size and `length` the body's, where
    the server says so; `validator` a strong ETag, which tells this content from another."""

    def __init__(self, response: ClientResponse, place: Place, *, timeout: float) -> None:
        self.start = 0
        self.total: int | None = None
        self.length = _number(response.headers.get("Content-Length"))
        self.whole = response.status == 200
        etag = response.headers.get("ETag", "")
        self.validator = etag if etag.startswith('"') else None
        self.headers: Mapping[str, str] = response.headers
        self._response = response
        self._place = place
        self._timeout = timeout
        self._received = 0
        self._waited = 0.0
        self._in_wait = 0

    def expect_whole(self) -> None:
        """Raise RemoteError where the body is not the bytes themselves."""
        coding = self._response.headers.get("Content-Encoding", "identity").strip().lower()
        if coding not in ("", "identity"):
            raise RemoteError(
                f"{self._place.label}: the server compresses what it sends, though asked not to",
                hint="turn compression off at the server for the remote's files",
            )
        self.total = self.length

    def expect_range(self, start: int, stop: int | None) -> None:
        """Raise RemoteBusy unless the body is what was asked for: from `start` on, to `stop` or the name's end."""
        self.expect_whole()
        found = _RANGE.fullmatch(self._response.headers.get("Content-Range", ""))
        if found is None:
            raise self._wrong_range()
        first, last = int(found[1]), int(found[2])
        total = None if found[3] == "*" else int(found[3])
        size = last - first + 1
        if first != start or size < 1 or (self.length is not None and self.length != size):
            raise self._wrong_range()
        if total is None:
            right = stop is not None and last == stop - 1
        else:
            right = last == (total if stop is None else min(stop, total)) - 1
        if not right:
            raise self._wrong_range()
        self.start, self.length, self.total = first, size, total

    async def read(self, most: int) -> bytes:
        """The next bytes, `most` at most; nothing at the end.

        Raises Cut where the end came too early, RemoteBusy from a server that stalls or is too slow.
        """
        left = min(most, PIECE if self.length is None else min(PIECE, self.length - self._received))
        if left <= 0:
            return b""
        begun = time.monotonic()
        try:
            with translated(self._place):
                data: bytes = await self._response.content.read(left)
        except Cut as error:
            raise self._cut() from error
        if not data and self.length is not None:
            raise self._cut()
        self._pace(len(data), time.monotonic() - begun)
        self._received += len(data)
        return data

    async def skip(self, count: int) -> None:
        """Pass over bytes; an answer that is shorter just ends."""
        while count and (data := await self.read(min(count, 1 << 20))):
            count -= len(data)

    async def close(self) -> None:
        """Done with it: the connection is used again if the body is over, or as good as over."""
        left = 0 if self.length is None else self.length - self._received
        if 0 < left <= _REST and self._response.content.exception() is None:
            with suppress(RemoteBusy):  # nobody misses these bytes
                await self.skip(left)
        if self._response.content.at_eof():
            self._response.release()
        else:
            self._response.close()

    def _pace(self, count: int, waited: float) -> None:
        self._in_wait += count
        self._waited += waited
        if self._waited >= self._timeout:
            if count and self._in_wait < SLOWEST * self._waited:
                raise RemoteBusy(f"{self._place.label}: sends less than {SLOWEST} bytes per second")
            self._waited, self._in_wait = 0.0, 0

    def _cut(self) -> Cut:
        where = f"after {self._received} of {self.length} bytes" if self.length is not None else "in the middle"
        return Cut(f"{self._place.label}: the connection broke {where}")

    def _wrong_range(self) -> RemoteBusy:
        return RemoteBusy(f"{self._place.label}: the server sent another part of a file than it was asked for")


def missing_end(headers: Mapping[str, str]) -> int | None:
    """The size of a name, from an answer that a range lies behind its end; None if that is not said."""
    found = re.fullmatch(r"bytes \*/(\d{1,18})", headers.get("Content-Range", ""), re.ASCII)
    return int(found[1]) if found else None


def _number(text: str | None) -> int | None:
    return int(text) if text is not None and text.isascii() and text.isdigit() and len(text) <= 18 else None
