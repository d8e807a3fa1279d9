"""Running coroutines on fsspec's event loop from ordinary threads, in a way that Ctrl-C ends."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from concurrent.futures import Future, wait
from typing import Any, TypeVar

from fsspec.asyn import get_loop

from datatool.interruption import check

T = TypeVar("T")

_LOOK = 1.0
"""Seconds between two looks at signals: where a plain wait can't be interrupted (Windows), this one can."""


class EventLoop:
    """The one loop of this process, which fsspec runs in a thread of its own.

    >>> async def answer() -> int:
    ...     return 42
    >>> EventLoop().run(answer())
    42
    """

    def __init__(self) -> None:
        self.loop: asyncio.AbstractEventLoop = get_loop()

    def start(self, work: Coroutine[Any, Any, T]) -> Future[T]:
        """Begin; `result` waits for it."""
        return asyncio.run_coroutine_threadsafe(work, self.loop)

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """What the coroutine returns."""
        return result(self.start(work))


class Underway:
    """What several threads have under way on a loop, so that another one can end all of it."""

    def __init__(self, loop: EventLoop) -> None:
        self._loop = loop
        self._running: set[Future[Any]] = set()

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """What the coroutine returns. Raises CancelledError if it was ended."""
        future = self._loop.start(work)
        self._running.add(future)
        try:
            return result(future)
        finally:
            self._running.discard(future)

    def stop(self) -> None:
        """End what is under way now."""
        for future in tuple(self._running):
            future.cancel()


def result(future: Future[T]) -> T:
    """Wait for what was started; whatever interrupts the wait ends the work too."""
    try:
        while not future.done():
            wait((future,), timeout=_LOOK)
            check()
    except BaseException:
        future.cancel()
        raise
    return future.result()
