"""What can happen to bytes on their way: they are cut off, stall, crawl or are changed."""

from __future__ import annotations

import asyncio
import math
import socket
import struct
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from enum import StrEnum

from servers.ports import wait_until

_LOOK_AGAIN_AFTER = 0.05
_ESTABLISHED = 1


class Wire(StrEnum):
    """What happens to one direction of a connection, after `at` bytes of it."""

    CUT = "cut"
    """The connection is closed in an orderly way (FIN)."""
    RESET = "reset"
    """The connection is reset (RST)."""
    STALL = "stall"
    """Nothing more arrives, and the connection stays open, until the client goes away."""
    RATE = "rate"
    """The rest arrives at `rate` bytes per second."""
    FLIP = "flip"
    """The lowest bit of the byte at this position is inverted."""


class Direction(StrEnum):
    UP = "up"
    """From the client to the server."""
    DOWN = "down"
    """From the server to the client."""


class Broken(Exception):
    """A fault ends the connection here."""

    def __init__(self, *, reset: bool) -> None:
        super().__init__()
        self.reset = reset


@dataclass(kw_only=True, slots=True)
class Turns:
    """Whose turn it is: of those that come by, the `nth` and as many as make up `times`; None is all that follow."""

    nth: int = 1
    times: int | None = 1
    seen: int = 0

    def come(self) -> bool:
        self.seen += 1
        return self.seen >= self.nth and (self.times is None or self.seen < self.nth + self.times)


@dataclass(kw_only=True, slots=True)
class Happening:
    """How often a fault that was asked for has come true. A test that sees none has tested nothing."""

    count: int = 0

    def wait(self) -> None:
        """Wait until it has come true once."""
        wait_until(lambda: self.count > 0, seconds=120, what="the fault")


Spot = Callable[[int | None], int]
"""A position in a body, worked out from the length that the body says it has; None where it does not say."""


@dataclass(frozen=True, kw_only=True, slots=True)
class WireFault:
    kind: Wire
    at: int | Spot | None = None
    """None is before anything at all, even before what `at` does not count, such as the head of an answer."""
    rate: float = 0
    happening: Happening = field(default_factory=Happening)

    def __post_init__(self) -> None:
        if self.kind is Wire.FLIP and self.at is None:
            raise ValueError("which byte is to be flipped? say `at`")
        if (self.kind is Wire.RATE) != (self.rate > 0):
            raise ValueError("`rate`, in bytes per second, belongs to the fault of this name")

    def in_body(self, length: int | None) -> WireFault:
        """The same fault, at its position in a body of this length."""
        return replace(self, at=self.at(length)) if callable(self.at) else self


@dataclass(kw_only=True, slots=True)
class Valve:
    """Passes bytes on to one side of a connection, and does to them what the fault says."""

    writer: asyncio.StreamWriter
    client_is_gone: Callable[[], bool]
    tell: Callable[[int], None]
    """Told of bytes that are about to be passed on, of those that count."""
    fault: WireFault | None = None
    passed: int = 0

    async def begin(self) -> None:
        """To be called before the first byte."""
        if self.fault is not None and self.fault.at is None and self.fault.kind is not Wire.RATE:
            await self._break(self.fault)

    async def send(self, data: bytes) -> None:
        fault = self.fault
        at = fault.at if fault is not None and isinstance(fault.at, int) else None
        position = max((at or 0) - self.passed, 0)
        if fault is None:
            await self._write(data)
        elif fault.kind is Wire.FLIP:
            if at is not None and self.passed <= at < self.passed + len(data):
                data = data[:position] + bytes([data[position] ^ 1]) + data[position + 1 :]
                fault.happening.count += 1
            await self._write(data)
        elif position > len(data) or (at is None and fault.kind is not Wire.RATE):
            await self._write(data)
        else:
            await self._write(data[:position])
            if fault.kind is not Wire.RATE:
                await self._break(fault)
            await self._crawl(data[position:], fault)

    async def send_uncounted(self, data: bytes) -> None:
        """Pass on what belongs to the protocol and not to what `at` counts."""
        self.writer.write(data)
        await self.writer.drain()

    async def _write(self, data: bytes) -> None:
        self.passed += len(data)
        self.tell(len(data))  # first: whoever has received a byte may look at once
        self.writer.write(data)
        await self.writer.drain()

    async def _crawl(self, data: bytes, fault: WireFault) -> None:
        if data:
            fault.happening.count = max(fault.happening.count, 1)
        step = max(int(fault.rate * _LOOK_AGAIN_AFTER), 1)
        for start in range(0, len(data), step):
            piece = data[start : start + step]
            await self._pause(len(piece) / fault.rate)
            await self._write(piece)

    async def _break(self, fault: WireFault) -> None:
        fault.happening.count += 1
        if fault.kind is Wire.STALL:
            await self._pause(math.inf)
        raise Broken(reset=fault.kind is Wire.RESET)

    async def _pause(self, seconds: float) -> None:
        """Wait, but not for somebody who has gone."""
        loop = asyncio.get_running_loop()
        until = loop.time() + seconds
        while (left := until - loop.time()) > 0:
            if self.client_is_gone():
                raise Broken(reset=True)
            await asyncio.sleep(min(left, _LOOK_AGAIN_AFTER))


def is_gone(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
    """Whether the client has closed its connection, or said that it sends no more, though not all of it was read."""
    if writer.transport.is_closing() or reader.at_eof():
        return True
    if not hasattr(socket, "TCP_INFO"):
        return False
    connection = writer.get_extra_info("socket")
    try:
        return bool(connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 1)[0] != _ESTABLISHED)
    except OSError:
        return True


def reset(writer: asyncio.StreamWriter) -> None:
    """Close so that the other side is told of an error (RST)."""
    connection = writer.get_extra_info("socket")
    if connection is not None and not writer.transport.is_closing():
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


async def finish(writer: asyncio.StreamWriter) -> None:
    """Close in an orderly way: what was written arrives."""
    writer.close()
    try:
        await writer.wait_closed()
    except OSError:
        pass


def unbuffered(writer: asyncio.StreamWriter) -> None:
    """Make `drain` wait until everything is in the kernel's hands, so that counts are what has been sent."""
    writer.transport.set_write_buffer_limits(high=0)
