"""What a fork waits for, so that a child finds no lock that only another thread of its parent would open.

A child has only the thread that forked. If another thread of its parent was importing a module just then, the child has
that module half made, and waits for ever for Python's lock on it. So what is imported at first use is imported by
`load_module`, or with `importing` held, and a fork waits until nobody holds that.
"""

from __future__ import annotations

import os
from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING, Final

from datatool import _importing

if TYPE_CHECKING:
    from threading import Lock

importing: Final = _importing
"""Made by the package itself, as it is needed before any of its modules is loaded."""


def load_module(name: str) -> ModuleType:
    """A module, imported now if it is not yet. Raises ImportError.

    >>> load_module("datatool.errors").UsageError.__name__
    'UsageError'
    """
    with importing:
        return import_module(name)


def wait_before_forks(lock: Lock) -> Lock:
    """Have forks wait until nobody holds a lock, which is never held for long; gives the lock."""
    if hasattr(os, "register_at_fork"):
        os.register_at_fork(before=lock.acquire, after_in_parent=lock.release, after_in_child=lock.release)
    return lock
