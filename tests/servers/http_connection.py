"""One connection of an HTTP proxy: a request, its answer, the next request."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from http import HTTPStatus

from servers.http_faults import LOGIN_PAGE, HttpFault, Misbehaviour
from servers.http_messages import Head, has_body, read_head, request_body, response_body
from servers.wire import Direction, Valve, finish, is_gone

_FILLER = bytes(1 << 16)


@dataclass(kw_only=True, slots=True)
class Request:
    """One request and what came of it. Bytes are those of the content, without heads and framing."""

    connection: int
    """Which connection of the proxy it came on, from 1: requests with the same number shared one."""
    method: str
    target: str
    """Path and query, as they were on the wire."""
    headers: tuple[tuple[str, str], ...] = field(repr=False)
    status: int | None = None
    """None as long as there is no answer."""
    bytes_up: int = 0
    """Passed on to the server; where a fault answers in place of the server, what the client sent."""
    bytes_down: int = 0
    """Passed on to the client."""
    fault: str = ""
    """The name of the fault that was meant for it."""

    @property
    def path(self) -> str:
        return self.target.partition("?")[0]

    @property
    def query(self) -> str:
        return self.target.partition("?")[2]

    def header(self, name: str) -> str:
        """The value of a header, given in lower case; empty when there is none."""
        return next((value for known, value in self.headers if known == name), "")


@dataclass(kw_only=True, slots=True)
class HttpConnection:
    """A client and the server it talks to. Raises Broken where a fault ends the connection."""

    number: int
    client: asyncio.StreamReader
    to_client: asyncio.StreamWriter
    server: asyncio.StreamReader
    to_server: asyncio.StreamWriter
    arrive: Callable[[Request], HttpFault | None]
    """Called with every request; says what is to go wrong with it."""
    fix_ranges: bool
    latency: float

    async def serve(self) -> None:
        """Pass on requests and answers until one of the two has had enough."""
        reusable = True
        while reusable and (head := await read_head(self.client)) is not None:
            method, target, _ = head.first_line.split(" ", 2)
            request = Request(connection=self.number, method=method, target=target, headers=head.headers)
            fault = self.arrive(request)
            if self.latency:
                await asyncio.sleep(self.latency)
            if fault is not None and fault.misbehaviour in {Misbehaviour.ANSWER, Misbehaviour.LOGIN_PAGE}:
                await self._answer(head, request, fault)
            else:
                reusable = await self._exchange(head, request, fault)
        await finish(self.to_client)

    async def _exchange(self, head: Head, request: Request, fault: HttpFault | None) -> bool:
        """Let the server answer; returns whether another request may follow."""
        valve = self._valve(self.to_server, request, Direction.UP, fault, head.length)
        await valve.begin()
        self.to_server.write(head.raw)
        # The two directions at once: a server may answer before it has read a body, and a client that said
        # `Expect: 100-continue` sends it only after a first answer.
        upload = asyncio.create_task(self._send_body(head, valve))
        download = asyncio.create_task(self._send_response(request, fault))
        try:
            await asyncio.wait({upload, download}, return_when=asyncio.FIRST_COMPLETED)
            if upload.done():
                upload.result()  # raises at once where the client, or a fault, has cut the body
            reusable = await download
            return reusable and upload.done() and upload.result()
        finally:
            upload.cancel()
            download.cancel()
            await asyncio.gather(upload, download, return_exceptions=True)

    async def _send_body(self, head: Head, valve: Valve) -> bool:
        """Send the body of a request on; returns whether the server took all of it."""
        async for piece in request_body(self.client, head):
            try:
                await (valve.send_uncounted if piece.is_framing else valve.send)(piece.data)
            except OSError:
                return False  # it may have answered all the same
        return True

    async def _send_response(self, request: Request, fault: HttpFault | None) -> bool:
        """Pass on the answer; returns whether the connection is in order afterwards."""
        while (head := await read_head(self.server)) is not None and head.status < 200:
            self.to_client.write(head.raw)
        if head is None:
            return False
        valve = self._valve(self.to_client, request, Direction.DOWN, fault, head.length)
        await valve.begin()
        if self.fix_ranges and head.status == HTTPStatus.OK and head.get("content-range"):
            head = head.with_status("206 Partial Content")
        request.status = head.status
        if fault is not None and fault.misbehaviour is not None:
            await self._misbehave(head, request, fault, valve)
            return False
        self.to_client.write(head.raw)
        has_end = head.length is not None or head.chunked or not has_body(head, method=request.method)
        async for piece in response_body(self.server, head, method=request.method):
            await (valve.send_uncounted if piece.is_framing else valve.send)(piece.data)
        return has_end and not head.closes

    def _valve(
        self,
        writer: asyncio.StreamWriter,
        request: Request,
        direction: Direction,
        fault: HttpFault | None,
        length: int | None,
    ) -> Valve:
        wire = fault.on_the_way(direction) if fault is not None else None

        def tell(passed: int) -> None:
            if direction is Direction.UP:
                request.bytes_up += passed
            else:
                request.bytes_down += passed

        return Valve(
            writer=writer,
            client_is_gone=lambda: is_gone(self.client, self.to_client),
            tell=tell,
            fault=wire.in_body(length) if wire is not None else None,
        )

    async def _misbehave(self, head: Head, request: Request, fault: HttpFault, valve: Valve) -> None:
        """Pass on an answer that is not as the server gave it, the last one on this connection."""
        fault.happening.count += 1
        pieces = response_body(self.server, head, method=request.method)
        body = b"".join([piece.data async for piece in pieces if not piece.is_framing])
        headers: dict[str, str | None] = {"Connection": "close"}
        if fault.misbehaviour is Misbehaviour.ENDLESS:
            headers |= {"Transfer-Encoding": None, "Content-Length": None}
        elif has_body(head, method=request.method):
            headers |= {"Transfer-Encoding": None, "Content-Length": str(len(body))}
        if fault.misbehaviour is Misbehaviour.SHIFT:
            offset = (fault.at or 1) % max(len(body), 1)
            body = body[offset:] + body[:offset]
        self.to_client.write(head.with_headers({**headers, **fault.headers}).raw)
        await valve.send(body)
        if fault.misbehaviour is Misbehaviour.ENDLESS:
            await _fill(valve, fault.at)

    async def _answer(self, head: Head, request: Request, fault: HttpFault) -> None:
        """Answer in place of the server, once the request has come in as a whole."""
        if head.get("expect").lower() == "100-continue":
            self.to_client.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        async for piece in request_body(self.client, head):
            request.bytes_up += 0 if piece.is_framing else len(piece.data)
        status, headers, body = fault.status, dict(fault.headers), fault.body
        if fault.misbehaviour is Misbehaviour.LOGIN_PAGE:
            status, headers, body = 200, {"Content-Type": "text/html; charset=utf-8"}, LOGIN_PAGE
        fault.happening.count += 1
        request.status = status
        empty = Head.build(f"HTTP/1.1 {status} {HTTPStatus(status).phrase}", {})
        self.to_client.write(empty.with_headers({"Content-Length": str(len(body)), **headers}).raw)
        if request.method != "HEAD":
            request.bytes_down += len(body)
            self.to_client.write(body)
        await self.to_client.drain()


async def _fill(valve: Valve, size: int | None) -> None:
    """Send so many bytes of nothing; None is until the client has had enough."""
    while size is None or size > 0:
        filler = _FILLER if size is None else _FILLER[:size]
        await valve.send(filler)
        size = None if size is None else size - len(filler)
