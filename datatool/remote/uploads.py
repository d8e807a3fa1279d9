"""Several uploads at once, with a limit on how many and on how much memory they hold."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import suppress
from typing import Any, TypeVar

T = TypeVar("T")


class Uploads:
    """Runs `send` functions in threads; `submit` waits while too much is in flight.

    What follows a finished upload (`done`) runs in the thread that calls `submit`, `collect` or `drain`, so it
    needs no lock. The first error of a `send` is raised there too.
    """

    def __init__(self, jobs: int, max_bytes: int) -> None:
        self._jobs = max(1, jobs)
        self._max_bytes = max_bytes
        self._pool = ThreadPoolExecutor(max_workers=self._jobs, thread_name_prefix="upload")
        self._running: dict[Future[Any], tuple[int, Callable[[Any], None]]] = {}
        self._held = 0

    def submit(self, cost: int, send: Callable[[], T], done: Callable[[T], None]) -> None:
        """Start an upload that holds `cost` bytes of memory; `done` gets what `send` returned."""
        while self._running and (len(self._running) >= self._jobs or self._held + cost > self._max_bytes):
            self._wait()
        self.collect()
        future = self._pool.submit(send)
        self._running[future] = (cost, done)
        self._held += cost

    def collect(self) -> None:
        """Take note of what has finished, without waiting."""
        for future in [future for future in self._running if future.done()]:
            self._take(future)

    def drain(self) -> None:
        """Wait until everything has finished."""
        while self._running:
            self._wait()

    def abandon(self) -> None:
        """Start nothing more, wait for what is under way, and take note of what succeeded."""
        self._pool.shutdown(wait=True, cancel_futures=True)
        for future in list(self._running):
            with suppress(BaseException):
                self._take(future)

    def close(self) -> None:
        """End the threads."""
        self._pool.shutdown(wait=True, cancel_futures=True)

    def _wait(self) -> None:
        finished, _ = wait(self._running, return_when=FIRST_COMPLETED)
        for future in finished:
            self._take(future)

    def _take(self, future: Future[Any]) -> None:
        cost, done = self._running.pop(future)
        self._held -= cost
        done(future.result())
