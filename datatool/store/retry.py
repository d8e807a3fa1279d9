"""Trying again what may work at the next try, and only that."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from typing import TypeVar

from msgspec import Struct

from datatool.errors import RemoteBusy

T = TypeVar("T")


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
    sleep: Callable[[float], None] = time.sleep
    clock: Callable[[], float] = time.monotonic
    pick: Callable[[float, float], float] = random.uniform

    def call(self, attempt: Callable[[], T]) -> T:
        """What `attempt` returns; the last RemoteBusy where every attempt fails. Other errors pass at once."""
        started = self.clock()
        for number in range(1, self.tries + 1):
            try:
                return attempt()
            except RemoteBusy as error:
                wait = self.wait(number, error.retry_after)
                if number == self.tries or self.clock() - started + wait > self.patience:
                    raise
                self.sleep(wait)
        raise AssertionError("no attempt was made")

    def wait(self, failures: int, asked: float | None) -> float:
        """Seconds to wait after so many failures; `asked` is what the server wants."""
        if asked is not None:
            return min(max(asked, 0.0), self.longest)
        return self.pick(0.0, min(self.base * 2**failures, self.longest))
