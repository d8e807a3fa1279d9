"""Calls that are made only when something takes long. One thread waits for all of them: to start one for each would
take longer than a short stage does."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from datatool.threads import started

Late = Callable[[], None]


@contextmanager
def when_late(seconds: float, call: Late) -> Iterator[None]:
    """Make a call, in a thread of its own, if the block takes longer than some seconds.

    >>> with when_late(1.0, lambda: print("still at it")):
    ...     pass
    """
    key = _watch.add(time.monotonic() + seconds, call)
    try:
        yield
    finally:
        _watch.remove(key)


class _Watch:
    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._due: dict[object, tuple[float, Late]] = {}
        self._wakes: float | None = None
        """When the thread looks next; None where there is no thread."""

    def add(self, at: float, call: Late) -> object:
        key = object()
        with self._changed:
            self._due[key] = at, call
            if self._wakes is None:
                thread = threading.Thread(target=self._wait, name="datatool-late", daemon=True)
                self._wakes = at if started(thread) else None
            elif at < self._wakes:
                self._changed.notify()
        return key

    def remove(self, key: object) -> None:
        with self._changed:
            self._due.pop(key, None)

    def forget(self) -> None:
        """Begin anew, in a forked child, which has none of its parent's threads."""
        self._changed = threading.Condition()
        self._due.clear()
        self._wakes = None

    def _wait(self) -> None:
        """Until nothing is to be waited for. What was removed meanwhile wakes nobody, so that quick blocks, one after
        the other, cost one thread in all that time."""
        with self._changed:
            while self._due:
                now = time.monotonic()
                for key in [key for key, (at, _) in self._due.items() if at <= now]:
                    started(threading.Thread(target=self._due.pop(key)[1], daemon=True))
                self._wakes = min((at for at, _ in self._due.values()), default=now)
                if self._due:
                    self._changed.wait(self._wakes - now)
            self._wakes = None


_watch = _Watch()

if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_watch.forget)
