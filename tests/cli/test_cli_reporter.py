"""Progress: bars on a terminal, lines in a log, silence elsewhere."""

from __future__ import annotations

import io
import subprocess
import sys
import threading

import pytest

from datatool.cli import reporter as module
from datatool.cli.bars import Bars
from datatool.cli.reporter import Mode, Reporter, Running
from datatool.progress import Progress, Spared


class Watched(io.StringIO):
    """A stream that tells when a text (any, by default) was written to it."""

    def __init__(self, awaited: str = "") -> None:
        super().__init__()
        self.awaited = awaited
        self.written = threading.Event()

    def write(self, text: str) -> int:
        if self.awaited in text:
            self.written.set()
        return super().write(text)


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def test_a_reporter_is_what_operations_expect() -> None:
    progress: Progress = Reporter(Mode.NONE, io.StringIO())
    with progress.task("work", bytes=10) as task:
        task.advance(bytes=10, files=1)


def test_a_log_gets_a_plain_line_now_and_then(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "INTERVAL", 0.001)
    stream = Watched(r"pushing \x1b: 1.0 MB of 2.0 MB, 1 of 4 files")
    reporter = Reporter(Mode.LINES, stream)
    with reporter.task("pushing \x1b", bytes=2_000_000, files=4) as task:
        task.advance(bytes=1_000_000, files=1)
        assert stream.written.wait(30)
    reporter.close()
    assert "\x1b" not in stream.getvalue()


def test_quick_work_in_a_log_says_nothing() -> None:
    stream = Watched()
    reporter = Reporter(Mode.LINES, stream)
    with reporter.task("work") as task:
        task.advance(files=1)
    reporter.close()
    assert stream.getvalue() == ""


def test_a_silent_reporter_starts_no_thread() -> None:
    reporter = Reporter(Mode.NONE, io.StringIO())
    before = threading.active_count()
    with reporter.task("work"):
        assert threading.active_count() == before


def test_a_terminal_gets_bars_and_they_are_cleared_at_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "DELAY", 0.001)
    monkeypatch.setenv("TTY_COMPATIBLE", "1")
    monkeypatch.setenv("TERM", "xterm")
    stream = Watched()
    reporter = Reporter(Mode.BARS, stream)
    with reporter.task("fetching", bytes=100) as task:
        task.advance(bytes=50)
        assert stream.written.wait(30)
        reporter.warn("something [red]odd[/red]")
    reporter.close()
    assert "warning: something [red]odd[/red]" in stream.getvalue()
    assert threading.active_count() == 1 or all(one.name != "progress" for one in threading.enumerate())


def test_bars_name_the_task_and_its_figures(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TTY_COMPATIBLE", "1")
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "120")
    stream = io.StringIO()
    clock = Clock()
    first, second = Running("hashing [bold]", 4_000_000, 2, clock), Running("looking", None, None, clock)
    bars = Bars(stream)
    bars.draw([first, second])
    first.advance(bytes=1_000_000, files=1)
    clock.now = 2.0
    first.sample()
    bars.draw([first])
    bars.close()
    text = stream.getvalue()
    assert "hashing [bold]" in text
    assert "looking" in text
    assert "1.0 MB of 4.0 MB  1 of 2 files  500.0 kB/s  6 s left" in text


def test_rate_and_time_left_come_from_the_last_seconds() -> None:
    clock = Clock()
    running = Running("x", None, 7300, clock)
    for second in range(1, 101):
        clock.now = float(second)
        running.advance(files=1)
        running.sample()
    assert running.figures() == ("", "100 of 7,300 files", "", "2 h 00 min left")
    assert running.fraction == pytest.approx(100 / 7300)
    assert Running("x", None, None, clock).line() == "x: working"


def test_what_was_there_already_makes_no_rate() -> None:
    clock = Clock()
    running = Running("x", 1_000_000, None, clock)
    running.advance(bytes=Spared(900_000))
    running.advance(bytes=1000)
    clock.now = 1.0
    running.sample()
    assert running.figures() == ("901.0 kB of 1.0 MB", "", "1.0 kB/s", "1 min 39 s left")


def test_many_threads_may_report() -> None:
    running = Running("x", None, None, Clock())

    def work() -> None:
        for _ in range(1000):
            running.advance(bytes=1, files=1)

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (running.bytes, running.files) == (8000, 8000)


def test_quiet_keeps_warnings_and_drops_hints() -> None:
    stream = io.StringIO()
    reporter = Reporter(Mode.NONE, stream, hints=False)
    reporter.warn("left out", hint="try this")
    reporter.hint("by the way")
    assert stream.getvalue() == "warning: left out\n"


def test_a_log_nobody_reads_does_not_stop_the_work() -> None:
    class Gone(io.StringIO):
        def write(self, text: str) -> int:
            raise BrokenPipeError

    reporter = Reporter(Mode.LINES, Gone())
    reporter.warn("x")
    with reporter.task("work") as task:
        task.advance(files=1)
    reporter.close()


def test_rich_is_loaded_only_to_draw() -> None:
    code = "import sys, datatool.cli.invoke; assert 'rich' not in sys.modules, 'loaded'"
    subprocess.run([sys.executable, "-c", code], check=True)
