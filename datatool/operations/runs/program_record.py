"""The record of a Python program, with what it made."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from datatool.operations.runs.end import Ended, code_now, end_run
from datatool.operations.runs.execution import Execution
from datatool.operations.track.lines import line_of
from datatool.progress import Progress
from datatool.project.project import Project
from datatool.stages.environment import environment_of


def record_program(
    project: Project,
    execution: Execution,
    outputs: Sequence[bytes],
    *,
    modules: Sequence[str],
    always: bool,
    progress: Progress,
) -> Ended:
    """Save the outputs of a program that ended just now, then its record; `modules` are the full names of what it
    imported. An output that can't be recorded is told, and costs only itself."""
    code = execution.code
    execution = replace(execution, code=code_now(project, entry=code.entry, functions=code.functions))
    ended = end_run(
        project,
        execution,
        sorted(outputs),
        environment=environment_of(modules),
        always=always,
        stage=False,
        on_failure=lambda error: progress.warn(f"an output is not recorded: {error.message}", hint=error.hint),
        progress=progress,
    )
    return replace(ended, lines=tuple(line_of(project, item) for item in ended.versions if item.changed))
