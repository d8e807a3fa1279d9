"""Opened projects and registries, kept for a moment, so that many files of one are read without opening it each time.

Each is used by one thread at a time. Nothing is kept across a fork: a child opens its own.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Final

from msgspec import Struct

from datatool.api.addresses import Address
from datatool.errors import DatatoolError
from datatool.operations.contents.open_content import Opened

KEPT: Final = 10.0
"""Seconds for which something opened is used again; also how long a branch of a registry elsewhere is taken to stand
still."""
IDLE: Final = 8
"""Of one address, so many are kept at most."""
_abandoned: list[object] = []
"""What was open when this process was forked off: to close it would disturb the parent, which still uses it."""


class _Kept(Struct, frozen=True):
    opened: Opened
    stack: ExitStack
    since: float


class Pool:
    """What `open_one(stack, address)` opened, by repository and revision."""

    def __init__(
        self, open_one: Callable[[ExitStack, Address], Opened], *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._open = open_one
        self._clock = clock
        self._start()

    def _start(self) -> None:
        self._idle: dict[tuple[object, ...], list[_Kept]] = {}
        self._lock = threading.Lock()
        self._pid = os.getpid()

    @contextmanager
    def use(self, key: tuple[object, ...], address: Address) -> Iterator[Opened]:
        """Something opened for an address, this thread's alone until the block ends. `key` is what it depends on."""
        kept = self._take(key) or self._new(address)
        try:
            yield kept.opened
        except DatatoolError:
            self._give_back(key, kept)
            raise
        except BaseException:
            kept.stack.close()
            raise
        self._give_back(key, kept)

    def clear(self) -> None:
        """Close what nobody uses."""
        self._leave_the_parents()
        with self._lock:
            idle, self._idle = self._idle, {}
        for group in idle.values():
            for kept in group:
                kept.stack.close()

    def _new(self, address: Address) -> _Kept:
        with ExitStack() as stack:
            opened = self._open(stack, address)
            return _Kept(opened, stack.pop_all(), self._clock())

    def _take(self, key: tuple[object, ...]) -> _Kept | None:
        self._leave_the_parents()
        while True:
            with self._lock:
                group = self._idle.get(key)
                kept = group.pop() if group else None
            if kept is None:
                return None
            if self._clock() - kept.since < KEPT and kept.opened.refresh():
                return kept
            kept.stack.close()

    def _give_back(self, key: tuple[object, ...], kept: _Kept) -> None:
        kept.opened.settle()
        with self._lock:
            group = self._idle.setdefault(key, [])
            if len(group) < IDLE:
                group.append(kept)
                return
        kept.stack.close()

    def _leave_the_parents(self) -> None:
        if self._pid != os.getpid():
            _abandoned.append(self._idle)
            self._start()
