"""Noticing a transfer that has stopped, or as good as stopped.

async with Pace(20) as pace:            # TimeoutError unless it ends, or
    while piece := await read():        # goes on moving a kilobyte a second
        pace.moved(len(piece))
"""

from __future__ import annotations

import asyncio
from types import TracebackType
from typing import Final

LEAST: Final = 1000
"""Bytes per second below which a transfer counts as stopped: nothing that is worth waiting for is slower."""


class Pace:
    """Ends what runs inside it with TimeoutError when it moves less than `LEAST` bytes a second for `seconds`."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._quota = LEAST * seconds
        self._owed = self._quota
        self._limit = asyncio.timeout(seconds)
        self._over = False

    async def __aenter__(self) -> Pace:
        await self._limit.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over = True
        await self._limit.__aexit__(kind, error, trace)

    def moved(self, count: int) -> None:
        """So many bytes have moved."""
        self._owed -= count
        if self._owed <= 0:
            self.restart()

    def restart(self) -> None:
        """Count from now on: something happened that shows the other side to be alive."""
        self._owed = self._quota
        self._set(asyncio.get_running_loop().time() + self._seconds)

    def pause(self) -> None:
        """Don't count until `restart`: it is this side that waits."""
        self._set(None)

    def _set(self, when: float | None) -> None:
        # Another task may still be writing when the answer is there already, or when time has run out.
        if not self._over and not self._limit.expired():
            self._limit.reschedule(when)
