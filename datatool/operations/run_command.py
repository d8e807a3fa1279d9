"""Run a command, or bring back what it made when nothing that determines it has changed."""

from __future__ import annotations

import dataclasses
import json
import os
import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from msgspec import Struct
from msgspec.structs import replace

from datatool.errors import CommandFailed, DamageFound, DatatoolError
from datatool.localfs.atomic import make_dirs
from datatool.localfs.safe_paths import check_parents
from datatool.model.oid import ObjectId, prefixed
from datatool.model.paths import named
from datatool.model.pointer import ArtifactKind
from datatool.model.run import RunEnvironment, RunFile, RunKind
from datatool.operations.publish import locked
from datatool.operations.result import Part, Result
from datatool.operations.runs.code import functions_of
from datatool.operations.runs.command import Command, fingerprint_of, script_fingerprint
from datatool.operations.runs.end import code_now, end_run
from datatool.operations.runs.execution import Execution, directory_in, refuse_unnamed
from datatool.operations.runs.inputs import bring_inputs, bring_outdated, inputs_of, unlike_now
from datatool.operations.runs.marks import forget_marks, left_over, marked
from datatool.operations.runs.outputs import check_unsaved, clear, put_back, refuse_outputs
from datatool.operations.runs.process import run_process
from datatool.operations.runs.restoring import restore
from datatool.operations.runs.search import earlier_run
from datatool.progress import SILENT, Progress
from datatool.project.project import Project
from datatool.stages.environment import environment_of
from datatool.stages.notes import VARIABLE, Notes, read_notes
from datatool.stages.run_store import Known
from datatool.stages.secrets import visible_metrics, visible_values, without_secrets
from datatool.workspace.pointers import owner

PARAMETER = "DATATOOL_PARAM_"
"""A command finds its parameter `lr` in the environment as this and `lr`."""


class Action(StrEnum):
    """What became of a run."""

    EXECUTED = "executed"
    """The command ran."""
    RESTORED = "restored"
    """Nothing that determines it had changed, so its earlier outputs were brought back."""
    UNCHANGED = "unchanged"
    """The same, and they were all here."""
    FAILED = "failed"
    """It could not be repeated."""


@dataclass(frozen=True, kw_only=True, slots=True)
class RunResult(Result):
    """A run: its record, what it read and made. `changed` are the outputs that are news here; `duration` in seconds,
    `started` in UTC, both of the execution, however long ago that was."""

    run: ObjectId
    fingerprint: str
    action: Action
    command: tuple[str, ...]
    inputs: tuple[RunFile, ...]
    outputs: tuple[RunFile, ...]
    changed: frozenset[bytes]
    started: str
    duration: float
    staged: tuple[str, ...]

    def to_dict(self) -> dict[str, object]:
        """As `--json` prints it."""
        return {
            "run": prefixed(self.run),
            "fingerprint": self.fingerprint,
            "action": str(self.action),
            "inputs": [told_file(file).to_dict() for file in self.inputs],
            "outputs": [{**told_file(file).to_dict(), "changed": file.path in self.changed} for file in self.outputs],
            "started": self.started,
            "duration": self.duration,
            "staged": list(self.staged),
        }


@dataclass(frozen=True, kw_only=True, slots=True)
class ToldFile(Part):
    """A file of a run as results tell it."""

    path: str
    kind: ArtifactKind
    oid: str
    size: int
    files: int | None


def told_file(file: RunFile) -> ToldFile:
    """The same of what a record holds."""
    return ToldFile(
        path=os.fsdecode(file.path), kind=file.kind, oid=prefixed(file.oid), size=file.size, files=file.files
    )


class Surroundings(Struct, frozen=True, kw_only=True):
    """What is around a run: the environment of the process, where its standard output goes (a file descriptor; ours
    by default), whether the network is forbidden."""

    environ: Mapping[str, str]
    stdout: int | None = None
    offline: bool = False


