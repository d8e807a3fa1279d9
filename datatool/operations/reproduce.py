"""Make artifacts again from the records of the runs that made them, in the order in which they depend on each other."""

from __future__ import annotations

import os
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from datatool.errors import DatatoolError, FormatError, PathNotFound, Refused, UsageError
from datatool.formats.run_record import decode_run
from datatool.model.oid import ObjectId, parse_oid, prefixed
from datatool.model.paths import named
from datatool.model.run import RunFile, RunKind, RunRecord
from datatool.operations.failures import Failure, failure_of
from datatool.operations.result import Part, Result, told
from datatool.operations.run_command import (
    Action,
    RunResult,
    Surroundings,
    ToldFile,
    restore_run,
    run_command,
    told_file,
)
from datatool.operations.run_records import record_of
from datatool.operations.runs.inputs import bring_lists, to_bring, unlike_now
from datatool.operations.runs.marks import left_over
from datatool.operations.runs.outputs import check_unsaved
from datatool.operations.runs.repeat import command_of_record, fingerprint_now, refusal, shown
from datatool.operations.runs.search import earlier_run, may_be_fetched
from datatool.operations.targets import select
from datatool.progress import SILENT, Progress
from datatool.project.project import Project
from datatool.stages.run_store import Known
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
        return shown(self.record)

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
        """Whether a run was, or would be, executed or its outputs came back before one failed."""
        return any(item.action in (Action.EXECUTED, Action.RESTORED) for item in self.runs)


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
    for several in history.ordered:
        parts = several
        if len(several) > 1 and (force or not _hold(project, several, around, changing, progress=progress)):
            parts = [_together(several)]
        for oid, record in parts:
            try:
                if dry_run:
                    action = _planned(project, record, around, changing, force=force, progress=progress)
                    if action is Action.EXECUTED:
                        changing.update(file.path for file in record.outputs)
                    done.append(Reproduced(recorded=prefixed(oid), record=record, action=action))
                    continue
                result = _again(project, record, around, force=force, progress=progress)
            except DatatoolError as error:
                failed = failure_of(error)
                done.append(Reproduced(recorded=prefixed(oid), record=record, action=Action.FAILED, error=failed))
                return ReproduceResult(runs=tuple(done), dry_run=dry_run)
            differing = _differing(record, result)
            is_done = result.action is Action.EXECUTED  # and with it the other processes of the program
            done.append(
                Reproduced(
                    recorded=prefixed(oid), record=record, action=result.action, result=result, differing=differing
                )
            )
            if is_done:
                break
    return ReproduceResult(runs=tuple(done), dry_run=dry_run)


def _hold(
    project: Project, several: Sequence[Known], around: Surroundings, changing: Collection[bytes], *, progress: Progress
) -> bool:
    """Whether none of several runs of one program has to be executed."""
    if any(file.path in changing for _, record in several for file in record.read):
        return False
    return all(
        _foreseen(project, record, fetches=not around.offline, progress=progress) is not Action.EXECUTED
        for _, record in several
    )


def _together(several: Sequence[Known]) -> Known:
    """Runs that are processes of one program as one run, which makes all that they made; known by the newest."""
    newest = max(several, key=lambda known: known.record.started)
    by_age = sorted(several, key=lambda known: known.record.started)
    outputs = {file.path: file for _, record in by_age for file in record.outputs}
    read = {file.path: file for _, record in by_age for file in record.inputs if file.path not in outputs}
    others = {(file.path, file.oid): file for _, record in by_age for file in record.around}
    record = replace(
        newest.record,
        inputs=tuple(read[path] for path in sorted(read)),
        around=tuple(file for _, file in sorted(others.items()) if file.path not in outputs),
        outputs=tuple(outputs[path] for path in sorted(outputs)),
    )
    return Known(newest.oid, record)


