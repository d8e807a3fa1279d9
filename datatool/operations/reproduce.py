"""Make artifacts again from the records of the runs that made them, in the order in which they depend on each other."""

from __future__ import annotations

import os
import shlex
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from msgspec.structs import replace

from datatool.errors import CommandFailed, DatatoolError, FormatError, PathNotFound, Refused, UsageError
from datatool.formats.run_record import decode_run
from datatool.model.oid import ObjectId, parse_oid, prefixed
from datatool.model.paths import named, show
from datatool.model.run import STDIN, RunFile, RunKind, RunRecord
from datatool.operations.failures import Failure, failure_of
from datatool.operations.result import Part, Result, told
from datatool.operations.run_command import Action, RunResult, Surroundings, ToldFile, run_command, told_file
from datatool.operations.run_records import record_of
from datatool.operations.runs.command import Command, fingerprint_of
from datatool.operations.runs.inputs import file_now, not_here, unlike_now
from datatool.operations.runs.marks import left_over
from datatool.operations.runs.outputs import check_unsaved
from datatool.operations.runs.search import earlier_run
from datatool.operations.targets import select
from datatool.progress import SILENT, Progress
from datatool.project.project import Project
from datatool.stages.secrets import HIDDEN
from datatool.workspace.pointers import Artifact, owner


@dataclass(frozen=True, kw_only=True, slots=True)
class Reproduced(Part):
    """One run, by the record that its outputs named (`recorded`), and what became of it: `action` is what was done, or
    would be; `run` is the record that holds now, `differing` are the outputs that are not what the first says."""

    recorded: str
    record: RunRecord
    action: Action
    result: RunResult | None = None
    differing: tuple[str, ...] = ()
    error: Failure | None = None

    @property
    def name(self) -> str:
        """What its user called it, or its program."""
        return self.record.name

    @property
    def kind(self) -> RunKind:
        """What was executed."""
        return self.record.kind

    @property
    def run(self) -> str | None:
        """The record that holds now; None where nothing was done."""
        return prefixed(self.result.run) if self.result is not None else None

    @property
    def outputs(self) -> tuple[ToldFile, ...]:
        """What came of it now; where nothing was done, what the record says."""
        return tuple(map(told_file, (self.record if self.result is None else self.result).outputs))

    @property
    def same(self) -> bool | None:
        """Whether the bytes came out as recorded; None where nothing was done."""
        return not self.differing if self.result is not None else None

    @property
    def shown(self) -> str:
        """The words of the command or script that ran, or what else a person calls it."""
        return _shown(self.record)

    def to_dict(self) -> dict[str, object]:
        """As `--json` prints it."""
        return told(self, "recorded", "name", "kind", "action", "run", "outputs", "same", "differing", "error")


@dataclass(frozen=True, kw_only=True, slots=True)
class ReproduceResult(Result):
    """The runs in the order in which they were, or would be, executed; one that failed is the last."""

    runs: tuple[Reproduced, ...]
    dry_run: bool = False

    @property
    def problems(self) -> tuple[Failure, ...]:
        """What failed while the rest went on."""
        return tuple(item.error for item in self.runs if item.error is not None)

    @property
    def finished(self) -> bool:
        """Whether a run was executed or its outputs came back before one failed."""
        return any(item.result is not None and item.action is not Action.UNCHANGED for item in self.runs)


def reproduce(
    project: Project,
    targets: Sequence[str],
    around: Surroundings,
    *,
    cwd: Path,
    force: bool = False,
    dry_run: bool = False,
    progress: Progress = SILENT,
) -> ReproduceResult:
    """Follow artifacts to the runs that made them, and those to the runs that made what they read; execute each once,
    unless nothing that determines it has changed: then its outputs are brought back, or left.

    `force` executes all of them; `dry_run` only says what would be done. Raises UsageError, PathNotFound for a target
    that no run made, Refused for one that was moved since; a run that fails is the last of the result, with its error.
    """
    if not targets:
        raise UsageError("nothing to reproduce", hint="name the artifacts to make again")
    history = _History(project, around, progress)
    for artifact in _chosen(project, targets, cwd):
        history.follow(artifact, asked=True)
    done: list[Reproduced] = []
    changing: set[bytes] = set()
    for oid, record in history.ordered:
        try:
            if dry_run:
                action = _planned(project, record, changing, force=force, progress=progress)
                if action is Action.EXECUTED:
                    changing.update(file.path for file in record.outputs)
                done.append(Reproduced(recorded=prefixed(oid), record=record, action=action))
                continue
            result = _again(project, record, around, force=force, progress=progress)
        except DatatoolError as error:
            done.append(
                Reproduced(recorded=prefixed(oid), record=record, action=Action.EXECUTED, error=failure_of(error))
            )
            break
        differing = _differing(record, result)
        made = Reproduced(
            recorded=prefixed(oid), record=record, action=result.action, result=result, differing=differing
        )
        done.append(made)
    return ReproduceResult(runs=tuple(done), dry_run=dry_run)


