"""A proxy in front of an HTTP server: it writes down every request, and makes go wrong what a test asks for."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping
from types import TracebackType

from servers.background import BackgroundServer
from servers.http_connection import HttpConnection, Request
from servers.http_faults import HttpFault, Misbehaviour
from servers.http_messages import STREAM_LIMIT
from servers.ports import HOST
from servers.wire import Broken, Direction, Happening, Spot, Turns, Wire, WireFault, reset, unbuffered


class HttpProxy:
    """Passes requests on to a server on this machine and keeps them in `requests`, in the order in which they began.

        with HttpProxy(server_port) as proxy:
            fault = proxy.fault("cut", at=1000, nth=2, method="GET")
            ...  # talk to proxy.port
            assert [request.method for request in proxy.requests] == ["GET", "GET", "GET"]
            assert fault.happened

    Whatever a client has been answered has been written down before the answer's last byte was sent.
    `latency` is in seconds and added to every request.
    """

    def __init__(self, target_port: int, *, fix_ranges: bool = False, latency: float = 0) -> None:
        self.requests: list[Request] = []
        self.connections = 0
        """How many connections clients have opened."""
        self.open_connections = 0
        """How many of them there are now."""
        self.target_port = target_port
        self.fix_ranges = fix_ranges
        self.latency = latency
        self._faults: list[HttpFault] = []
        self._server = BackgroundServer(self._serve, limit=STREAM_LIMIT)
        self.port = self._server.port

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

    def fault(
        self,
        kind: str,
        *,
        nth: int = 1,
        times: int | None = 1,
        method: str = "",
        path: str = "",
        direction: str = "down",
        at: int | Spot | None = None,
        rate: float = 0,
        status: int = 503,
        headers: Mapping[str, str | None] | None = None,
        body: bytes = b"",
    ) -> HttpFault:
        """Make something go wrong with the `nth` request from now on that has this method and path.

        `kind` is one of `Wire` or `Misbehaviour`. `path` is a regular expression that is searched for in path and
        query. `times` is for how many such requests in a row, None for all that follow. `at` counts bytes of content
        in `direction`; a function works it out from the length that the content says it has. Without `at`, `cut`,
        `reset` and `stall` come before the first byte: on the way up, the server never hears of the request; on the
        way down it carries it out, and the client does not get to know.
        """
        wire = WireFault(kind=Wire(kind), at=at, rate=rate) if kind in set(Wire) else None
        fault = HttpFault(
            turns=Turns(nth=nth, times=times),
            method=method,
            path=re.compile(path),
            wire=wire,
            misbehaviour=None if wire else Misbehaviour(kind),
            direction=Direction(direction),
            at=at if isinstance(at, int) else None,
            status=status,
            headers=dict(headers or {}),
            body=body,
            happening=wire.happening if wire else Happening(),
        )
        self._faults.append(fault)
        return fault

    def heal(self) -> None:
        """Forget all faults; those that are happening go on."""
        self._faults.clear()

    def close(self) -> None:
        self._server.close()

    def __enter__(self) -> HttpProxy:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    async def _serve(self, client: asyncio.StreamReader, to_client: asyncio.StreamWriter) -> None:
        self.connections += 1
        self.open_connections += 1
        to_server: asyncio.StreamWriter | None = None
        number = self.connections
        unbuffered(to_client)
        try:
            server, to_server = await asyncio.open_connection(HOST, self.target_port, limit=STREAM_LIMIT)
            unbuffered(to_server)
            connection = HttpConnection(
                number=number,
                client=client,
                to_client=to_client,
                server=server,
                to_server=to_server,
                arrive=self._arrive,
                fix_ranges=self.fix_ranges,
                latency=self.latency,
            )
            await connection.serve()
        except Broken as fault:
            if fault.reset:
                reset(to_client)
        except (OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            pass  # a side went away: so does the other
        except asyncio.CancelledError:
            to_client.transport.abort()
        finally:
            if to_server is not None:
                to_server.transport.abort()
            to_client.close()
            self.open_connections -= 1

    def _arrive(self, request: Request) -> HttpFault | None:
        """Write a request down; returns what is to go wrong with it."""
        self.requests.append(request)
        due = [fault for fault in list(self._faults) if fault.is_due(request.method, request.target)]
        if not due:
            return None
        request.fault = due[0].name
        return due[0]
