"""What `track()` says while a program runs: to its log, or in one line on standard error where it has none."""

from __future__ import annotations

import logging
import sys
from typing import Final

from datatool.progress import Silent

logger: Final = logging.getLogger("datatool")


class _ToStandardError(logging.Handler):
    """Writes to whatever standard error is now: notebooks and tests put another one in its place."""

    def emit(self, record: logging.LogRecord) -> None:
        stream = sys.stderr
        if stream is not None:
            try:
                stream.write(f"datatool: {record.getMessage()}\n")
                stream.flush()
            except (OSError, ValueError):
                return  # nobody reads it


_standard_error: Final = _ToStandardError()


def say(message: str, *, level: int = logging.INFO) -> None:
    """Say one line. Nothing of how the program logs is touched, so that it may configure that later."""
    if is_configured():
        logger.log(level, "%s", message)
    else:
        _standard_error.handle(logger.makeRecord(logger.name, level, __file__, 0, message, (), None))


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
    """Whether the program has said where its log goes."""
    at: logging.Logger | None = logger
    while at is not None:
        if any(not isinstance(handler, logging.NullHandler) for handler in at.handlers):
            return True
        at = at.parent if at.propagate else None
    return False
