"""How long work reports on itself without knowing who listens."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Protocol


class Spared(int):
    """Bytes that are finished and were not moved, as an earlier attempt had moved them or they are there anyway: they
    count as done, cost nothing, and make nothing faster."""


class Task(Protocol):
    """One piece of work under way."""

    def advance(self, *, bytes: int = 0, files: int = 0) -> None:
        """Say that this much more is finished; `bytes` may be `Spared`."""


class Progress(Protocol):
    """Who listens: a terminal, a log, a test, or nobody (`SILENT`)."""

    def task(self, title: str, *, bytes: int | None = None, files: int | None = None) -> AbstractContextManager[Task]:
        """Open a task with known totals, where they are known; use it with `with`."""

    def warn(self, message: str, *, hint: str | None = None) -> None:
        """Tell something the user should know though the work goes on."""

    def hint(self, message: str) -> None:
        """Tell something useful that is no problem."""

    def running(self, message: str) -> None:
        """Tell that somebody else's program begins, which may print things of its own."""


def bytes_of(task: Task) -> Callable[[int], None]:
    """A function that tells a task of bytes."""

    def advance(count: int) -> None:
        task.advance(bytes=count)

    return advance


class _SilentTask:
    def advance(self, *, bytes: int = 0, files: int = 0) -> None:
        """Tell nobody."""


class Silent:
    """Listens to nothing."""

    @contextmanager
    def task(self, title: str, *, bytes: int | None = None, files: int | None = None) -> Iterator[Task]:
        """A task that nobody hears of."""
        yield _SilentTask()

    def warn(self, message: str, *, hint: str | None = None) -> None:
        """Tell nobody."""

    def hint(self, message: str) -> None:
        """Tell nobody."""

    def running(self, message: str) -> None:
        """Tell nobody."""


SILENT = Silent()
NOBODY: Task = _SilentTask()
"""A task that nobody hears of."""
