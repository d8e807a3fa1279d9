"""Whether stages are only looked at in this process, so that a call of one is no request to run it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

_lookers: Final[list[None]] = []


class StageCalled(BaseException):
    """A module that is only looked at calls a stage while it is imported; no `except Exception` of its keeps that."""


@contextmanager
def looking() -> Iterator[None]:
    """Only look at stages; whoever calls one gets StageCalled."""
    _lookers.append(None)
    try:
        yield
    finally:
        _lookers.pop()


def is_looking() -> bool:
    """Whether stages are only looked at: what is tracked meanwhile is used as it is."""
    return bool(_lookers)


def refuse_while_looking() -> None:
    """What a stage does before anything else when it is called. Raises StageCalled while stages are only looked at."""
    if _lookers:
        raise StageCalled
