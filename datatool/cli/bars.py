"""Progress bars drawn by rich; loaded by the reporter only when there is something to draw."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TextIO

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn
from rich.text import Text

from datatool.cli.reporter import Running


class Bars:
    """One line for each running task: title, bar, bytes, files, rate, time left."""

    def __init__(self, stream: TextIO) -> None:
        self._console = Console(file=stream, highlight=False)
        self._progress = Progress(
            TextColumn("{task.description}", markup=False),
            BarColumn(bar_width=24),
            TextColumn("{task.fields[figures]}", markup=False),
            console=self._console,
            auto_refresh=False,
            transient=True,
            redirect_stdout=False,
            redirect_stderr=False,
        )
        self._ids: dict[Running, TaskID] = {}
        self._progress.start()

    def draw(self, tasks: Sequence[Running]) -> None:
        """Show these tasks now."""
        for gone in [task for task in self._ids if task not in tasks]:
            self._progress.remove_task(self._ids.pop(gone))
        for task in tasks:
            fraction = task.fraction
            figures = "  ".join(filter(None, task.figures()))
            total = None if fraction is None else 1.0
            if task not in self._ids:
                self._ids[task] = self._progress.add_task(task.title, total=total, figures=figures)
            self._progress.update(self._ids[task], total=total, completed=fraction or 0.0, figures=figures)
        self._progress.refresh()

    def print(self, text: str) -> None:
        """Put a line above the bars."""
        self._console.print(Text.from_ansi(text), soft_wrap=True)

    def close(self) -> None:
        """Take the bars off the screen."""
        self._progress.stop()
