"""Progress for people: bars on a terminal, a line now and then in a log, nothing where nobody looks."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from enum import Enum
from importlib import import_module
from typing import Protocol, TextIO

from datatool.cli.screen import coloured, several_lines
from datatool.model.figures import human_size
from datatool.model.paths import show
from datatool.progress import Spared

DELAY = 0.5
"""Seconds that work takes before it is worth a bar."""

REDRAW = 0.1
"""Seconds between two pictures of the bars."""

INTERVAL = 10.0
"""Seconds between two lines in a log."""

_WINDOW = 100
"""Samples that the rate is averaged over: 10 s of bars."""


class Mode(Enum):
    """How progress is shown."""

    NONE = "none"
    LINES = "lines"
    BARS = "bars"


class Running:
    """One piece of work under way, as the reporter sees it; also the task that the work reports to."""

    def __init__(
        self, title: str, total_bytes: int | None, total_files: int | None, clock: Callable[[], float]
    ) -> None:
        self.title = show(title)
        self.total_bytes = total_bytes
        self.total_files = total_files
        self.bytes = 0
        self.files = 0
        self._moved = 0
        """Bytes but those that were spared: what the rate is of."""
        self._clock = clock
        self._lock = threading.Lock()
        self._samples: deque[tuple[float, int, int]] = deque([(clock(), 0, 0)], maxlen=_WINDOW)

    def advance(self, *, bytes: int = 0, files: int = 0) -> None:
        """Say that this much more is finished; any thread may."""
        with self._lock:
            self.bytes += bytes
            self._moved += 0 if isinstance(bytes, Spared) else bytes
            self.files += files

    def sample(self) -> None:
        """Take note of how far it is, for the rate."""
        self._samples.append((self._clock(), self._moved, self.files))

    @property
    def fraction(self) -> float | None:
        """How much is done, 0 to 1, where the total is known."""
        done, total = (self.bytes, self.total_bytes) if self.total_bytes else (self.files, self.total_files)
        return min(1.0, done / total) if total else None

    def figures(self) -> tuple[str, str, str, str]:
        """Bytes, files, rate and time left, each empty where there is nothing to say."""
        (then, old_bytes, old_files), (now, new_bytes, new_files) = self._samples[0], self._samples[-1]
        seconds = now - then
        rate = (new_bytes - old_bytes) / seconds if seconds > 0 else 0.0
        files_rate = (new_files - old_files) / seconds if seconds > 0 else 0.0
        if self.total_bytes:
            left = (self.total_bytes - self.bytes) / rate if rate else None
        else:
            left = ((self.total_files or 0) - self.files) / files_rate if files_rate and self.total_files else None
        return (
            _of(self.bytes, self.total_bytes, human_size) if self.bytes or self.total_bytes else "",
            _of(self.files, self.total_files, "{:,}".format) + " files" if self.files or self.total_files else "",
            f"{human_size(int(rate))}/s" if rate else "",
            f"{_duration(left)} left" if left is not None and left >= 0 else "",
        )

    def line(self) -> str:
        """One line for a log."""
        return f"{self.title}: " + (", ".join(filter(None, self.figures())) or "working")


class Picture(Protocol):
    """The bars on a terminal."""

    def draw(self, tasks: Sequence[Running]) -> None:
        """Show these tasks now."""

    def print(self, text: str) -> None:
        """Put a line above the bars."""

    def close(self) -> None:
        """Take the bars off the screen."""


class Reporter:
    """Implements `datatool.progress.Progress` for the command line; close it before the result is printed."""

    def __init__(
        self,
        mode: Mode,
        stream: TextIO,
        *,
        hints: bool = True,
        colour: bool = False,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.mode = mode
        self._stream = stream
        self._hints = hints
        self._colour = colour
        self._clock = clock
        self._running: list[Running] = []
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._ticker: threading.Thread | None = None
        self._picture: Picture | None = None

    def task(self, title: str, *, bytes: int | None = None, files: int | None = None) -> _TaskContext:
        """Open a task; see `datatool.progress.Progress`."""
        return _TaskContext(self, Running(title, bytes, files, self._clock))

    def warn(self, message: str, *, hint: str | None = None) -> None:
        """Print `warning: …`, also with `-q`: it may be the only trace of something left out."""
        self.write("warning", message, "yellow")
        if hint:
            self.hint(hint)

    def hint(self, message: str) -> None:
        """Print `hint: …`, unless `-q`."""
        if self._hints:
            self.write("hint", message, "cyan")

    def running(self, message: str) -> None:
        """Print `running: …`, unless `-q`."""
        if self._hints:
            self.write("running", message, "cyan")

    def write(self, label: str, message: str, colour: str) -> None:
        """Print a labelled line on stderr, above the bars where there are any; only a hint may have more lines."""
        shown = several_lines(message) if label == "hint" else show(message)
        text = f"{coloured(label + ':', colour, wanted=self._colour)} {shown}"
        with self._lock:
            if self._picture:
                self._picture.print(text)
            else:
                self._print(text)

    def close(self) -> None:
        """Stop showing anything."""
        self._stop.set()
        if self._ticker:
            self._ticker.join()
            self._ticker = None
        self._clear()

    def begin(self, running: Running) -> None:
        """Show a task from now on."""
        with self._lock:
            self._running.append(running)
        if self.mode is not Mode.NONE and self._ticker is None and not self._stop.is_set():
            self._ticker = threading.Thread(target=self._tick, name="progress", daemon=True)
            self._ticker.start()

    def end(self, running: Running) -> None:
        """Show a task no longer."""
        with self._lock:
            self._running.remove(running)

    def _tick(self) -> None:
        wait = DELAY if self.mode is Mode.BARS else INTERVAL
        while not self._stop.wait(wait):
            with self._lock:
                tasks = list(self._running)
            for task in tasks:
                task.sample()
            if self.mode is Mode.LINES:
                for task in tasks:
                    self._print(task.line())
                continue
            wait = REDRAW
            if tasks:
                self._draw(tasks)
            else:
                self._clear()

    def _draw(self, tasks: Sequence[Running]) -> None:
        if self._picture is None:
            # rich (60 ms) is worth loading only once there is something to look at, and never for a quick command.
            picture: Picture = import_module("datatool.cli.bars").Bars(self._stream)
            with self._lock:
                self._picture = picture
        with self._lock:
            self._picture.draw(tasks)

    def _clear(self) -> None:
        with self._lock:
            if self._picture:
                self._picture.close()
                self._picture = None

    def _print(self, text: str) -> None:
        try:
            self._stream.write(text + "\n")
            self._stream.flush()
        except OSError:
            self.mode = Mode.NONE  # nobody reads stderr any more: work on in silence


class _TaskContext:
    def __init__(self, reporter: Reporter, running: Running) -> None:
        self._reporter = reporter
        self._running = running

    def __enter__(self) -> Running:
        self._reporter.begin(self._running)
        return self._running

    def __exit__(self, *_: object) -> None:
        self._reporter.end(self._running)


def _of(done: int, total: int | None, spell: Callable[[int], str]) -> str:
    return f"{spell(done)} of {spell(total)}" if total else spell(done)


def _duration(seconds: float) -> str:
    whole = int(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02} min"
