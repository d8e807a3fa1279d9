"""What a fork waits for, so that a child finds no lock that only another thread of its parent would open.

A child has only the thread that forked. If another thread of its parent was importing a module just then, the child has
that module half made, and waits for ever for Python's lock on it. So what is imported at first use is imported by
`load_module`, or with `importing` held, and a fork waits until nobody holds that.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from functools import wraps
from importlib import import_module
from types import ModuleType
from typing import Final, ParamSpec, TypeVar

from datatool import _hold_over_forks, _importing

P = ParamSpec("P")
T = TypeVar("T")

importing: Final = _importing
"""Made by the package itself, as it is needed before any of its modules is loaded."""


def load_module(name: str) -> ModuleType:
    """A module, imported now if it is not yet. Raises ImportError.

    >>> load_module("datatool.errors").UsageError.__name__
    'UsageError'
    """
    with importing:
        return import_module(name)


def wait_before_forks(lock: threading.Lock) -> threading.Lock:
    """Have forks wait until nobody holds a lock, which is never held for long; gives the lock."""
    _hold_over_forks(lock.acquire, lock.release)
    return lock


class Unforked:
    """Calls of a C library that has locks of its own, which a child would find held. Any number of threads may be in
    such calls at once; a fork waits for a moment in which none is."""

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._changed = threading.Condition(self._lock)
        self._inside = 0
        _hold_over_forks(self._wait, self._changed.release)

    def __call__(self, function: Callable[P, T]) -> Callable[P, T]:
        """The function, each call of which is such a call."""

        @wraps(function)
        def called(*arguments: P.args, **named: P.kwargs) -> T:
            with self:
                return function(*arguments, **named)

        return called

    def __enter__(self) -> None:
        with self._lock:
            self._inside += 1

    def __exit__(self, *_: object) -> None:
        with self._lock:
            self._inside -= 1
            if not self._inside:
                self._changed.notify_all()

    def _wait(self) -> None:
        self._changed.acquire()
        self._changed.wait_for(lambda: not self._inside)
