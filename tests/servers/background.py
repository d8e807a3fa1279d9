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
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="test proxy", daemon=True)
        self._thread.start()
        self._server = self.run(asyncio.start_server(serve, HOST, 0, limit=limit, backlog=512))
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

    async def _end(self) -> None:
        self._server.close()
        while connections := asyncio.all_tasks() - {asyncio.current_task()}:  # one just accepted begins meanwhile
            for task in connections:
                task.cancel()
            await asyncio.gather(*connections, return_exceptions=True)
            await asyncio.sleep(0)
        await asyncio.sleep(0)  # lets the transports that were aborted close their sockets
