"""datatool without long waits, in the process of a test: as `hurried` is in a process of its own."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from datatool.store.retry import Retries
from network.hurried import PATIENCE, USUAL, lowered


def hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    """No long waits between attempts, and small parts: the same code, for data that moves in a blink."""
    monkeypatch.setattr("datatool.remote.format_file.RemoteFormat", USUAL)
    for name, value in lowered().items():
        monkeypatch.setattr(name, value)
    _try(monkeypatch, PATIENCE)


@contextmanager
def hopeless(*, really: bool = True) -> Iterator[None]:
    """For faults that last: it is tried again once, because the third try would only wait as long as the second."""
    with pytest.MonkeyPatch.context() as monkeypatch:
        if really:
            _try(monkeypatch, {**PATIENCE, "tries": 2})
        yield


def _try(monkeypatch: pytest.MonkeyPatch, patience: dict[str, float]) -> None:
    for name, value in patience.items():
        monkeypatch.setattr(Retries, name, value)