class _History:
    """The runs behind artifacts, each once, what others depend on first."""

    def __init__(self, project: Project, around: Surroundings, progress: Progress) -> None:
        self._project = project
        self._around = around
        self._progress = progress
        self._seen: set[bytes] = set()
        self._found: dict[tuple[object, ...], tuple[ObjectId, RunRecord]] = {}

    @property
    def ordered(self) -> list[tuple[ObjectId, RunRecord]]:
        """The runs in the order in which they have to be executed."""
        return list(self._found.values())

    def follow(self, artifact: Artifact, *, asked: bool = False) -> None:
        """Add the run that made an artifact, behind those that made what it read. One that was moved since is taken as
        it is, unless it is what was `asked` for: then Refused is raised."""
        if artifact.path in self._seen:
            return
        self._seen.add(artifact.path)
        run = _run_of(artifact)
        if run is None:
            return
        record = record_of(self._project, run, offline=self._around.offline, progress=self._progress)
        if record is None:
            raise _no_record(self._project, artifact, run)
        if not _names(record, artifact):
            if asked:
                raise _moved(artifact, record)
            self._progress.warn(f"{named(artifact.path)}: was moved since it was made; it is taken as it is")
            return
        for file in record.inputs:
            around = owner(self._project.root, file.path)
            if around is not None:
                self.follow(around)
        key = _identity(record)
        known = self._found.get(key)
        if known is None or known[1].started < record.started:
            self._found[key] = (run, record)


def _no_record(project: Project, artifact: Artifact, run: ObjectId) -> DatatoolError:
    """Why the record that an artifact names is of no use."""
    which = f"{named(artifact.path)}: the record of the run that made it ({run[:12]}…)"
    try:
        decode_run(project.cache.load(run), name="run record")
    except KeyError:
        message = f"{which} is neither here nor on a remote"
        return PathNotFound(message, hint="whoever made it runs datatool push", path=artifact.name)
    except FormatError as error:
        hint = error.hint or "datatool run -o OUT -- COMMAND records it anew"
        return type(error)(f"{which} is here, and can't be read: {error.message}", hint=hint, path=artifact.name)
    return PathNotFound(f"{which} came just now", hint="run it again", path=artifact.name)


def _identity(record: RunRecord) -> tuple[object, ...]:
    """What makes two records runs of one thing: outputs of one command may name different runs of it."""
    outputs = tuple(file.path for file in record.outputs if not file.noted)
    return record.kind, record.command, record.directory or "", record.code.entry, record.name, outputs


def _names(record: RunRecord, artifact: Artifact) -> bool:
    """Whether a record has an artifact among its outputs, under the name that it has now."""
    return any(file.path == artifact.path for file in record.outputs)


def _moved(artifact: Artifact, record: RunRecord) -> Refused:
    """An artifact that is called otherwise than its run named it: run again, that would make the old one, beside it."""
    alike = [file.path for file in record.outputs if file.oid == artifact.pointer.oid]
    olds = ", ".join(map(named, alike or [file.path for file in record.outputs]))
    name = named(artifact.path)
    return Refused(
        f"{name}: was made as {olds} and moved since, so its run can't make it again; nothing was run",
        hint=f"datatool checkout {name} brings back what was made; "
        + (
            f"datatool move {name} {olds}, and reproduce {olds}"
            if len(alike) == 1
            else "datatool run -o records a new run"
        ),
        path=artifact.name,
    )


def _run_of(artifact: Artifact) -> ObjectId | None:
    source = artifact.pointer.source
    return parse_oid(source.run) if source is not None and source.run is not None else None


def _chosen(project: Project, targets: Sequence[str], cwd: Path) -> list[Artifact]:
    """The artifacts that targets name; of a directory around several, those that a run made."""
    chosen: list[Artifact] = []
    for target in targets:
        selections, broken = select(project, [target], cwd)
        if broken:
            raise broken[0]
        made = [item.artifact for item in selections if _run_of(item.artifact) is not None]
        if not made:
            raise PathNotFound(
                f"{target}: no run is known that made it",
                hint="datatool run -o OUT -- COMMAND records one",
                path=selections[0].artifact.name if selections else None,
            )
        chosen += made
    return chosen


def _command(project: Project, record: RunRecord) -> Command:
    """What to run to repeat a run. Raises CommandFailed for one that only its user can repeat."""
    inputs = tuple(file.path for file in record.inputs if not file.noted)
    outputs = tuple(file.path for file in record.outputs if not file.noted)
    command = Command(
        words=record.command or (),
        directory=project.root / (record.directory or ""),
        inputs=inputs,
        outputs=outputs,
        parameters=record.parameters,
        name=record.name,
        secrets=record.secrets,
    )
    if record.kind is RunKind.COMMAND and record.command:
        return command
    entry = record.code.entry
    if record.kind is RunKind.SCRIPT and entry is not None:
        program = command.words if _is_module(record) else (os.fspath(project.root / entry), *command.words[1:])
        return replace(command, words=(sys.executable, *program), script=entry)
    if record.kind is RunKind.SCRIPT and "-c" in record.code.functions:
        raise CommandFailed(
            "-c: was started with python -c, of which only the hash is recorded",
            hint="run it again by hand; a program in a file of the project can be repeated",
        )
    what = {
        RunKind.NOTEBOOK: "is a notebook, which no command runs again",
        RunKind.BLOCK: "is a block of a program, which no command runs again",
        RunKind.STAGE: "is a stage, which no command runs again",
    }.get(record.kind, "is no program in a file of this project")
    raise CommandFailed(f"{_called(record)}: {what}; nothing was run", hint=_by_hand(record))


