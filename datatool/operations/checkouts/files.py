"""Check out artifacts that are single files: many together, for the price of one sync and one wait."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path

from msgspec import Struct

from datatool.errors import DatatoolError
from datatool.formats.tree_object import read_tree
from datatool.index.state import Base
from datatool.localfs.batch import Batch
from datatool.localfs.open_files import room_for_files
from datatool.localfs.removal import remove_tree
from datatool.model.entry import DIRECTORY, EXECUTABLE, FILE, SYMLINK, Entry
from datatool.model.oid import ObjectId
from datatool.model.paths import named
from datatool.operations.cached import has_list
from datatool.operations.checkouts.checked_out import CheckedOut, failed, lacking, unsaved
from datatool.operations.checkouts.make_way import make_place, put_back, set_aside
from datatool.operations.space import room_for
from datatool.operations.targets import Selection
from datatool.progress import Spared, Task
from datatool.project.project import Project
from datatool.workspace.checkout_file import FileCheckout
from datatool.workspace.early_copies import EarlyCopies
from datatool.workspace.placing import Outcome, stays

TOGETHER = 1024
"""Files written together, each under its lock, which is an open file."""

TOGETHER_BYTES = 256 << 20


class _Ready(Struct, frozen=True, kw_only=True):
    """A file that may be written: nothing unsaved is in its way any more."""

    item: Selection
    job: FileCheckout
    base: Base
    changed: bool
    saved_to: str | None


def groups(files: Sequence[Selection]) -> Iterator[list[Selection]]:
    """Files in portions that are written together."""
    most = room_for_files(min(TOGETHER, len(files)))
    group: list[Selection] = []
    size = 0
    for item in files:
        more = item.artifact.pointer.size or 0
        if group and (len(group) >= most or size + more > TOGETHER_BYTES):
            yield group
            group, size = [], 0
        group.append(item)
        size += more
    if group:
        yield group


def check_out_files(
    project: Project,
    items: Sequence[Selection],
    *,
    lost: Path | None,
    relink: bool,
    task: Task,
    early: EarlyCopies | None = None,
) -> tuple[list[CheckedOut], int]:
    """Make each file what its pointer says, and tell how many bytes were copied; unsaved ones are moved below `lost`.

    The caller holds their locks. What stops one of them is told in its result.
    """
    results: list[CheckedOut] = []
    ready: list[_Ready] = []
    swept: set[Path] = set()
    for item in items:
        try:
            make_place(project, item.artifact.path, swept)
            prepared = _prepare(project, item, lost, relink, early)
        except DatatoolError as error:
            results.append(failed(item.artifact, error))
            continue
        if isinstance(prepared, _Ready):
            ready.append(prepared)
        else:
            task.advance(bytes=Spared(item.artifact.pointer.size or 0), files=1)
            results.append(prepared)
    written, copied = _write_all(project, ready, task)
    return results + written, copied


def _prepare(
    project: Project, item: Selection, lost: Path | None, relink: bool, early: EarlyCopies | None
) -> CheckedOut | _Ready:
    """Look what lies there, and put it out of the way if it may be; CheckedOut where there is nothing to write."""
    artifact = item.artifact
    oid = artifact.pointer.oid
    assert oid is not None
    entry = Entry(EXECUTABLE if artifact.pointer.executable else FILE, artifact.path, oid, artifact.pointer.size or 0)
    base = project.state.base(artifact.path)
    job = FileCheckout(
        workspace=project.workspace,
        cache=project.cache,
        path=artifact.path,
        target=entry,
        here=base.here if base is not None else None,
        links=project.config.link_methods,
        durability=project.config.durability,
        early=early,
    )
    right, is_unsaved = job.current()
    saved_to = None
    new_base = Base(version=oid, here=oid, executable=artifact.pointer.executable)
    if right and not (relink and not stays(project.workspace, project.cache, artifact.path, oid, job.links)):
        project.state.set_base(artifact.path, new_base)
        return CheckedOut(path=artifact.name, changed=False)
    if not project.cache.has(oid):
        raise lacking(item, [artifact.path], [])
    is_directory = is_unsaved and project.workspace.kind(artifact.path) == DIRECTORY
    if is_directory and _all_saved(project, artifact.path, base):
        remove_tree(Path(os.fsdecode(project.workspace.full(artifact.path))))
    elif is_unsaved:
        saved_to = set_aside(project, artifact.path, lost, was=base.here if base is not None else None)
    return _Ready(item=item, job=job, base=new_base, changed=not right, saved_to=saved_to)


def _write_all(project: Project, ready: Sequence[_Ready], task: Task) -> tuple[list[CheckedOut], int]:
    """Write files together; where one of them stops that, each by itself."""
    try:
        return _write(project, ready, task)
    except DatatoolError as error:
        if len(ready) == 1:
            return [_stopped(project, ready[0], error)], 0
    results: list[CheckedOut] = []
    copied = 0
    for one in ready:
        again, more = _write_again(project, one, task)
        results += again
        copied += more
    return results, copied


def _write_again(project: Project, one: _Ready, task: Task) -> tuple[list[CheckedOut], int]:
    """Write one that may have got its name already, or been written by somebody else meanwhile."""
    try:
        right, is_unsaved = one.job.current()
    except DatatoolError as error:
        return [_stopped(project, one, error)], 0
    if is_unsaved:
        path = one.item.artifact.path
        return [_stopped(project, one, unsaved(path, [path]))], 0
    if right and one.changed:
        return [_finish(project, one)], 0
    return _write_all(project, [one], task)


def _write(project: Project, ready: Sequence[_Ready], task: Task) -> tuple[list[CheckedOut], int]:
    outcome = Outcome()
    if not ready:
        return [], 0
    size = sum(one.job.target.size for one in ready)
    with (
        room_for(named(ready[0].job.path), size, "the workspace", project.root),
        Batch(
            project.root, durability=project.config.durability, on_published=project.workspace.remember_published
        ) as batch,
    ):
        try:
            for one in ready:
                one.job.put(batch, outcome, task)
        except BaseException as error:
            if not isinstance(error, Exception):  # interrupted: nobody tries them one by one
                for one in ready:
                    _is_back(project, one)
            raise
    missing, damaged = set(outcome.missing), set(outcome.damaged)
    results = []
    for one in ready:
        path = one.job.path
        if path in missing or path in damaged:
            problem = lacking(one.item, [path] if path in missing else [], [path] if path in damaged else [])
            results.append(_stopped(project, one, problem))
        else:
            results.append(_finish(project, one))
    return results, outcome.bytes_copied


def _stopped(project: Project, one: _Ready, error: DatatoolError) -> CheckedOut:
    return failed(one.item.artifact, error, saved_to=None if _is_back(project, one) else one.saved_to)


def _is_back(project: Project, one: _Ready) -> bool:
    """Whether nothing of it is in lost+found any more, as nothing came in its stead."""
    return one.saved_to is None or put_back(project, Path(one.saved_to), [one.job.path])


def _finish(project: Project, one: _Ready) -> CheckedOut:
    """Remember that the file is there now."""
    project.state.set_base(one.job.path, one.base)
    return CheckedOut(path=one.item.artifact.name, changed=one.changed, written=1, saved_to=one.saved_to)


def _all_saved(project: Project, artifact: bytes, base: Base | None) -> bool:
    """Whether the cache has every file of a directory, and datatool put every link there."""
    workspace = project.workspace
    oids: list[ObjectId] = []
    links: list[tuple[bytes, bytes | None]] = []
    for seen in workspace.look(artifact):
        if seen.found.kind == FILE:
            oids.append(seen.oid or workspace.hash(artifact + b"/" + seen.found.path)[0])
        elif seen.found.kind == SYMLINK:
            links.append((seen.found.path, seen.found.target))
    if links and (base is None or not has_list(project.cache, base.here)):
        return False
    known = {entry.path: entry.target for entry in read_tree(base.here, project.cache.load)} if links and base else {}
    return not project.cache.missing(oids) and all(known.get(path) == target for path, target in links)