def run_command(
    project: Project, command: Command, around: Surroundings, *, force: bool = False, progress: Progress = SILENT
) -> RunResult:
    """Run a command and record what it read and made; an earlier run of the same is restored instead, unless `force`.

    Raises CommandFailed, after which the outputs are as they were; UsageError, NotFoundError, Refused, Unsaved for
    outputs with edits that nobody saved, unless `force` may move them to lost+found; and what `add` and `pull` raise.
    """
    with locked(project, command.outputs, progress, role=b"run"):
        refuse_outputs(project, command.outputs, command.inputs)
        refuse_unnamed(project, command.directory, [*command.inputs, *command.outputs])
        left = left_over(project, command.outputs)
        check_unsaved(project, command.outputs, force=force, left_over=left)
        inputs = inputs_of(project, command.inputs, offline=around.offline, progress=progress)
        command = command.sealed(around.environ)
        fingerprint = fingerprint_of(project, command, inputs)
        known = (
            None
            if force
            else earlier_run(project, fingerprint, command.outputs, offline=around.offline, progress=progress)
        )
        if known is not None:
            try:
                return _restored(project, command, known, around.offline, forced=bool(left), progress=progress)
            except DamageFound as error:
                progress.warn(f"{error.message}; so the command runs again")
        return _executed(project, command, inputs, fingerprint, around, force=force, progress=progress)


def restore_run(
    project: Project, command: Command, fingerprint: str, *, offline: bool, progress: Progress = SILENT
) -> RunResult | None:
    """Bring back, or leave, what an earlier run with a fingerprint made, and never execute anything; None where nobody
    has all of it. Raises Unsaved."""
    with locked(project, command.outputs, progress, role=b"run"):
        left = left_over(project, command.outputs)
        check_unsaved(project, command.outputs, force=False, left_over=left)
        known = earlier_run(project, fingerprint, command.outputs, offline=offline, progress=progress)
        return known and _restored(project, command, known, offline, forced=bool(left), progress=progress)


def _restored(
    project: Project, command: Command, known: Known, offline: bool, *, forced: bool, progress: Progress
) -> RunResult:
    record = known.record
    whole = [file for file in record.outputs if _is_whole(project, file)]
    changed, staged = restore(project, whole, known.oid, offline=offline, force=forced, progress=progress)
    bring_outdated(project, record.inputs, offline=offline, progress=progress)
    forget_marks(project, command.outputs)
    return RunResult(
        run=known.oid,
        fingerprint=record.fingerprint,
        action=Action.RESTORED if changed else Action.UNCHANGED,
        command=command.words,
        inputs=record.inputs,
        outputs=record.outputs,
        changed=frozenset(changed),
        started=record.started,
        duration=record.duration,
        staged=staged,
    )


def _is_whole(project: Project, file: RunFile) -> bool:
    around = owner(project.root, file.path)
    return around is None or around.path == file.path


def _executed(
    project: Project,
    command: Command,
    inputs: Sequence[RunFile],
    fingerprint: str,
    around: Surroundings,
    *,
    force: bool,
    progress: Progress,
) -> RunResult:
    bring_inputs(project, inputs, offline=around.offline, progress=progress)
    functions = functions_of(project, command.script) if command.script is not None else None
    code = code_now(project, entry=command.script, functions=functions)
    left = left_over(project, command.outputs)
    with marked(project, command.outputs) as notes_path:
        before = {path for path in command.outputs if project.workspace.kind(path) is not None}
        clear(project, command.outputs, force=force, left_over=left, progress=progress)
        with _undone_if_it_fails(project, command.outputs, before, progress):
            started, clock = time.time(), time.monotonic()
            if command.announcement is not None:
                progress.running(command.announcement)
            _run(project, command, around, notes_path)
            duration = time.monotonic() - clock
            told = read_notes(notes_path, project.root)
            for path in unlike_now(project, inputs):
                progress.warn(f"{named(path)}: changed while the command ran; its record names what it was before")
            noted = _noted_outputs(project, command, told)
            made = [*command.outputs, *noted]
            execution = Execution(
                kind=RunKind.COMMAND,
                name=without_secrets(command.name or "") or command.told,
                fingerprint=fingerprint,
                code=code,
                started=started,
                duration=duration,
                inputs=[*inputs, *_noted_inputs(told, inputs, made)],
                parameters=visible_values(command.parameters or {}),
                noted_parameters=visible_values(told.parameters),
                metrics=visible_metrics(told.metrics),
                command=command.shown,
                directory=directory_in(project, command.directory) or "",
                secrets=command.secrets,
            )
            if command.script is not None:
                execution = _of_script(project, command, execution, told)
                noted = []
            ended = end_run(project, execution, made, environment=_environment(told), noted=noted, progress=progress)
    return RunResult(
        run=ended.run,
        fingerprint=execution.fingerprint,
        action=Action.EXECUTED,
        command=command.words,
        inputs=tuple(execution.inputs),
        outputs=ended.outputs,
        changed=ended.changed,
        started=time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(started)),
        duration=round(duration, 3),
        staged=ended.staged,
    )


