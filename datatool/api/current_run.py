"""The run that this process is in: what `track()` noted as read and as to be written."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path

from msgspec import Struct, field

from datatool.api.program_files import note_read, note_written, tell_workers_the_name
from datatool.api.telling import warn
from datatool.model.paths import named
from datatool.model.run import RunFile


class Noted(Struct, kw_only=True):
    """What happened in one project during a run. `outputs` are paths from the project's top, recorded when it ends."""

    root: Path
    inputs: dict[bytes, RunFile] = field(default_factory=dict)
    outputs: dict[bytes, None] = field(default_factory=dict)
    changed: set[bytes] = field(default_factory=set)
    """Inputs that were read in more than one version."""


class CurrentRun:
    """Collects, for each project, what a run reads and writes. Any thread may tell it."""

    def __init__(self) -> None:
        self.started = time.time()
        self._process = os.getpid()
        self._lock = threading.Lock()
        self._noted: dict[Path, Noted] = {}

    @property
    def is_ours(self) -> bool:
        """Whether this process began it; a forked child finds those of its parent, whose end it will not see."""
        return self._process == os.getpid()

    @property
    def is_noted(self) -> bool:
        """Whether anything was noted since the last time that it was taken."""
        return bool(self._noted)

    def note_input(self, root: Path, file: RunFile) -> None:
        """A file was read; what was noted of it first holds, as that is what the run saw. That another version of it is
        read later, which the run itself did not write, is told once."""
        note_read(root, file)
        with self._lock:
            noted = self._of(root)
            first = noted.inputs.setdefault(file.path, file)
            is_news = first.oid != file.oid and file.path not in {*noted.changed, *noted.outputs}
            if is_news:
                noted.changed.add(file.path)
        if is_news:
            warn(f"{named(file.path)}: changed since this run read it first; the run's record names what it was then")

    def note_output(self, root: Path, path: bytes) -> None:
        """A file will be there when the run ends."""
        note_written(root, path)
        with self._lock:
            self._of(root).outputs[path] = None

    def take(self) -> list[Noted]:
        """All that was noted since the last time."""
        with self._lock:
            noted, self._noted = self._noted, {}
        return list(noted.values())

    def _of(self, root: Path) -> Noted:
        return self._noted.setdefault(root, Noted(root=root))


_entered: ContextVar[CurrentRun | None] = ContextVar("datatool_run", default=None)
_open: list[CurrentRun] = []
"""The runs that some thread entered: a worker thread, which no context follows, is in the newest."""
_process: dict[int, CurrentRun] = {}


def process_run() -> CurrentRun:
    """The run that is this process; a forked child has its own."""
    return _process.setdefault(os.getpid(), CurrentRun())


def current_run() -> CurrentRun:
    """The run to tell: the innermost block around the caller, else the newest open one, else the process. Never a block
    that stood open when this process was forked off: what a child tracks is its own."""
    entered = _entered.get()
    if entered is not None and entered.is_ours:
        return entered
    return next((run for run in reversed(_open) if run.is_ours), None) or process_run()


@contextmanager
def entered(run: CurrentRun) -> Iterator[None]:
    """Make a run the current one for a block."""
    tell_workers_the_name()
    token = _entered.set(run)
    _open.append(run)
    try:
        yield
    finally:
        _open.remove(run)
        _entered.reset(token)
