"""What a command takes from the command line, declared beside each parameter of its function.

Only `parser` tells typer of it, and only where there is something to parse: loading typer is much of a short command.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


class BadValue(ValueError):
    """A value that an option can't have; the message says why."""


class Argument:
    """A word known by its place; `metavar` is its name in help and messages."""

    __slots__ = ("help", "metavar")

    def __init__(self, *, metavar: str, help: str) -> None:
        self.metavar = metavar
        self.help = help


class Option:
    """A word known by its flag. `check` returns the value to use or raises BadValue; `min` bounds a number."""

    __slots__ = ("check", "flags", "help", "metavar", "min")

    def __init__(
        self,
        *flags: str,
        help: str,
        metavar: str | None = None,
        check: Callable[[Any], Any] | None = None,
        min: int | None = None,
    ) -> None:
        self.flags = flags
        self.help = help
        self.metavar = metavar
        self.check = check
        self.min = min