@contextmanager
def _undone_if_it_fails(
    project: Project, outputs: Sequence[bytes], before: Collection[bytes], progress: Progress
) -> Iterator[None]:
    """See that the outputs are as they were, where the command fails or what it wrote can't be recorded."""
    try:
        yield
    except BaseException as error:
        lost = put_back(project, outputs, before, progress)
        if isinstance(error, DatatoolError) and lost is not None:
            written = f"what it had written is in {lost}"
            failed = isinstance(error, CommandFailed) or not error.hint
            error.hint = written if failed else f"{error.hint}; {written}"
        raise


def _of_script(project: Project, command: Command, execution: Execution, told: Notes) -> Execution:
    """The run of a script as the script itself would have recorded it."""
    inputs = [
        dataclasses.replace(file, noted=False)
        for file in execution.inputs
        if file.path in told.inputs or not told.inputs
    ]
    return replace(
        execution,
        kind=RunKind.SCRIPT,
        name=command.name or command.script or "",
        fingerprint=script_fingerprint(project, command, inputs),
        inputs=inputs,
        noted_parameters={},
        command=command.shown,
    )


def _run(project: Project, command: Command, around: Surroundings, notes_path: Path) -> None:
    parameters = command.parameters or {}
    environ = {
        **around.environ,
        **{PARAMETER + name: _text(value) for name, value in parameters.items()},
        VARIABLE: str(notes_path),
    }
    _see_that_it_is_there(project, command.directory)
    for output in command.outputs:
        make_dirs(Path(os.fsdecode(project.workspace.full(output))).parent)
    project.state.commit()  # or the programs of the command could not remember what they record
    code = run_process(command.words, directory=command.directory, environ=environ, stdout=around.stdout)
    if code:
        how = f"was ended by signal {-code}" if code < 0 else f"failed with exit code {code}"
        raise CommandFailed(f"{command.told}: {how}; nothing was recorded", hint="mend it, then run the same again")
    missing = [output for output in command.outputs if project.workspace.kind(output) is None]
    if missing:
        names = ", ".join(map(named, missing))
        raise CommandFailed(
            f"{names}: was not written by {command.told}; nothing was recorded",
            hint="-o names what the command writes, from the directory where it runs",
            path=os.fsdecode(missing[0]),
        )


def _see_that_it_is_there(project: Project, directory: Path) -> None:
    """Make the directory of a command that is repeated where a clone lacks it, as git keeps no empty ones."""
    if not directory.is_dir():
        inside = os.path.relpath(directory, project.root).replace(os.sep, "/")
        check_parents(project.root, os.fsencode(f"{inside}/"))
        make_dirs(directory)


def _text(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def _environment(told: Notes) -> RunEnvironment:
    """Where it ran; the packages are those of the programs in it that told."""
    here = environment_of(())
    return here if told.python is None else dataclasses.replace(here, python=told.python, packages=told.packages)


def _noted_outputs(project: Project, command: Command, told: Notes) -> list[bytes]:
    """What programs said that they wrote, and nobody named on the command's line."""
    return [
        path
        for path in sorted(told.outputs)
        if not any(_within(path, output) or _within(output, path) for output in command.outputs)
        and project.workspace.kind(path) is not None
    ]


def _noted_inputs(told: Notes, inputs: Sequence[RunFile], outputs: Sequence[bytes]) -> list[RunFile]:
    """What programs said that they read, but for what was named, and for what the run made itself."""
    known = [*(file.path for file in inputs), *outputs]
    return [
        dataclasses.replace(file, noted=True)
        for path, file in sorted(told.inputs.items())
        if not any(_within(path, other) for other in known)
    ]


def _within(path: bytes, around: bytes) -> bool:
    return path == around or path.startswith(around + b"/")
