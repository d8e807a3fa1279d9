"""A proxy in front of any server: it counts what passes on each connection, and makes go wrong what a test asks for."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from types import TracebackType

from servers.background import BackgroundServer
from servers.ports import HOST
from servers.wire import Broken, Direction, Happening, Turns, Valve, Wire, WireFault, is_gone, reset, unbuffered

REFUSE = "refuse"
"""A connection is reset as soon as it has come about; the server never hears of it."""
_PIECE = 1 << 16


@dataclass(kw_only=True, slots=True)
class Connection:
    """One connection and what has passed on it."""

    number: int
    bytes_up: int = 0
    """Passed on to the server."""
    bytes_down: int = 0
    """Passed on to the client."""
    fault: str = ""
    """The name of the fault that was meant for it."""


@dataclass(frozen=True, kw_only=True, slots=True)
class TcpFault:
    """A fault and the connections that it is meant for."""

    name: str
    turns: Turns
    direction: Direction
    wire: WireFault | None
    happening: Happening = field(default_factory=Happening)

    def on_the_way(self, direction: Direction) -> WireFault | None:
        return self.wire if self.direction is direction else None

    @property
    def happened(self) -> int:
        """How often it has come true."""
        return self.happening.count

    def wait(self) -> None:
        """Wait until it has come true once."""
        self.happening.wait()


class TcpProxy:
    """Passes connections on to a server on this machine and keeps them in `connections`, in the order they came in.

    with TcpProxy(server_port) as proxy:
        fault = proxy.fault("stall", at=100_000, direction="up")
        ...  # talk to proxy.port
        assert fault.happened
    """

    def __init__(self, target_port: int) -> None:
        self.connections: list[Connection] = []
        self.target_port = target_port
        self._faults: list[TcpFault] = []
        self._open: set[asyncio.StreamWriter] = set()
        self._server = BackgroundServer(self._serve)
        self.port = self._server.port

    @property
    def open_connections(self) -> int:
        """How many connections there are now."""
        return len(self._open)

    def fault(
        self,
        kind: str,
        *,
        nth: int = 1,
        times: int | None = 1,
        direction: str = "down",
        at: int | None = None,
        rate: float = 0,
    ) -> TcpFault:
        """Make something go wrong with the `nth` connection from now on.

        `kind` is one of `Wire` or `refuse`. `times` is for how many connections in a row, None for all that follow.
        `at` counts bytes in `direction`; without it, `cut`, `reset` and `stall` come before the first byte.
        """
        wire = None if kind == REFUSE else WireFault(kind=Wire(kind), at=at, rate=rate)
        fault = TcpFault(
            name=kind,
            turns=Turns(nth=nth, times=times),
            direction=Direction(direction),
            wire=wire,
            happening=wire.happening if wire else Happening(),
        )
        self._faults.append(fault)
        return fault

    def heal(self) -> None:
        """Forget all faults; those that are happening go on."""
        self._faults.clear()

    def break_all(self) -> None:
        """Reset all connections that there are now."""
        self._server.run(self._reset_all())

    def close(self) -> None:
        self._server.close()

    def __enter__(self) -> TcpProxy:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    async def _reset_all(self) -> None:
        for writer in self._open:
            reset(writer)

    async def _serve(self, client: asyncio.StreamReader, to_client: asyncio.StreamWriter) -> None:
        connection = Connection(number=len(self.connections) + 1)
        self.connections.append(connection)
        fault = next((fault for fault in [*self._faults] if fault.turns.come()), None)
        to_server: asyncio.StreamWriter | None = None
        unbuffered(to_client)
        self._open.add(to_client)
        try:
            if fault is not None:
                connection.fault = fault.name
                if fault.wire is None:
                    fault.happening.count += 1
                    raise Broken(reset=True)
            server, to_server = await asyncio.open_connection(HOST, self.target_port)
            unbuffered(to_server)
            await _pass_on(connection, fault, (client, to_client), (server, to_server))
        except Broken as broken:
            if broken.reset:
                reset(to_client)
        except OSError:
            pass  # a side went away: so does the other
        except asyncio.CancelledError:
            to_client.transport.abort()
        finally:
            self._open.discard(to_client)
            if to_server is not None:
                to_server.close()
            to_client.close()


Side = tuple[asyncio.StreamReader, asyncio.StreamWriter]


async def _pass_on(connection: Connection, fault: TcpFault | None, client: Side, server: Side) -> None:
    def count_up(passed: int) -> None:
        connection.bytes_up += passed

    def count_down(passed: int) -> None:
        connection.bytes_down += passed

    pumps = []
    for direction, source, target, tell in (
        (Direction.UP, client[0], server[1], count_up),
        (Direction.DOWN, server[0], client[1], count_down),
    ):
        wire = fault.on_the_way(direction) if fault is not None else None
        valve = Valve(writer=target, client_is_gone=lambda: is_gone(*client), tell=tell, fault=wire)
        pumps.append(asyncio.create_task(_pump(source, valve)))
    try:
        await asyncio.gather(*pumps)
    finally:
        for pump in pumps:
            pump.cancel()
        await asyncio.gather(*pumps, return_exceptions=True)


async def _pump(source: asyncio.StreamReader, valve: Valve) -> None:
    await valve.begin()
    while data := await source.read(_PIECE):
        await valve.send(data)
    valve.writer.write_eof()
