"""Door 5 of 8 for imports at first use: what looks at a run is loaded when a program ends, if there is a run, and what
records it only if no record says the same already."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from datatool.api.current_run import CurrentRun
from datatool.api.program_files import (
    may_have_workers,
    places_of_first,
    program_name,
    program_names,
    tell_workers_the_name,
    untold,
)
from datatool.api.programs import ThisProgram
from datatool.forks import importing
from datatool.operations.frozen import is_frozen

if TYPE_CHECKING:
    from datatool.operations.runs.end import Ended
    from datatool.operations.runs.program_run import ToRecord


def end(run: CurrentRun, program: ThisProgram) -> None:
    """Keep what the run of this process noted: see `datatool.api.run_end`."""
    with importing:
        from datatool.api import run_end

    run_end.end(
        run,
        kind=program.kind,
        name=program.name,
        entry=program.entry,
        texts=program.texts(),
        command=program.command,
        directory=program.directory,
        started=run.started,
        record=record,
    )


def tell_program(root: Path, local: Path) -> None:
    """Tell the other processes of this program, where it may have some, what this one read and wrote in the project at
    `root` since the last time: see `datatool.operations.runs.program_notes`."""
    if not may_have_workers() or is_frozen(os.environ):
        return
    tell_workers_the_name()
    read, written = untold(root, local)
    if not read and not written:
        return
    with importing:
        from datatool.operations.runs import program_notes

    program_notes.tell_program(local, program_name(), root, read, written)


def forget_program() -> None:
    """Take away what the processes of this program told each other, where this is the first of them and ends."""
    places = places_of_first()
    if not places:
        return
    with importing:
        from datatool.operations.runs import program_notes

    for local in places:
        program_notes.forget_program(local, program_names())


def record(what: ToRecord) -> Ended:
    """Write the record of a program: see `datatool.operations.runs.program_record`."""
    with importing:
        from datatool.operations.runs.program_record import record_program

    return record_program(what)
