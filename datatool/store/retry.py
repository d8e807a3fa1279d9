"""Trying again what may work at the next try, and only that."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from typing import TypeVar

from msgspec import Struct

from datatool.errors import RemoteBusy

T = TypeVar("T")


class Stalled(RemoteBusy):
    """Nothing has moved for as long as is waited for it."""


class Retries(Struct, frozen=True, kw_only=True):
    """How patient to be: at most `tries` attempts, and no new one later than `patience` seconds after the first.

    Between two attempts lies a random time up to `base` seconds, doubled with each failure ("full jitter": many
    clients that failed together come back apart), or what the server asked for, up to `longest`.

    >>> def flaky(answers=iter([RemoteBusy("busy"), "done"])):
    ...     answer = next(answers)
    ...     if isinstance(answer, Exception):
    ...         raise answer
    ...     return answer
    >>> Retries(sleep=lambda seconds: None).call(flaky)
    'done'
    """

    tries: int = 5
    base: float = 0.25
    longest: float = 15.0
    patience: float = 20.0
    """Who cannot be reached is told within 30 seconds (cli.md), of which one attempt to connect may take 10."""
    stalls: int | None = None
    """How many times in a row nothing may move; None for no such limit."""
    sleep: Callable[[float], None] = time.sleep
    clock: Callable[[], float] = time.monotonic
    pick: Callable[[float, float], float] = random.uniform

    def call(self, attempt: Callable[[], T]) -> T:
        """What `attempt` returns; the last RemoteBusy where every attempt fails. Other errors pass at once."""
        failures = Failures(self)
        while True:
            try:
                return attempt()
            except RemoteBusy as error:
                wait = failures.wait_after(error)
                if wait is None:
                    raise
                self.sleep(wait)

    def wait(self, failures: int, asked: float | None) -> float:
        """Seconds to wait after so many failures; `asked` is what the server wants."""
        if asked is not None:
            return min(max(asked, 0.0), self.longest)
        return self.pick(0.0, min(self.base * 2**failures, self.longest))


class Failures:
    """The attempts that failed so far, of a request that is made again by `retries`."""

    def __init__(self, retries: Retries) -> None:
        self._retries = retries
        self._started = retries.clock()
        self._count = 0
        self._stalls = 0

    def wait_after(self, error: RemoteBusy) -> float | None:
        """Another attempt failed so: how long to wait before the next one; None where that was the last."""
        retries = self._retries
        self._count += 1
        self._stalls = self._stalls + 1 if isinstance(error, Stalled) else 0
        wait = retries.wait(self._count, error.retry_after)
        enough = self._count >= retries.tries or self._stalls == retries.stalls
        return None if enough or retries.clock() - self._started + wait > retries.patience else wait
