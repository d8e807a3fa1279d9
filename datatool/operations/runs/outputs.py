"""What a run writes: where it may, what must not be lost by it, and the pointers to it."""

from __future__ import annotations

import os
import time
from collections.abc import Collection, Sequence
from itertools import combinations
from pathlib import Path

from datatool.errors import Refused, Unsaved, UsageError
from datatool.localfs.atomic import make_dirs
from datatool.localfs.moving import move
from datatool.localfs.removal import remove_tree
from datatool.localfs.safe_paths import check_parents
from datatool.model.entry import DIRECTORY, FILE
from datatool.model.oid import ObjectId
from datatool.model.paths import named
from datatool.model.pointer import Pointer, Source
from datatool.model.run import RunFile
from datatool.operations.add import add
from datatool.operations.cached import is_cached
from datatool.operations.checkout import checkout_selected
from datatool.operations.record import Target
from datatool.operations.remove import unsaved_paths
from datatool.operations.targets import Selection
from datatool.operations.trackable import refuse_untrackable
from datatool.progress import Progress
from datatool.project.project import Project
from datatool.stages.run_store import load_run
from datatool.workspace.compare import State, compare
from datatool.workspace.pointers import find_artifact, owner


def refuse_outputs(project: Project, outputs: Sequence[bytes], inputs: Collection[bytes]) -> None:
    """Raise for outputs that can't be: twice the same, one inside another, an input, a part of an artifact, something
    that git tracks. Raises UsageError, Refused, UnsafeInput."""
    for output in outputs:
        if not output:
            raise UsageError("the whole project can't be an output", hint="name the files and directories it writes")
        around = owner(project.root, output)
        if around is not None and around.path != output:
            raise Refused(
                f"{named(output)}: lies inside {named(around.path)}, which is one artifact",
                hint=f"-o {named(around.path)} makes all of it the output; or write to another place",
                path=os.fsdecode(output),
            )
    for one, two in combinations(sorted(set(outputs)), 2):
        if _overlap(one, two):
            raise UsageError(f"{named(two)}: lies inside the output {named(one)}", hint="name only one of them")
    for output in outputs:
        for used in inputs:
            if _overlap(output, used) or _overlap(used, output):
                what = "is" if output == used else "overlaps"
                raise UsageError(
                    f"{named(output)}: {what} an input of the same run ({named(used)})",
                    hint="what a run reads and writes can't be told apart then; write to another place",
                )
    targets = [Target(path=path, artifact=find_artifact(project.root, path), withins=()) for path in outputs]
    refuse_untrackable(project, targets, force=False, new=True)


def clear(
    project: Project, outputs: Sequence[bytes], *, force: bool, left_over: Collection[bytes], progress: Progress
) -> None:
    """Take what lies at the outputs away, so that nothing is built on an earlier result: what the cache has is deleted,
    what it has not is refused (Unsaved), or moved to lost+found where `force` says so or an interrupted run left it."""
    check_unsaved(project, outputs, force=force, left_over=left_over)
    lost = lost_place(project)
    for output in outputs:
        if project.workspace.kind(output) is None:
            continue
        check_parents(os.fsencode(project.root), output)
        if _is_unsaved(project, output):
            _set_aside(project, output, lost)
            progress.hint(f"{named(output)}: what was there is in {lost}")
        else:
            _keep(project, output, progress)
            remove_tree(_full(project, output))


def check_unsaved(
    project: Project, outputs: Sequence[bytes], *, force: bool, left_over: Collection[bytes] = ()
) -> None:
    """Raise Unsaved for an output with edits that nobody saved, unless `force` or an interrupted run explains it."""
    for output in outputs:
        if force or output in left_over or not _is_unsaved(project, output):
            continue
        name = named(output)
        raise Unsaved(
            f"{name}: has unsaved changes, which the run would overwrite; nothing was touched",
            hint=f"datatool add {name} keeps them; --force moves them to lost+found and runs",
            path=os.fsdecode(output),
        )


