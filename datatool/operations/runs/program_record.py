"""The record of a Python program, with what it made."""

from __future__ import annotations

from msgspec.structs import replace

from datatool.operations.runs.end import Ended, code_now, end_run
from datatool.operations.runs.program_run import ToRecord
from datatool.operations.track.lines import line_of
from datatool.stages.environment import environment_of


def record_program(what: ToRecord) -> Ended:
    """Save the outputs of a program that ended just now, then its record. An output that can't be recorded is told, and
    costs only itself."""
    project, progress, code = what.project, what.progress, what.execution.code
    ended = end_run(
        project,
        replace(what.execution, code=code_now(project, entry=code.entry, functions=code.functions)),
        sorted(what.outputs),
        environment=environment_of(what.modules),
        always=what.always,
        stage=False,
        on_failure=lambda error: progress.warn(f"an output is not recorded: {error.message}", hint=error.hint),
        progress=progress,
    )
    return replace(ended, lines=tuple(line_of(project, item) for item in ended.versions if item.changed))
