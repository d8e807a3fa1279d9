"""The payload that a store may hold at once, shared by everything that it does.

Bytes are *under way* while a request carries them, and *parked* when they have arrived and wait for whoever asked.
Nobody can wait for parked bytes: the one who is to take them may be the one who waits. So a taker waits only while
others are under way, and one item goes ahead when nothing is.
"""

from __future__ import annotations

import threading


class Budget:
    """Counts bytes against `total`.

    >>> budget = Budget(100)
    >>> budget.take(80)
    >>> budget.try_take(30)
    False
    >>> budget.give(80)
    >>> budget.try_take(30)
    True
    """

    def __init__(self, total: int) -> None:
        self._total = total
        self._under_way = 0
        self._parked = 0
        self.changed = threading.Condition()
        """Notified when there is more room; those who wait for other things as well may share it."""

    def take(self, size: int) -> None:
        """Have `size` bytes under way; waits for room while others are under way."""
        with self.changed:
            while not self.try_take(size, first=True):
                self.changed.wait(1)  # a second at most, so that Ctrl-C is heard on every system

    def try_take(self, size: int, *, first: bool = False) -> bool:
        """Have `size` bytes under way if there is room now, or, with `first`, if nothing else is under way."""
        with self.changed:
            fits = self._under_way + self._parked + size <= self._total or (first and not self._under_way)
            if fits:
                self._under_way += size
            return fits

    def park(self, size: int) -> None:
        """Bytes that were under way have arrived, and wait to be taken."""
        with self.changed:
            self._under_way -= size
            self._parked += size
            self.changed.notify_all()

    def give(self, size: int, *, parked: bool = False) -> None:
        """Bytes are let go of, from under way or from where they were parked."""
        with self.changed:
            if parked:
                self._parked -= size
            else:
                self._under_way -= size
            self.changed.notify_all()
