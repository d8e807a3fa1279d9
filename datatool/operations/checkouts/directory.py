"""Check out one artifact that is a directory."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from datatool.errors import DatatoolError, PathNotFound
from datatool.formats.tree_object import read_tree
from datatool.index.state import Base
from datatool.localfs.atomic import make_dirs, remove_file
from datatool.localfs.removal import remove_empty_dirs
from datatool.model.entry import DIRECTORY, FILE
from datatool.model.oid import ObjectId
from datatool.model.paths import named
from datatool.operations.cached import has_list
from datatool.operations.checkouts.checked_out import CheckedOut, failed, lacking, unsaved, written_through
from datatool.operations.checkouts.make_way import put_back, refuse_unholdable, set_aside
from datatool.operations.failures import Failure, failure_of
from datatool.operations.space import room_for
from datatool.operations.targets import Selection, not_found
from datatool.progress import Spared, Task
from datatool.project.project import Project
from datatool.workspace.checkout import Checkout, empty_tree, tree_without
from datatool.workspace.compare import known_tree
from datatool.workspace.early_copies import EarlyCopies
from datatool.workspace.placing import Outcome

_LOOKED_AT = 16
"""Of so many unsaved files it is looked up whether somebody wrote through a link."""


def check_out_directory(
    project: Project,
    item: Selection,
    oid: ObjectId,
    *,
    lost: Path | None,
    relink: bool,
    task: Task,
    early: EarlyCopies | None = None,
) -> tuple[CheckedOut, Outcome]:
    """Make a directory, or the part of it that is meant, the tree `oid`; unsaved files are moved below `lost`, and back
    where it fails."""
    aside: list[bytes] = []
    try:
        return _check_out(project, item, oid, lost=lost, relink=relink, task=task, early=early, aside=aside)
    except BaseException as error:
        if lost is None or put_back(project, lost, aside) or not isinstance(error, DatatoolError):
            raise
        return failed(item.artifact, error, saved_to=os.fspath(lost)), Outcome()


def _check_out(
    project: Project,
    item: Selection,
    oid: ObjectId,
    *,
    lost: Path | None,
    relink: bool,
    task: Task,
    early: EarlyCopies | None,
    aside: list[bytes],
) -> tuple[CheckedOut, Outcome]:
    """What was moved below `lost` is added to `aside`."""
    artifact = item.artifact
    workspace, cache = project.workspace, project.cache
    base = project.state.base(artifact.path)
    saved_to = None
    kind = workspace.kind(artifact.path)
    in_the_way = kind not in (None, DIRECTORY)
    is_saved = in_the_way and _is_saved_file(project, artifact.path)
    if in_the_way and not is_saved and lost is None:
        set_aside(project, artifact.path, lost)  # refuses
    if not has_list(project.cache, oid):
        raise lacking(item, [artifact.path], [])
    if os.name == "nt":
        refuse_unholdable(artifact.path, (entry.path for entry in read_tree(oid, cache.load)))
    if is_saved:
        remove_file(Path(os.fsdecode(workspace.full(artifact.path))))
    elif in_the_way:
        aside.append(artifact.path)
        saved_to = set_aside(project, artifact.path, lost)
    here = base.here if base is not None else None
    if here is not None and not has_list(project.cache, here):
        here = None
    if here == oid and not item.within and not relink and kind == DIRECTORY and _untouched(project, artifact.path, oid):
        project.state.set_base(artifact.path, Base(version=oid, here=oid))
        task.advance(bytes=Spared(artifact.pointer.size or 0), files=artifact.pointer.files or 0)
        return CheckedOut(path=artifact.name, changed=False), Outcome()
    if item.within:
        _require_within(project, item, oid, here)
    if kind is None and base is not None:
        here = _nothing_here(project, artifact.path, base)
    job = Checkout(
        workspace=workspace,
        cache=cache,
        load=cache.load,
        artifact=artifact.path,
        here=here,
        target=oid,
        within=item.within,
        links=project.config.link_methods,
        durability=project.config.durability,
        relink=relink,
        fresh=kind is None,
        had_links=kind == DIRECTORY,
        beside=item.beside,
        early=early,
    )
    full = Path(os.fsdecode(workspace.full(artifact.path)))
    make_dirs(full)
    plan = job.plan()
    if plan.unsaved and lost is None:
        paths = [artifact.path + b"/" + path for path in plan.unsaved]
        raise unsaved(artifact.path, paths, through=_written_through(project, artifact.path, here, plan.unsaved))
    if plan.unsaved and lost is not None:
        saved_to = os.fspath(lost)
        aside += [artifact.path + b"/" + path for path in plan.unsaved]
    # Killed in here, the base stays what it was: each file written is in the cache, so the next run finds it right.
    try:
        with room_for(named(artifact.path), artifact.pointer.size, "the workspace", project.root):
            outcome = job.apply(plan, task, save_to=lost)
    except DatatoolError:
        if kind != DIRECTORY:
            remove_empty_dirs(full)  # where no file came, nothing of it is here
        raise
    without = {*outcome.missing, *outcome.damaged, *outcome.refused}
    if lost is not None and without:
        gone = [artifact.path + b"/" + path for path in plan.unsaved if path in without]
        if put_back(project, lost, gone) and len(gone) == len(aside):
            saved_to = None
    if without or item.within:
        present = tree_without(cache.load, cache, here=here, target=oid, within=item.within, failed=without).oid
    else:
        present = oid
    if not item.older:
        project.state.set_base(artifact.path, Base(version=oid, here=present))
    result = CheckedOut(
        path=artifact.name,
        changed=bool(outcome.written or outcome.deleted),
        written=outcome.written,
        deleted=outcome.deleted,
        kept=_names(artifact.path, plan.kept),
        missing=_names(artifact.path, sorted({*outcome.missing, *outcome.damaged})),
        saved_to=saved_to,
        error=_failure(item, outcome) if without else None,
    )
    return result, outcome


def _nothing_here(project: Project, artifact: bytes, base: Base) -> ObjectId:
    """The tree of nothing, remembered as what is here of a directory that is gone, before any of it comes back: what
    does not come, as only a part was wanted or the process was killed, is absent then, and nobody deleted it."""
    nothing = empty_tree(project.cache)
    project.state.set_base(artifact, Base(version=base.version, here=nothing))
    project.state.commit()
    return nothing


def _require_within(project: Project, item: Selection, oid: ObjectId, here: ObjectId | None) -> None:
    """PathNotFound where the version has nothing at the path, unless what is here is to go for that."""
    path = item.artifact.path + b"/" + item.within
    for tree in (oid,) if item.older else (oid, here):
        if tree is not None and next(iter(read_tree(tree, project.cache.load, within=item.within)), None) is not None:
            return
    if not item.older:
        raise not_found(project, os.fsdecode(path), path)
    raise PathNotFound(
        f"{named(path)}: was not in {named(item.artifact.path)} then",
        hint=f"datatool log {named(path)} shows its versions",
        path=os.fsdecode(path),
    )


def _is_saved_file(project: Project, path: bytes) -> bool:
    """Whether a file of which the cache has the bytes lies there, or a link that stands for one."""
    try:
        seen = project.workspace.look_at_file(path)
    except PathNotFound:  # a link to nothing
        return False
    return seen.found.kind == FILE and not project.cache.missing([seen.oid or project.workspace.hash(path)[0]])


def _written_through(project: Project, artifact: bytes, here: ObjectId | None, paths: Sequence[bytes]) -> bytes | None:
    """The first of some changed paths at which somebody wrote through a link into the cache."""
    for path in paths[:_LOOKED_AT] if here is not None else ():
        assert here is not None
        for entry in read_tree(here, project.cache.load, within=path):
            if entry.path == path and written_through(project, artifact + b"/" + path, entry.oid):
                return artifact + b"/" + path
    return None


def _untouched(project: Project, artifact: bytes, oid: ObjectId) -> bool:
    return known_tree(project.workspace, artifact) == oid


def _names(artifact: bytes, paths: Sequence[bytes]) -> tuple[str, ...]:
    return tuple(os.fsdecode(artifact + b"/" + path if path else artifact) for path in paths)


def _failure(item: Selection, outcome: Outcome) -> Failure:
    artifact = item.artifact
    if outcome.refused and not outcome.damaged:
        return failure_of(unsaved(artifact.path, [artifact.path + b"/" + path for path in outcome.refused]))
    return failure_of(lacking(item, outcome.missing, outcome.damaged, whole=artifact.path))