def put_back(project: Project, outputs: Sequence[bytes], before: Collection[bytes], progress: Progress) -> str | None:
    """After a run that failed: what it left at its outputs goes to lost+found, what was there `before` comes back from
    the cache. Gives where lost+found is, if it got something."""
    lost = lost_place(project)
    moved = False
    for output in outputs:
        if project.workspace.kind(output) is not None:
            _set_aside(project, output, lost)
            moved = True
    selections = [
        Selection(artifact=artifact)
        for output in outputs
        if output in before and (artifact := find_artifact(project.root, output)) is not None
    ]
    for done in checkout_selected(project, selections, force=False, progress=progress) if selections else ():
        if done.error is not None:
            progress.warn(done.error.message, hint=done.error.hint)
    return lost if moved else None


def pointer_to(
    project: Project, file: RunFile, run: ObjectId, old: Pointer | None, *, known: bool = True, whole: bool = False
) -> Pointer:
    """The pointer to an output. Where the content is the same and it says already where that came from, it stays: a
    run that makes the same again is no news to git. `known`: unless the record of the run that it names is not here.
    `whole`: nor where that is of a part of a program, and the new one of all of it."""
    fresh = Pointer(
        kind=file.kind,
        oid=file.oid,
        size=file.size,
        files=file.files,
        executable=file.executable,
        source=Source(run=run),
    )
    if old is None:
        return fresh
    source = old.source
    told = source is not None and (source.run is None or not known or project.cache.has(ObjectId(source.run)))
    if whole and source is not None and source.run is not None:
        told = told and not _is_part(project, ObjectId(source.run))
    same = old.oid == file.oid and told
    return Pointer(
        kind=fresh.kind,
        oid=fresh.oid,
        size=fresh.size,
        files=fresh.files,
        executable=fresh.executable,
        description=old.description,
        labels=old.labels,
        role=old.role,
        remote=old.remote,
        push=old.push,
        meta=old.meta,
        source=source if same else fresh.source,
    )


def _is_part(project: Project, run: ObjectId) -> bool:
    record = load_run(project.cache, run)
    return record is not None and bool(record.around or record.more_around)


def lost_place(project: Project) -> str:
    """Where what is moved away by this command goes."""
    stamp = time.strftime("%Y%m%d-%H%M%S", time.gmtime()) + f"-{os.getpid()}"
    return os.fspath(project.local / "lost+found" / stamp)


def _overlap(outer: bytes, inner: bytes) -> bool:
    return not outer or outer == inner or inner.startswith(outer + b"/")


def _full(project: Project, path: bytes) -> Path:
    return Path(os.fsdecode(project.workspace.full(path)))


def _set_aside(project: Project, path: bytes, lost: str) -> None:
    place = Path(lost) / os.fsdecode(path)
    number = 1
    while os.path.lexists(place):  # a run may be tried again within the second
        place = place.with_name(f"{os.path.basename(os.fsdecode(path))}.{number}")
        number += 1
    make_dirs(place.parent)
    move(_full(project, path), place)


def _is_unsaved(project: Project, path: bytes) -> bool:
    """Whether deleting what lies at an output would lose something."""
    artifact = find_artifact(project.root, path)
    if artifact is not None:
        return bool(unsaved_paths(project, artifact))
    kind = project.workspace.kind(path)
    if kind == FILE:
        return bool(project.cache.missing([project.workspace.hash(path)[0]]))
    if kind != DIRECTORY:
        return kind is not None
    for seen in project.workspace.look(path):
        if seen.found.kind == DIRECTORY:
            continue
        if seen.found.kind != FILE:
            return True
        oid = seen.oid or project.workspace.hash(path + b"/" + seen.found.path)[0]
        if project.cache.missing([oid]):
            return True
    return False


def _keep(project: Project, path: bytes, progress: Progress) -> None:
    """See that the cache has what is about to be deleted, should it have lost it."""
    artifact = find_artifact(project.root, path)
    if artifact is None:
        return
    state = compare(project.workspace, project.cache, artifact, project.state.base(path)).state
    if state is State.CLEAN and not is_cached(project.cache, project.state, artifact.pointer):
        add(project, [os.fsdecode(path)], cwd=project.root, progress=progress)
