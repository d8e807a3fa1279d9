"""How far one transfer runs ahead of its answers, by how fast it has been going lately."""

from __future__ import annotations

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
_PARTS: Final = 8


class Lookahead:
    """Bytes to have under way: few where a connection is slow, so that one request never takes long.

    >>> now = iter([0.0, 1.0])
    >>> ahead = Lookahead(clock=lambda: next(now))
    >>> ahead.moved(1_000_000)
    >>> ahead.window
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

    def piece(self, largest: int) -> int:
        """Bytes to hand to another thread at once: where it goes fast, several requests of the `largest` size that the
        server takes, as each change of threads has its price."""
        size = max(SMALLEST, self.window // _PARTS)
        return size - size % largest if size > largest else size
