"""The run of a Python program, or of a block in one, in one project: told to the command around it, or recorded."""

from __future__ import annotations

import os
import platform
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final, TypeAlias

from msgspec import Struct, field
from msgspec.structs import replace

from datatool.hashing import digest
from datatool.model.paths import named
from datatool.model.run import RunCode, RunFile, RunKind
from datatool.operations.frozen import is_frozen
from datatool.operations.open_project import open_project
from datatool.operations.runs.code import functions_of
from datatool.operations.runs.execution import Execution, can_be_named, directory_in, recorded
from datatool.progress import Progress
from datatool.project.project import Project
from datatool.stages.environment import environment_of
from datatool.stages.fingerprint import program_fingerprint
from datatool.stages.notes import VARIABLE, tell
from datatool.stages.seal import seal_of_secrets
from datatool.stages.secrets import visible_metrics, visible_values, visible_words, without_secrets

if TYPE_CHECKING:
    from datatool.operations.runs.end import Ended


_MOST_AROUND: Final = 1000
"""A program may begin a block for each of its files, and each of their records would name all of them."""


class Program(Struct, frozen=True, kw_only=True):
    """What ran: `entry` is the file of the script or notebook, `texts` what ran of a program without a file, by name
    (`-c`, or a notebook's `In[1]`), `command` its name with its arguments, `directory` where it was started; `started`
    in seconds since 1970, `duration` in seconds; parameters and metrics are JSON values; `modules` are the full names
    of what was imported."""

    kind: RunKind
    name: str
    entry: Path | None
    started: float
    duration: float
    texts: Mapping[str, str] = field(default_factory=dict)
    command: tuple[str, ...] | None = None
    directory: Path | None = None
    parameters: Mapping[str, object] = field(default_factory=dict)
    metrics: Mapping[str, object] = field(default_factory=dict)
    modules: Sequence[str] = ()

    @property
    def visible(self) -> Program:
        """The program without what is secret in what was said to it and in what it said."""
        return replace(
            self,
            name=without_secrets(self.name),
            command=None if self.command is None else visible_words(self.command),
            parameters=visible_values(self.parameters),
            metrics=visible_metrics(self.metrics),
        )

    @property
    def said(self) -> Mapping[str, object]:
        """What was said to it, in which secrets may be."""
        return {"name": self.name, "command": self.command, "parameters": self.parameters}


class ToRecord(Struct, frozen=True, kw_only=True):
    """What a record is to say of a program that ended just now: `outputs` are the paths that it wrote, `modules` the
    full names of what it imported; `always` asks for a record even where another says the same."""

    project: Project
    execution: Execution
    outputs: Sequence[bytes]
    modules: Sequence[str]
    always: bool
    progress: Progress


Record: TypeAlias = "Callable[[ToRecord], Ended]"
"""Writes the record of a program; see `datatool.operations.runs.program_record`."""


def end_program(
    root: Path,
    inputs: Iterable[RunFile],
    outputs: Iterable[bytes],
    program: Program,
    *,
    environ: Mapping[str, str],
    always: bool,
    record: Record,
    progress: Progress,
    around: Iterable[RunFile] = (),
) -> Ended | None:
    """Record the outputs and the run of a program in the project at `root`; None where nothing is recorded: inside
    `datatool run`, which is told instead, and where the environment says that nothing may be (formats §5). `around` is
    what the program has read, in other blocks and processes too.

    Unless `always`, a run that a record describes already is not written again: most often nothing is, so what writes
    is given as `record`, and loaded only then. Raises what `add` does.
    """
    visible = program.visible
    made = list(dict.fromkeys(outputs))
    read = [file for file in inputs if file.path not in made]
    notes = environ.get(VARIABLE)
    if notes:
        found = environment_of(program.modules)
        tell(
            Path(notes),
            root,
            inputs=read,
            outputs=made,
            parameters=visible.parameters,
            metrics=visible.metrics,
            python=platform.python_version(),
            packages=found.packages,
        )
        return None
    if is_frozen(environ):
        return None
    with open_project(str(root), flags={}, environ=environ) as project:
        here = [path for path in made if project.workspace.kind(path) is not None]
        for path in made:
            if path not in here:
                progress.warn(f"{named(path)}: was to be an output, and is not there")
        secrets = seal_of_secrets(program.said, visible.said, environ)
        execution = _with_around(_execution(project, visible, read, secrets), around, made)
        if not always and not here and recorded(project, execution) is not None:
            return None
        return record(
            ToRecord(
                project=project,
                execution=execution,
                outputs=here,
                modules=program.modules,
                always=always,
                progress=progress,
            )
        )


def _with_around(execution: Execution, around: Iterable[RunFile], made: Sequence[bytes]) -> Execution:
    """The run with what is around it, which its inputs and outputs do not say already."""
    said = {(file.path, file.oid) for file in execution.inputs}
    others = {
        (file.path, file.oid): file for file in around if file.path not in made and (file.path, file.oid) not in said
    }
    kept = [others[key] for key in sorted(others)[:_MOST_AROUND]]
    return replace(execution, around=kept, more_around=len(others) - len(kept))


def _execution(project: Project, program: Program, inputs: Sequence[RunFile], secrets: str | None) -> Execution:
    """The run of a program without secrets, which their seal stands for."""
    entry = _inside(project, program.entry)
    functions = functions_of(project, entry) if entry is not None else _of_texts(program)
    directory = directory_in(project, program.directory) if program.directory is not None else None
    return Execution(
        kind=program.kind,
        name=program.name,
        fingerprint=program_fingerprint(
            kind=program.kind,
            entry=entry,
            name=program.name,
            functions=functions,
            arguments=(program.command or ())[1:],
            directory=directory,
            parameters=program.parameters,
            inputs=inputs,
            secrets=secrets,
        ),
        code=RunCode(entry=entry, functions=functions),
        started=program.started,
        duration=program.duration,
        inputs=inputs,
        parameters=program.parameters,
        metrics=program.metrics,
        command=program.command,
        directory=directory,
        secrets=secrets,
    )


def _of_texts(program: Program) -> Mapping[str, str]:
    return {name: str(digest(text.encode("utf-8", "surrogatepass"))) for name, text in program.texts.items()}


def _inside(project: Project, entry: Path | None) -> str | None:
    """The entry from the project's root; None for a program from elsewhere, or where no record may name it."""
    if entry is None:
        return None
    real = Path(os.path.realpath(entry))
    inside = real.relative_to(project.root).as_posix() if real.is_relative_to(project.root) else ""
    return inside if can_be_named(inside) else None
