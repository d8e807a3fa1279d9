"""How one kind of value is kept in one format: three functions."""

from __future__ import annotations

from collections.abc import Callable
from typing import BinaryIO

from msgspec import Struct


class CannotHold(Exception):
    """The format would give back something else. The text says why, as the rest of a sentence, and what to do."""

    def __init__(self, reason: str, hint: str | None = None) -> None:
        super().__init__(reason)
        self.hint = hint


class Codec(Struct, frozen=True, kw_only=True):
    """`check` raises CannotHold for a value that would not come back equal; `write` takes what passed it and leaves it
    as it is; `read` makes a new value, and raises whatever its library does for bytes that are none."""

    check: Callable[[object], None]
    write: Callable[[object, BinaryIO], None]
    read: Callable[[BinaryIO], object]
