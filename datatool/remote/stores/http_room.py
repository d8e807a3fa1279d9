"""How much may be in memory at once."""

from __future__ import annotations

import asyncio
import threading


class Room:
    """Lets answers into memory in their order, while `most` bytes hold them; one that is larger gets in alone.

    In order, so that the one that is waited for is never kept out by those behind it.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._held = 0
        self._next = 0
        self._changed = asyncio.Condition()

    async def enter(self, number: int, size: int) -> None:
        """Wait until number `number`, of `size` bytes, may come in."""
        async with self._changed:
            await self._changed.wait_for(
                lambda: self._next == number and (not self._held or self._held + size <= self._most)
            )
            self._next += 1
            self._held += size
            self._changed.notify_all()

    async def leave(self, size: int) -> None:
        """These bytes were handed on."""
        async with self._changed:
            self._held -= size
            self._changed.notify_all()


class Slots:
    """A number of places that nobody waits for: who finds too few does without."""

    def __init__(self, count: int) -> None:
        self._free = count
        self._lock = threading.Lock()

    def take(self, most: int, *, least: int = 1) -> int:
        """How many were taken: up to `most`, and none where there are fewer than `least`."""
        with self._lock:
            taken = min(most, self._free)
            if taken < least:
                return 0
            self._free -= taken
            return taken

    def give_back(self, count: int) -> None:
        """So many are free again."""
        with self._lock:
            self._free += count
