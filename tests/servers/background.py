"""A server in a thread, for proxies that run beside a test in its own process."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, TypeVar

from servers.ports import HOST

Result = TypeVar("Result")
Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


class BackgroundServer:
    """Calls `serve` for every connection, in an event loop of its own, until it is closed."""

    def __init__(self, serve: Serve, *, limit: int = 1 << 16) -> None:
        self._serve = serve
        self._connections: set[asyncio.Task[Any] | None] = set()  # the loop itself holds on to none of them
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="test proxy", daemon=True)
        self._thread.start()
        self._server = self.run(asyncio.start_server(self._connected, HOST, 0, limit=limit, backlog=512))
        self.port: int = self._server.sockets[0].getsockname()[1]

    def run(self, work: Coroutine[Any, Any, Result]) -> Result:
        """Run something beside the connections, from any thread but theirs."""
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(timeout=60)

    def close(self) -> None:
        """Refuse further connections and cancel those that there are."""
        if self._loop.is_closed():
            return
        self.run(self._end())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        self._connections.add(task)
        try:
            await self._serve(reader, writer)
        finally:
            self._connections.discard(task)

    async def _end(self) -> None:
        self._server.close()
        await _settled()  # a connection just accepted begins before it ends, or nobody would close its socket
        while connections := asyncio.all_tasks() - {asyncio.current_task()}:
            for task in connections:
                task.cancel()
            await asyncio.gather(*connections, return_exceptions=True)
            await _settled()


async def _settled() -> None:
    """Lets what is due happen, such as that transports which were aborted close their sockets."""
    for _ in range(8):
        await asyncio.sleep(0)
