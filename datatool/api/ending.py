"""Door 5 of 8 for imports at first use: what looks at a run is loaded when a program ends, if there is a run, and what
records it only if no record says the same already."""

from __future__ import annotations

from typing import TYPE_CHECKING

from datatool.api.current_run import CurrentRun
from datatool.api.programs import ThisProgram
from datatool.forks import importing

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


def record(what: ToRecord) -> Ended:
    """Write the record of a program: see `datatool.operations.runs.program_record`."""
    with importing:
        from datatool.operations.runs.program_record import record_program

    return record_program(what)
