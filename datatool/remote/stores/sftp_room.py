"""How much may be under way at once: in one store, and in one transfer by how fast it goes."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Final

SMALLEST: Final = 32 << 10
"""Bytes of the smallest request: at 1.6 kB/s one is answered every 20 seconds, which is how a stall is told apart."""

_AHEAD: Final = 2.0
"""Seconds of transfer that are asked for ahead. More would keep others on the same connection waiting."""
_LEAST: Final = 4 * SMALLEST
_MOST: Final = 8 << 20
_MEMORY: Final = 4.0


class Room:
    """A number of bytes that all threads of a store share.

    Who takes room must not hold any while it waits, so that somebody can always go on: what is held already is
    extended with `try_take` only.
    """

    def __init__(self, size: int) -> None:
        self._size = size
        self._used = 0
        self._changed = threading.Condition()

    def take(self, count: int) -> None:
        """Wait until there is room; more than there is at all may be had by one at a time."""
        with self._changed:
            while self._used and self._used + count > self._size:
                self._changed.wait()
            self._used += count

    def try_take(self, count: int) -> bool:
        """Take room if there is some now."""
        with self._changed:
            if self._used and self._used + count > self._size:
                return False
            self._used += count
            return True

    def give(self, count: int) -> None:
        """Give back what was taken."""
        with self._changed:
            self._used -= count
            self._changed.notify_all()


class Pace:
    """How fast one transfer has been going lately, and so how much of it to have under way.

    >>> now = iter([0.0, 1.0])
    >>> pace = Pace(clock=lambda: next(now))
    >>> pace.moved(1_000_000)
    >>> pace.window
    2000000
    """

    def __init__(self, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._since = clock()
        self._count = 0.0
        self.window = _LEAST
        """Bytes to have under way."""

    def moved(self, count: int) -> None:
        """Take note of bytes that arrived."""
        now = self._clock()
        self._count += count
        passed = max(now - self._since, 0.001)
        self.window = int(min(max(self._count / passed * _AHEAD, _LEAST), _MOST))
        if passed > _MEMORY:  # half of the past is forgotten, so that the rate is that of the last seconds
            self._count /= 2
            self._since += passed / 2

    def request(self, largest: int) -> int:
        """Bytes to ask for in one request, of those a server takes at most `largest`."""
        return min(largest, max(SMALLEST, self.window // 16))
