"""One transfer of many requests: coroutines in the event loop's thread, and the caller's thread that waits for them.

`advance` may wait, to slow a transfer down, and must not hold up other transfers: so it is called in the thread that
asked for this one. Connections stop while it is behind; how far they may get ahead depends on how long it takes.

    with Transfer(loop, advance) as transfer:
        transfer.begin(send(part))                    # as often as wanted; send() awaits transfer.moved(…)
        transfer.wait(lambda: not transfer.running)   # raises what went wrong in one of them
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Coroutine
from functools import partial
from types import TracebackType
from typing import Any, Final, TypeVar

from datatool.progress import Spared
from datatool.remote.stores.pace import Pace
from datatool.store.protocol import Advance

T = TypeVar("T")

_FAR: Final = 32 << 20
_NEAR: Final = 256 << 10
"""Where `advance` waits: so that a slow rate does not become a burst and a long silence."""
_WAITS: Final = 0.05


class Transfer:
    """See the module. Leaving its `with` cancels what still runs, and waits until it has let go of everything."""

    def __init__(
        self, loop: asyncio.AbstractEventLoop, advance: Advance | None, news: threading.Condition | None = None
    ) -> None:
        """`news` may be shared with what else the caller waits for."""
        self._loop = loop
        self._advance = advance
        self._news = threading.Condition() if news is None else news
        self._running = 0
        self._failure: BaseException | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._pending = 0
        self._spared = 0
        self._ahead = _FAR
        self._room = asyncio.Event()

    def __enter__(self) -> Transfer:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._loop.call_soon_threadsafe(self._cancel)
        with self._news:
            while self._running:
                self._news.wait(1)

    # In the caller's thread

    @property
    def running(self) -> int:
        """How many of the coroutines have not ended."""
        return self._running

    def begin(self, work: Coroutine[Any, Any, None], ended: Callable[[], None] | None = None) -> None:
        """Run a coroutine beside the others; `ended` is called when it is over, however it ends."""
        with self._news:
            self._running += 1
        self._loop.call_soon_threadsafe(self._start, work, ended)

    def wait(self, until: Callable[[], bool]) -> None:
        """Wait until this holds (it is not asked again then), and report meanwhile. Raises what went wrong in a
        coroutine."""
        while True:
            self.report()
            with self._news:
                if until():
                    return
                if not (self._pending or self._failure):
                    self._news.wait(1)  # a second at most, so that Ctrl-C is heard on every system

    def report(self) -> None:
        """Tell `advance` what was moved since the last time. Raises what went wrong in a coroutine."""
        if self._failure is not None:
            raise self._failure
        with self._news:
            count, spared, self._spared = self._pending, self._spared, 0
        if count and self._advance is not None:
            began = time.monotonic()
            if spared:
                self._advance(Spared(spared))
            if count > spared:
                self._advance(count - spared)
            self._ahead = _NEAR if time.monotonic() - began > _WAITS else _FAR
        if count:
            with self._news:
                self._pending -= count
            self._loop.call_soon_threadsafe(self._room.set)

    # In the loop's thread

    async def moved(self, count: int, pace: Pace | None = None, *, spared: bool = False) -> None:
        """So many bytes were moved, or were there already (`spared`); returns when more may be. `pace` does not count
        meanwhile."""
        with self._news:
            self._pending += count
            self._spared += count if spared else 0
            self._news.notify_all()
        if self._advance is None or self._pending <= self._ahead:
            return
        if pace is not None:
            pace.pause()
        while self._pending > self._ahead:
            self._room.clear()
            await self._room.wait()
        if pace is not None:
            pace.restart()

    def nudge(self) -> None:
        """Something else has changed: who waits looks again."""
        with self._news:
            self._news.notify_all()

    def _start(self, work: Coroutine[Any, Any, None], ended: Callable[[], None] | None) -> None:
        task = self._loop.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(partial(self._ended, ended))

    def _ended(self, ended: Callable[[], None] | None, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if ended is not None:
            ended()
        failure = None if task.cancelled() else task.exception()  # asked of each: asyncio prints what nobody asked for
        with self._news:
            self._running -= 1
            self._failure = self._failure or failure
            self._news.notify_all()

    def _cancel(self) -> None:
        for task in self._tasks:
            task.cancel()


async def in_thread(work: Callable[[], T]) -> T:
    """Do what may wait for the disk in another thread. Where this is cancelled it ends only with that thread's work:
    a file may be closed, and its number be another file's, as soon as nothing runs any more."""
    doing = asyncio.get_running_loop().run_in_executor(None, work)
    try:
        return await asyncio.shield(doing)
    except asyncio.CancelledError:
        await asyncio.wait([doing])
        raise
