"""The clock of an SFTP server, by the dates of files that were just written there."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Final

from datatool.remote.stores.server_clock import boottime

_LASTS: Final = 300.0
_DRIFT: Final = 0.001
"""How much two clocks may differ in their speed, generously."""


class ServerClock:
    """What time it is at the server, at least: never later, though up to a second earlier, as its dates are whole
    seconds.

    >>> clock = ServerClock(clock=iter([10.0, 40.0]).__next__)
    >>> clock.saw(1000)
    >>> clock.now()
    1029.97
    """

    def __init__(self, *, clock: Callable[[], float] = boottime) -> None:
        """`clock` runs during sleep."""
        self._clock = clock
        self._lock = threading.Lock()
        self._date = 0.0
        self._at = 0.0
        self._known = False

    def saw(self, date: float | None) -> None:
        """A file that was written a moment ago, and whose attributes just arrived, has this date."""
        if date is None:
            return
        now = self._clock()
        with self._lock:
            before = self._guess(now)
            if before is None or date > before:
                self._date, self._at, self._known = float(date), now, True

    def now(self) -> float | None:
        """The time; None if nothing was seen lately."""
        now = self._clock()
        with self._lock:
            return self._guess(now)

    def _guess(self, now: float) -> float | None:
        passed = now - self._at
        if not self._known or not 0 <= passed <= _LASTS:
            return None
        return self._date + passed * (1 - _DRIFT)
