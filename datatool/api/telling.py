"""What `track()` says while a program runs: to its log, or in one line on standard error where it has none."""

from __future__ import annotations

import logging
import sys
from contextlib import suppress
from typing import Final

from datatool.progress import Silent

logger: Final = logging.getLogger("datatool")


class _Quiet(logging.NullHandler):
    """Keeps Python from showing warnings by itself in a program that configured no logging; one that a program adds
    says more: that it wants to hear nothing."""


logger.addHandler(_Quiet())


def say(message: str, *, level: int = logging.INFO) -> None:
    """Say one line. Nothing of how the program logs is touched, so that it may configure that later."""
    if is_configured():
        logger.log(level, "%s", message)
    elif not _is_silenced(level):
        _write(message)


def _write(message: str) -> None:
    """Write a line to whatever standard error is now: notebooks and tests put another one in its place."""
    stream = sys.stderr
    if stream is not None:
        with suppress(OSError, ValueError):  # nobody reads it
            stream.write(f"datatool: {message}\n")
            stream.flush()


def warn(message: str, *, hint: str | None = None) -> None:
    """Say what somebody should know though the work goes on."""
    say(f"{message} ({hint})" if hint else message, level=logging.WARNING)


class Told(Silent):
    """What an operation reports meanwhile; only its warnings are worth a line."""

    def warn(self, message: str, *, hint: str | None = None) -> None:
        """A warning."""
        warn(message, hint=hint)

    def hint(self, message: str) -> None:
        """Useful, and no problem: for the log only."""
        logger.info("%s", message)


def is_configured() -> bool:
    """Whether the program has said where its log goes, be it nowhere."""
    at: logging.Logger | None = logger
    while at is not None:
        if any(not isinstance(handler, _Quiet) for handler in at.handlers):
            return True
        at = at.parent if at.propagate else None
    return False


def _is_silenced(level: int) -> bool:
    """Whether the program has said that it does not want to hear so little, here or for all of its log. That the whole
    log begins at WARNING is no word of the program's, but where Python begins."""
    of_all = logger.root.level if logger.root.level > logging.WARNING else logging.NOTSET
    return logger.disabled or level <= logger.manager.disable or level < (logger.level or of_all)
