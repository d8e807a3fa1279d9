"""What a server's clock says now, from the dates in its answers."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from email.utils import parsedate_to_datetime


def boottime() -> float:
    """Seconds by a clock that goes on while the machine sleeps."""
    clock = getattr(time, "CLOCK_BOOTTIME", None)
    return time.monotonic() if clock is None else time.clock_gettime(clock)


class ServerClock:
    """Never later than the server's own clock, whatever this machine's says.

    A `Date` is cut to whole seconds and was written before the answer arrived, so what it promises is a least: the
    date plus the time since it came. Of several answers the one that promises most is right, until one shows that the
    server's clock was set back: its date then lies more than a second before what was promised when it was asked.

    >>> clock = ServerClock(tick=iter([5.0]).__next__)
    >>> clock.heard(2.0, 3.0, "Thu, 01 Jan 1970 00:01:40 GMT")
    >>> clock.now()
    102.0
    """

    def __init__(self, tick: Callable[[], float] = boottime) -> None:
        self._tick = tick
        self._ahead: float | None = None
        """Seconds by which the server's clock is ahead of `tick`, at least."""
        self._lock = threading.Lock()

    def heard(self, asked: float, answered: float, date: str | None) -> None:
        """An answer with this `Date` came; both times by `tick`. A date that is none tells nothing."""
        seconds = _seconds(date)
        if seconds is None:
            return
        with self._lock:
            promise = seconds - answered
            was_set_back = self._ahead is not None and asked + self._ahead > seconds + 1.0
            if self._ahead is None or was_set_back or promise > self._ahead:
                self._ahead = promise

    def ahead_of_wall(self) -> float | None:
        """Seconds by which it is ahead of this machine's own time, None while it has told none."""
        now = self.now()
        return None if now is None else now - time.time()

    def now(self) -> float | None:
        """The server's time in seconds since 1970, None while it has told none."""
        with self._lock:
            return None if self._ahead is None else self._tick() + self._ahead


def _seconds(date: str | None) -> float | None:
    try:
        return None if date is None else parsedate_to_datetime(date).timestamp()
    except (ValueError, OverflowError):
        return None
