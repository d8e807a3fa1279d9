"""The end of a run of this process: in each project where it noted something, its outputs and its record are kept."""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Final

from msgspec import Struct, field

from datatool.api.current_run import CurrentRun, Noted
from datatool.api.program_files import Files, files_of_program, may_have_workers, program_names
from datatool.api.telling import Told, say, warn
from datatool.api.trackers import settle_trackers, tracking
from datatool.errors import DatatoolError
from datatool.forks import wait_before_forks
from datatool.model.run import RunFile, RunKind
from datatool.operations.runs.program_notes import told_to_program
from datatool.operations.runs.program_run import Program, Record, end_program


class _Heard(Struct):
    """What the processes of this program told of one project, and how far that was read, by the program's names."""

    files: Files = field(default_factory=Files)
    until: dict[str, int] = field(default_factory=dict)


_heard: Final[dict[Path, _Heard]] = {}
_reading: Final = wait_before_forks(threading.Lock())


def end(
    run: CurrentRun,
    *,
    kind: RunKind,
    name: str,
    entry: str | None,
    started: float,
    record: Record,
    texts: Mapping[str, str] | None = None,
    command: tuple[str, ...] | None = None,
    directory: str | None = None,
    parameters: Mapping[str, object] | None = None,
    metrics: Mapping[str, object] | None = None,
    also: Iterable[Path] = (),
    always: bool = False,
) -> None:
    """Keep what a run noted since the last time: outputs are recorded, and a record is written in each project, and in
    the projects at `also` even if nothing was noted there. Nothing is raised: what can't be kept is told.

    `entry` is the file of the script or notebook, `texts` what ran of a program without a file, `command` its name with
    its arguments, `directory` where it was started; `started` is in seconds since 1970. Unless `always`, a run that a
    record describes already leaves no other; else `record` writes one.
    """
    noted = {item.root: item for item in run.take()}
    for root in also:
        noted.setdefault(root, Noted(root=root))
    if not noted:
        return
    program = Program(
        kind=kind,
        name=name,
        entry=Path(entry) if entry is not None else None,
        texts=texts or {},
        command=command,
        directory=Path(directory) if directory is not None else None,
        started=started,
        duration=max(0.0, time.time() - started),
        parameters=parameters or {},
        metrics=metrics or {},
        modules=tuple(sys.modules),
    )
    for item in noted.values():
        try:
            outputs = _written(item)
            around = _around(item)
            settle_trackers()
            ended = end_program(
                item.root,
                item.inputs.values(),
                outputs,
                program,
                environ=os.environ,
                always=always,
                record=record,
                progress=Told(),
                around=around,
            )
        except DatatoolError as problem:
            warn(f"the run {name} is not recorded: {problem.message}", hint=problem.hint)
            continue
        for line in ended.lines if ended is not None else ():
            say(line)


def _around(noted: Noted) -> list[RunFile]:
    """What the program has read. Of what this run read in more than one version the first holds, as it was told."""
    if may_have_workers():
        with tracking(noted.root) as tracker:
            local = tracker.local
        with _reading:
            known = _heard.setdefault(noted.root, _Heard())
            for item in told_to_program(local, program_names(), noted.root, known.until):
                if isinstance(item, RunFile):
                    known.files.note_read(item)
                else:
                    known.files.note_written(item)
            found = files_of_program(noted.root, known.files)
    else:
        found = files_of_program(noted.root)
    return [file for file in found if file.path not in noted.changed]


def _written(noted: Noted) -> list[bytes]:
    """The outputs that the program wrote."""
    if not noted.outputs:
        return []
    with tracking(noted.root) as tracker:
        return [path for path in noted.outputs if tracker.is_written(path)]