class _History:
    """The runs behind artifacts, each once, what others depend on first."""

    def __init__(self, project: Project, around: Surroundings, progress: Progress) -> None:
        self._project = project
        self._around = around
        self._progress = progress
        self._seen: set[bytes] = set()
        self._found: dict[tuple[object, ...], Known] = {}
        self._read: dict[tuple[object, ...], set[bytes]] = {}
        self._makers: dict[bytes, tuple[object, ...]] = {}

    @property
    def ordered(self) -> list[list[Known]]:
        """The runs in the order in which they have to be executed; those of processes of one program are together."""
        programs: dict[tuple[object, ...], list[tuple[object, ...]]] = {}
        for key, known in self._found.items():
            programs.setdefault(_program(known.record) or key, []).append(key)
        ordered: dict[tuple[object, ...], None] = {}
        seen: set[tuple[object, ...]] = set()

        def visit(program: tuple[object, ...]) -> None:
            if program in seen:
                return
            seen.add(program)
            for read in (path for key in programs[program] for path in sorted(self._read[key])):
                maker = self._makers.get(read)
                if maker is not None:
                    visit(_program(self._found[maker].record) or maker)
            ordered[program] = None

        for program in programs:
            visit(program)
        return [[self._found[key] for key in programs[program]] for program in ordered]

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
        owners = [owner(self._project.root, file.path) for file in record.read]
        behind = {around.path: around for around in owners if around is not None}
        for around in behind.values():
            self.follow(around)
        key = _identity(record)
        self._makers[artifact.path] = key
        self._read.setdefault(key, set()).update(behind)
        known = self._found.get(key)
        if known is None or known.record.started < record.started:
            self._found[key] = Known(run, record)


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


def _program(record: RunRecord) -> tuple[object, ...] | None:
    """What is the same of the runs of one program's processes, which are one execution if they are repeated; None for
    what is by itself."""
    if record.kind is not RunKind.SCRIPT or record.code.entry is None:
        return None
    return record.kind, record.command, record.directory or "", record.code.entry, record.secrets


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


def _differing(record: RunRecord, result: RunResult) -> tuple[str, ...]:
    now: dict[bytes, RunFile] = {file.path: file for file in result.outputs}
    return tuple(
        os.fsdecode(file.path)
        for file in record.outputs
        if file.path in now and (now[file.path].oid, now[file.path].executable) != (file.oid, file.executable)
    )


def _again(project: Project, record: RunRecord, around: Surroundings, *, force: bool, progress: Progress) -> RunResult:
    """Do a run again; what can't be executed is brought back, or left, where nothing that determines it has changed."""
    command = command_of_record(project, record)
    refused = refusal(project, record)
    if refused is None:
        return run_command(project, command, around, force=force, progress=progress)
    fingerprint = None if force else fingerprint_now(project, record)
    result = None
    if fingerprint is not None:
        result = restore_run(project, command, fingerprint, offline=around.offline, progress=progress)
    if result is None:
        raise refused
    return result


def _planned(
    project: Project, record: RunRecord, around: Surroundings, changing: set[bytes], *, force: bool, progress: Progress
) -> Action:
    """What would be done, as far as that can be told before what it depends on is made. Raises Unsaved for outputs with
    edits that nobody saved, and what the run would be refused for, as the run would."""
    refused = refusal(project, record)
    action = Action.EXECUTED
    if not force and not any(file.path in changing for file in record.read):
        action = _foreseen(project, record, fetches=not around.offline, progress=progress)
    if refused is not None and action is Action.EXECUTED:
        raise refused
    outputs = command_of_record(project, record).outputs
    check_unsaved(project, outputs, force=force, left_over=left_over(project, outputs))
    return action


def _foreseen(project: Project, record: RunRecord, *, fetches: bool, progress: Progress) -> Action:
    """What would be done with a run whose inputs stay as they are: where it `fetches`, a remote is trusted to have what
    is not here."""
    bring_lists(project, [file.path for file in record.inputs], offline=not fetches, progress=progress)
    try:
        fingerprint = fingerprint_now(project, record)
    except DatatoolError:
        return Action.EXECUTED
    if fingerprint is None:
        return Action.EXECUTED
    made = command_of_record(project, record).outputs
    known = earlier_run(project, fingerprint, made, offline=True, fetches=False, progress=progress)
    if known is None:
        return Action.RESTORED if fetches and may_be_fetched(project, fingerprint, made) else Action.EXECUTED
    outputs = known.record.outputs
    return Action.RESTORED if unlike_now(project, outputs) or to_bring(project, outputs) else Action.UNCHANGED
