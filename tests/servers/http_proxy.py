"""A proxy in front of an HTTP server that writes down every request, as the server got it."""

from __future__ import annotations

import asyncio
import re
from dataclasses import dataclass, field
from types import TracebackType

from servers.background import BackgroundLoop
from servers.http_messages import Head, read_head, request_body, response_body, response_has_body
from servers.ports import HOST

_STREAM_LIMIT = 1 << 18


@dataclass(kw_only=True, slots=True)
class Request:
    """One request and what came of it. Counts are of bodies; what a chunked body says about itself counts as well."""

    connection: int
    """Which connection of the proxy it came on, from 1: requests with the same number shared one."""
    method: str
    target: str
    """Path and query, as they were on the wire."""
    headers: tuple[tuple[str, str], ...] = field(repr=False)
    status: int | None = None
    """None as long as the server has not answered."""
    bytes_up: int = 0
    bytes_down: int = 0

    @property
    def path(self) -> str:
        return self.target.partition("?")[0]

    @property
    def query(self) -> str:
        return self.target.partition("?")[2]

    def header(self, name: str) -> str:
        """The value of a header, given in lower case; empty when there is none."""
        return next((value for known, value in self.headers if known == name), "")


class HttpProxy:
    """Passes requests on to a server on this machine and keeps them in `requests`, in the order in which they began.

        with HttpProxy(server_port) as proxy:
            ...  # talk to proxy.port
            assert [request.method for request in proxy.requests] == ["GET"]

    Whatever a client has been answered has been written down before the answer's last byte was sent.
    """

    def __init__(self, target_port: int, *, fix_ranges: bool = False) -> None:
        self.requests: list[Request] = []
        self.connections = 0
        """How many connections clients have opened."""
        self._target_port = target_port
        self._fix_ranges = fix_ranges
        self._loop = BackgroundLoop()
        self._server = self._loop.run(self._listen())
        self.port: int = self._server.sockets[0].getsockname()[1]

    @property
    def url(self) -> str:
        return f"http://{HOST}:{self.port}"

    def reset(self) -> None:
        """Forget the requests so far."""
        self.requests.clear()
        self.connections = 0

    def counts(self) -> dict[str, int]:
        """How many requests there were of each method."""
        methods = [request.method for request in self.requests]
        return {method: methods.count(method) for method in sorted(set(methods))}

    def close(self) -> None:
        self._server.close()
        self._loop.close()

    def __enter__(self) -> HttpProxy:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    async def _listen(self) -> asyncio.Server:
        return await asyncio.start_server(self._serve, HOST, 0, limit=_STREAM_LIMIT, backlog=512)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        connection = _Connection(number=self.connections, client=reader, to_client=writer, proxy=self)
        try:
            await connection.serve(self._target_port)
        except (OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError, asyncio.CancelledError):
            pass  # a side went away: so does the other
        finally:
            connection.abort()


@dataclass(kw_only=True, slots=True)
class _Connection:
    number: int
    client: asyncio.StreamReader
    to_client: asyncio.StreamWriter
    proxy: HttpProxy
    server: asyncio.StreamReader = field(init=False)
    to_server: asyncio.StreamWriter | None = None

    async def serve(self, port: int) -> None:
        self.server, self.to_server = await asyncio.open_connection(HOST, port, limit=_STREAM_LIMIT)
        while (head := await read_head(self.client)) is not None:
            method, target, _ = head.first_line.split(" ", 2)
            request = Request(connection=self.number, method=method, target=target, headers=head.headers)
            self.proxy.requests.append(request)
            self.to_server.write(head.raw)
            # The two directions at once: a server may answer before it has read a body, and a client that said
            # `Expect: 100-continue` sends it only after a first answer.
            upload = asyncio.create_task(self._send_body(head, request, self.to_server))
            try:
                reusable = await self._send_response(request)
            finally:
                complete = upload.done() and not upload.cancelled() and upload.exception() is None
                if not complete:
                    upload.cancel()
                    await asyncio.gather(upload, return_exceptions=True)
            if not (reusable and complete):
                await _finish(self.to_client)
                return

    def abort(self) -> None:
        self.to_client.transport.abort()
        if self.to_server is not None:
            self.to_server.transport.abort()

    async def _send_body(self, head: Head, request: Request, to_server: asyncio.StreamWriter) -> None:
        async for piece in request_body(self.client, head):
            request.bytes_up += len(piece)
            to_server.write(piece)
            await to_server.drain()

    async def _send_response(self, request: Request) -> bool:
        """Pass on the answer; returns whether another request may follow on this connection."""
        while True:
            head = await read_head(self.server)
            if head is None:
                return False
            if head.status >= 200:
                break
            self.to_client.write(head.raw)
        raw = head.raw
        if self.proxy._fix_ranges and head.status == 200 and head.get("content-range"):
            raw = re.sub(rb"\A(HTTP/1\.[01]) 200 [^\r]*", rb"\1 206 Partial Content", raw)
            head = Head.parse(raw)
        request.status = head.status
        self.to_client.write(raw)
        if response_has_body(head, method=request.method):
            async for piece in response_body(self.server, head):
                request.bytes_down += len(piece)
                self.to_client.write(piece)
                await self.to_client.drain()
            if not head.chunked and head.length is None:
                return False
        return head.get("connection").lower() != "close"


async def _finish(writer: asyncio.StreamWriter) -> None:
    """Close in an orderly way: what was written arrives."""
    writer.close()
    try:
        await writer.wait_closed()
    except OSError:
        pass
