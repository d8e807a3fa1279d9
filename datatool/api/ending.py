"""Door 5 of 6 for imports at first use: what records a run is loaded when a program ends, if there is a run."""

from __future__ import annotations

from datatool.api.current_run import CurrentRun
from datatool.api.programs import ThisProgram


def end(run: CurrentRun, program: ThisProgram) -> None:
    """Keep what the run of this process noted: see `datatool.api.run_end`."""
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
    )