def _called(record: RunRecord) -> str:
    """What its user calls a run that no command repeats: its file, where one is known."""
    return show(record.name if record.kind is RunKind.BLOCK else record.code.entry or record.name)


def _by_hand(record: RunRecord) -> str:
    entry = show(record.code.entry or record.name)
    if record.kind is RunKind.NOTEBOOK:
        return f"open {entry if record.code.entry or record.name != 'notebook' else 'it'} and run all its cells"
    if record.kind is RunKind.SCRIPT and record.name == STDIN:
        return "give python the same program on its standard input again; in a file of the project it could be repeated"
    if record.kind is RunKind.STAGE:
        return f"call the stage {show(record.name)} again, from Python"
    if record.kind is RunKind.SCRIPT:
        return f"run {entry} again by hand: it is no file of this project"
    if record.code.entry is not None:
        return f"run {entry} again, which is where the block is"
    cells = any(name.startswith("In[") for name in record.code.functions)
    return f"run the {'notebook' if cells else 'program'} again that has the block"


def _again(project: Project, record: RunRecord, around: Surroundings, *, force: bool, progress: Progress) -> RunResult:
    command = _command(project, record)
    if _holds_secret(record):
        inputs = [file_now(project, path) for path in command.inputs]
        fingerprint = fingerprint_of(project, command, inputs)
        if force or earlier_run(project, fingerprint, offline=around.offline, progress=progress) is None:
            raise CommandFailed(
                f"{_shown(record)}: held a secret, which is not in its record, so it can't be run from there",
                hint=f"run it by hand, with the secret in place of {HIDDEN}: {_typed(record)}",
            )
    if command.script is not None and not (project.root / command.script).is_file():
        raise PathNotFound(
            f"{show(command.script)}: is not here any more",
            hint=f"git log -- {named(os.fsencode(command.script))} shows when it went; check out a commit that has it",
            path=command.script,
        )
    made = ", ".join(named(path) for path in command.outputs)
    command = replace(command, announcement=f"{_shown(record)} for {made}" if made else _shown(record))
    return run_command(project, command, around, force=force, progress=progress)


def _planned(project: Project, record: RunRecord, changing: set[bytes], *, force: bool, progress: Progress) -> Action:
    """What would be done, as far as that can be told before what it depends on is made. Raises Unsaved for outputs with
    edits that nobody saved, as the run would."""
    command = _command(project, record)
    check_unsaved(project, command.outputs, force=force, left_over=left_over(project, command.outputs))
    if force or any(file.path in changing for file in record.inputs):
        return Action.EXECUTED
    try:
        inputs = [file_now(project, path) for path in command.inputs]
        fingerprint = fingerprint_of(project, command, inputs)
    except DatatoolError:
        return Action.EXECUTED
    if unlike_now(project, inputs):
        return Action.EXECUTED
    known = earlier_run(project, fingerprint, offline=True, fetches=False, progress=progress)
    if known is None:
        return Action.EXECUTED
    outputs = known.record.outputs
    return Action.RESTORED if unlike_now(project, outputs) or not_here(project, outputs) else Action.UNCHANGED


def _differing(record: RunRecord, result: RunResult) -> tuple[str, ...]:
    now: dict[bytes, RunFile] = {file.path: file for file in result.outputs}
    return tuple(
        os.fsdecode(file.path)
        for file in record.outputs
        if file.path in now and (now[file.path].oid, now[file.path].executable) != (file.oid, file.executable)
    )


def _holds_secret(record: RunRecord) -> bool:
    return HIDDEN in repr(record.command) or HIDDEN in repr(record.parameters)


def _is_module(record: RunRecord) -> bool:
    """Whether a program was started with `python -m`."""
    return record.kind is RunKind.SCRIPT and record.command is not None and record.command[:1] == ("-m",)


def _shown(record: RunRecord) -> str:
    if not record.command or record.kind is RunKind.BLOCK:
        return show(record.name)
    return show(shlex.join(("python", *record.command) if _is_module(record) else record.command))


def _typed(record: RunRecord) -> str:
    """How a user runs it, in the project's top directory."""
    typed = _shown(record) if _is_module(record) else f"datatool run … -- {_shown(record)}"
    if record.kind is RunKind.SCRIPT and not _is_module(record):
        entry = os.path.relpath(record.code.entry or record.name, record.directory or os.curdir)
        typed = f"python {show(shlex.join([entry, *(record.command or ())[1:]]))}"
    return f"cd {show(shlex.quote(record.directory))} && {typed}" if record.directory else typed
