"""What a request to S3 carries: bytes in memory, and the check of them that the server is to make."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import socket
import struct
import sys
from typing import TYPE_CHECKING, Any, Final

from aiohttp.payload import Payload

from datatool.remote.stores.pace import Pace
from datatool.remote.stores.transfer import Transfer

if sys.platform == "linux":
    import fcntl
    import termios

if TYPE_CHECKING:
    from aiohttp.abc import AbstractStreamWriter

_STEP: Final = 256 << 10


class Body(Payload):
    """Bytes that are written to the connection piece by piece, so that it shows when nothing moves.

    botocore takes it for bytes (it has a length), aiohttp for a payload of its own. It has no `read`: whatever has
    one is sent only after a round trip more (`Expect: 100-continue`).
    """

    def __init__(self, data: bytes, transfer: Transfer | None = None) -> None:
        super().__init__(data)
        self._size = len(data)
        self._transfer = transfer
        self._told = 0
        """How much `transfer` was told: what is sent once more is not counted once more."""
        self._transport: asyncio.WriteTransport | None = None
        self.pace: Pace | None = None
        """Set for each attempt, by whoever watches it."""

    def __len__(self) -> int:
        return len(self._value)

    def seek(self, position: int) -> None:
        """Begin anew: every attempt does."""

    def decode(self, encoding: str = "utf-8", errors: str = "strict") -> str:
        """Only because aiohttp's payloads have it, to be printed."""
        return ""

    async def write(self, writer: AbstractStreamWriter) -> None:
        """Write everything."""
        self._transport = writer.transport
        view = memoryview(self._value)
        for start in range(0, len(view), _STEP):
            piece = view[start : start + _STEP]
            await writer.write(piece)
            await self._moved(start + len(piece), len(piece))

    async def write_with_length(self, writer: AbstractStreamWriter, content_length: int | None) -> None:
        """Write everything: the length that was announced is that of the bytes."""
        await self.write(writer)

    async def watch(self) -> None:
        """Count what leaves this machine after everything was written, until cancelled: on a slow line megabytes wait
        in the system's own buffer, and they move though nothing is written."""
        waiting = 0
        while True:
            await asyncio.sleep(1)
            left = _unsent(self._transport)
            if left < waiting and self.pace is not None:
                self.pace.moved(waiting - left)
            waiting = left

    def abandon(self) -> None:
        """Reset the connection: to close it in good order would be to wait for the other side to take what is left."""
        if self._transport is None:
            return
        try:
            connection = self._transport.get_extra_info("socket")
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        except (OSError, AttributeError):
            pass  # it is closed already
        self._transport.abort()

    async def _moved(self, end: int, count: int) -> None:
        if self.pace is not None:
            self.pace.moved(count)
        if self._transfer is not None and end > self._told:
            count, self._told = end - self._told, end
            await self._transfer.moved(count, self.pace)


def _unsent(transport: asyncio.WriteTransport | None) -> int:
    """Bytes that the system holds for a connection and the other side has not confirmed; 0 where it does not tell."""
    connection = transport.get_extra_info("socket") if transport is not None else None
    if sys.platform != "linux" or connection is None:
        return 0
    try:
        held = fcntl.ioctl(connection.fileno(), termios.TIOCOUTQ, bytes(4))
    except (OSError, ValueError):
        return 0  # it is closed
    return int(struct.unpack("i", held)[0])


class Checks:
    """How the server is made to check what it gets.

    Amazon and many others check a sha256 (and keep it), and say so in their answer. Some ignore it without a word;
    those check an md5, as S3 always did. So the first request to a stranger carries both.
    """

    def __init__(self, *, sha256: bool | None = None) -> None:
        """`sha256` tells whether the server checks it, where that is known."""
        self.sha256 = sha256

    def of(self, data: bytes) -> dict[str, str]:
        """Parameters for a request that carries these bytes."""
        found: dict[str, str] = {}
        if self.sha256 is not False:
            found["ChecksumSHA256"] = sha256_base64(data)
        if self.sha256 is not True:
            found["ContentMD5"] = md5_base64(data)
        return found

    def learn(self, answer: dict[str, Any]) -> None:
        """A put was answered: one that was checked is told with its checksum."""
        if self.sha256 is None:
            self.sha256 = bool(answer.get("ChecksumSHA256"))


def sha256_base64(data: bytes) -> str:
    """A checksum as S3 spells it."""
    return base64.b64encode(hashlib.sha256(data, usedforsecurity=False).digest()).decode()


def md5_base64(data: bytes) -> str:
    """The older checksum, against accidents only."""
    return base64.b64encode(hashlib.md5(data, usedforsecurity=False).digest()).decode()
