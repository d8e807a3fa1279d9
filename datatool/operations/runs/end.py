"""The end of a run: what it made becomes artifacts, and a record says what it saw and made (formats §5)."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import TypeVar

from msgspec import Struct
from msgspec.structs import replace

from datatool.errors import DatatoolError
from datatool.git.changes import code_difference
from datatool.git.worktree import head_commit
from datatool.model.oid import ObjectId
from datatool.model.run import RunCode, RunEnvironment, RunFile, RunRecord
from datatool.operations.new_version import NewVersion, Pointing, point_to
from datatool.operations.publish import locked, publish
from datatool.operations.record import Labels, Recorded, RecordOptions, Target, record_all
from datatool.operations.runs.execution import Execution, recorded
from datatool.operations.runs.files import file_in
from datatool.operations.runs.outputs import pointer_to
from datatool.operations.trackable import refuse_untrackable
from datatool.progress import Progress
from datatool.project.project import Project
from datatool.stages.environment import host, user
from datatool.stages.run_store import save_run
from datatool.workspace.pointers import find_artifact, owner

_T = TypeVar("_T")


class Ended(Struct, frozen=True, kw_only=True):
    """A record and the outputs in it, with the artifacts' versions; `new` says whether the record is."""

    run: ObjectId
    outputs: tuple[RunFile, ...]
    versions: tuple[NewVersion, ...]
    staged: tuple[str, ...]
    new: bool
    lines: tuple[str, ...] = ()
    """What to tell of each artifact that is news."""

    @property
    def changed(self) -> frozenset[bytes]:
        """The artifacts that are news."""
        return frozenset(item.recorded.target.path for item in self.versions if item.changed)


def code_now(project: Project, *, entry: str | None = None, functions: Mapping[str, str] | None = None) -> RunCode:
    """The code of the project as it is: taken before something runs, as it may be edited meanwhile."""
    worktree = project.worktree
    return RunCode(
        commit=head_commit(worktree) if worktree is not None else None,
        diff=code_difference(worktree) if worktree is not None else None,
        entry=entry,
        functions=functions or {},
    )


def end_run(
    project: Project,
    execution: Execution,
    outputs: Sequence[bytes],
    *,
    environment: RunEnvironment,
    noted: Collection[bytes] = (),
    always: bool = True,
    stage: bool = True,
    on_failure: Callable[[DatatoolError], None] | None = None,
    progress: Progress,
) -> Ended:
    """Save the outputs, then the record, then the pointers that name it. Of the outputs, `noted` are those that nobody
    named. Unless `always`, nothing is written where a record says the same already. Raises what `add` does; but
    who gives `on_failure` hears of each output that can't be recorded, and the others are.
    """
    owners = [owner(project.root, path) for path in outputs]
    artifacts = [around.path if around is not None else path for around, path in zip(owners, outputs, strict=True)]
    targets = [_target(project, path, outputs) for path in sorted(set(artifacts))]
    targets = _each(targets, lambda some: _trackable(project, some), on_failure)
    with locked(project, [target.path for target in targets], progress):
        targets = [replace(target, artifact=find_artifact(project.root, target.path)) for target in targets]
        saved = _each(targets, lambda some: _saved(project, some, progress), on_failure)
        by_path = {item.target.path: item for item in saved}
        files = tuple(
            dataclasses.replace(file_in(project, artifact, by_path[artifact].pointer, path), noted=path in noted)
            for path, artifact in sorted(zip(outputs, artifacts, strict=True))
            if artifact in by_path
        )
        run, new = _record(project, execution, environment, files, always=always)
        # A program asks no remote for the record that a pointer names, so here it may be unknown.
        saved = [_of_run(project, item, run, known=stage, whole=stage and not execution.around) for item in saved]
        staged: list[str] = []

        def write(pointers: Sequence[Pointing]) -> None:
            staged.extend(publish(project, pointers, progress, stage=stage))

        made = point_to(project, saved, write) if saved else []
    return Ended(run=run, outputs=files, versions=tuple(made), staged=tuple(staged), new=new)


def _each(
    targets: list[Target], do: Callable[[list[Target]], list[_T]], on_failure: Callable[[DatatoolError], None] | None
) -> list[_T]:
    """Do something with all targets at once; where that fails, with each by itself, so that it costs only its own."""
    try:
        return do(targets)
    except DatatoolError as error:
        if on_failure is None:
            raise
        if len(targets) == 1:
            on_failure(error)
            return []
    return [item for target in targets for item in _each([target], do, on_failure)]


def _trackable(project: Project, targets: list[Target]) -> list[Target]:
    refuse_untrackable(project, targets, force=False)
    return targets


def _saved(project: Project, targets: Sequence[Target], progress: Progress) -> list[Recorded]:
    whole = [target for target in targets if not target.withins]
    parts = [target for target in targets if target.withins]
    saved = list(record_all(project, whole, _options(prune=True), progress)) if whole else []
    return saved + list(record_all(project, parts, _options(prune=False), progress) if parts else [])


def _options(*, prune: bool) -> RecordOptions:
    """A run says what its outputs are: an older version, or fewer files than before, is as good as any."""
    return RecordOptions(labels=Labels(), follow=False, prune=prune, force=True)


def _target(project: Project, path: bytes, outputs: Sequence[bytes]) -> Target:
    withins = tuple(sorted(output[len(path) + 1 :] for output in outputs if output.startswith(path + b"/")))
    return Target(path=path, artifact=find_artifact(project.root, path), withins=() if path in outputs else withins)


def _of_run(project: Project, item: Recorded, run: ObjectId, *, known: bool, whole: bool) -> Recorded:
    if item.target.withins:
        return item  # a part of an artifact: all of it was not made by this run
    old = item.target.artifact.pointer if item.target.artifact is not None else None
    file = file_in(project, item.target.path, item.pointer, item.target.path)
    pointer = pointer_to(project, file, run, old, known=known, whole=whole)
    return replace(item, pointer=replace(item.pointer, source=pointer.source))


def _record(
    project: Project, execution: Execution, environment: RunEnvironment, outputs: tuple[RunFile, ...], *, always: bool
) -> tuple[ObjectId, bool]:
    """The record of a run, and whether it was written now."""
    known = None if always else recorded(project, execution, outputs)
    if known is not None:
        return known, False
    record = RunRecord(
        fingerprint=execution.fingerprint,
        project=project.config.project or "",
        kind=execution.kind,
        name=execution.name,
        code=execution.code,
        inputs=tuple(sorted(execution.inputs, key=lambda file: file.path)),
        around=tuple(execution.around),
        more_around=execution.more_around,
        outputs=outputs,
        parameters=execution.parameters,
        metrics=execution.metrics,
        started=time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(execution.started)),
        duration=round(execution.duration, 3),
        host=host(),
        user=user(),
        environment=environment,
        command=execution.command,
        directory=execution.directory,
        noted_parameters=execution.noted_parameters,
        secrets=execution.secrets,
    )
    return save_run(project.cache, record), True
