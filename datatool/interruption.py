"""Ctrl-C and SIGTERM: exceptions that unwind the command, and a note of them that nothing can swallow.

An exception that a signal handler raises comes up wherever the main thread happens to be. In a finalizer or a callback
of the interpreter it is printed and forgotten; in the `with` of a lock or a pool, another error of the clean-up can
take its place. So the handlers also note that they were called: long waits look at the note, and so does whoever turns
the outcome into an exit code. In a program that runs datatool as a library there are no handlers of ours, and nothing
is noted.
"""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Iterator

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import FrameType


class Terminated(BaseException):
    """SIGTERM arrived. Not an `Exception`, like KeyboardInterrupt, so that only clean-up code sees it pass."""


_noted: list[type[BaseException]] = []


def noted() -> BaseException | None:
    """The exception of the first signal that arrived since `raised_by_signals` began; None if none did."""
    return _noted[0]() if _noted else None


def check() -> None:
    """Raise the exception of a signal that arrived, should the first one have been swallowed."""
    if _noted:
        raise _noted[0]()


@contextlib.contextmanager
def raised_by_signals() -> Iterator[None]:
    """Let SIGTERM unwind like Ctrl-C, so that temporary files go; a second one ends the process at once.

    A Ctrl-C that the process was started to ignore (`nohup`, a shell's background job) stays ignored.
    """
    if threading.current_thread() is not threading.main_thread():
        yield  # only the main thread may set handlers; a program that runs us in another has its own
        return
    _noted.clear()
    before = {signal.SIGTERM: signal.signal(signal.SIGTERM, _terminated)}
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        before[signal.SIGINT] = signal.signal(signal.SIGINT, _interrupted)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextlib.contextmanager
def deferred() -> Iterator[list[int]]:
    """Let a signal that arrives in the block be felt at its end: what is begun in it is known to whoever has to end it.
    Gives the signals that arrived so far; a block that is past the point where they mean anything may clear it.

    For starting a program, which inherits no handler of ours, as it would a blocked signal.
    """
    arrived: list[int] = []
    if threading.current_thread() is not threading.main_thread():
        yield arrived
        return
    before = {
        number: signal.signal(number, lambda number, frame: arrived.append(number))
        for number in (signal.SIGINT, signal.SIGTERM)
        if callable(signal.getsignal(number))
    }
    try:
        yield arrived
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        for late in arrived:
            signal.raise_signal(late)


def _terminated(number: int, frame: FrameType | None) -> None:
    _noted.append(Terminated)
    signal.signal(number, signal.SIG_DFL)
    raise Terminated


def _interrupted(number: int, frame: FrameType | None) -> None:
    _noted.append(KeyboardInterrupt)
    raise KeyboardInterrupt
