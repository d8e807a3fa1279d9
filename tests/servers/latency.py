"""Gives an HTTP server on this machine the latency of one far away: `latency.py --listen PORT --to PORT --ms 20`.

It is for measuring, so it does as little as it can: it reads no HTTP. What the server says reaches the client no sooner
than --ms after the client's last word, which is what a round trip costs, however long the request took to send. A new
connection costs --connect-ms once. It prints the port it listens on; 0 is any that is free.
"""

from __future__ import annotations

import argparse
import asyncio
import socket
import sys
from collections import deque
from dataclasses import dataclass

_HOST = "127.0.0.1"
_HIGH_WATER = 1 << 20
_QUEUED = 16
"""How many pieces may wait for their time before the server is not listened to any more."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Route:
    to: int
    delay: float
    connect_delay: float
    fix_ranges: bool


class _Side(asyncio.Protocol):
    """What the two sides of a connection have in common: a slow reader slows the other side down."""

    def __init__(self) -> None:
        self.transport: asyncio.Transport | None = None
        self.other: _Side | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        transport.set_write_buffer_limits(high=_HIGH_WATER)
        transport.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def pause_writing(self) -> None:
        if self.other is not None and self.other.transport is not None:
            self.other.transport.pause_reading()

    def resume_writing(self) -> None:
        if self.other is not None and self.other.transport is not None:
            self.other.transport.resume_reading()

    def close(self) -> None:
        if self.transport is not None:
            self.transport.close()

    def connection_lost(self, error: Exception | None) -> None:
        if self.other is not None:
            self.other.close()


class _Client(_Side):
    def __init__(self, route: Route) -> None:
        super().__init__()
        self._route = route
        self._early: list[bytes] = []
        self._opening: asyncio.Task[None] | None = None
        self.last_word = 0.0
        """When the client last sent something."""
        self.has_spoken = False
        """Whether that was after the server's last answer."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self._opening = asyncio.get_running_loop().create_task(self._open())

    async def _open(self) -> None:
        loop = asyncio.get_running_loop()
        await asyncio.sleep(self._route.connect_delay)
        server = _Server(self._route, self)
        try:
            await loop.create_connection(lambda: server, _HOST, self._route.to)
        except OSError:
            self.close()
            return
        self.other = server
        if self.transport is None or self.transport.is_closing():
            server.close()
        for data in self._early:
            self._send(data)
        self._early.clear()

    def data_received(self, data: bytes) -> None:
        if self.other is None:
            self._early.append(data)
        else:
            self._send(data)

    def _send(self, data: bytes) -> None:
        self.last_word = asyncio.get_running_loop().time()
        self.has_spoken = True
        if self.other is not None and self.other.transport is not None:
            self.other.transport.write(data)


class _Server(_Side):
    def __init__(self, route: Route, client: _Client) -> None:
        super().__init__()
        self._route = route
        self._client = client
        self.other = client
        self._waiting: deque[bytes] = deque()
        self._last_release = 0.0
        self._ended = False

    def data_received(self, data: bytes) -> None:
        if self._client.has_spoken and self._route.fix_ranges:
            data = _with_the_right_status(data)
        self._client.has_spoken = False
        loop = asyncio.get_running_loop()
        release = max(self._client.last_word + self._route.delay, self._last_release)
        if release <= loop.time() and not self._waiting:
            self._pass_on(data)
            return
        self._last_release = release
        self._waiting.append(data)
        loop.call_at(release, self._release)
        if len(self._waiting) >= _QUEUED and self.transport is not None:
            self.transport.pause_reading()

    def _release(self) -> None:
        self._pass_on(self._waiting.popleft())
        if len(self._waiting) == _QUEUED - 1 and self.transport is not None and not self.transport.is_closing():
            self.transport.resume_reading()
        if self._ended and not self._waiting:
            self._client.close()

    def _pass_on(self, data: bytes) -> None:
        if self._client.transport is not None and not self._client.transport.is_closing():
            self._client.transport.write(data)

    def connection_lost(self, error: Exception | None) -> None:
        self._ended = True
        if not self._waiting:
            self._client.close()


def _with_the_right_status(data: bytes) -> bytes:
    """`rclone serve s3` answers a range with 200, which clients take for the whole."""
    head, _, _ = data.partition(b"\r\n\r\n")
    if not head.startswith(b"HTTP/1.1 200 ") or b"\r\ncontent-range:" not in head.lower():
        return data
    return b"HTTP/1.1 206 Partial Content" + data[data.index(b"\r\n") :]


async def run(port: int, route: Route) -> None:
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: _Client(route), _HOST, port, backlog=512)
    async with server:
        sys.stdout.write(f"{server.sockets[0].getsockname()[1]}\n")
        sys.stdout.flush()
        await server.serve_forever()


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--listen", type=int, required=True, metavar="PORT")
    parser.add_argument("--to", type=int, required=True, metavar="PORT")
    parser.add_argument("--ms", type=float, default=20, help="of every round trip")
    parser.add_argument("--connect-ms", type=float, help="of opening a connection; as much as --ms without it")
    parser.add_argument("--fix-range", action="store_true", help="200 becomes 206 where the answer is a range")
    said = parser.parse_args()
    connect = said.ms if said.connect_ms is None else said.connect_ms
    route = Route(to=said.to, delay=said.ms / 1000, connect_delay=connect / 1000, fix_ranges=said.fix_range)
    try:
        asyncio.run(run(said.listen, route))
    except KeyboardInterrupt:
        pass


if __name__ == "__main__":
    main()
