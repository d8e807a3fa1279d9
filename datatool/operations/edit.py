"""Make linked, read-only data writable, without touching the cache."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from datatool.errors import PathNotFound, UsageError
from datatool.localfs.batch import Batch
from datatool.localfs.copying import clone_or_copy
from datatool.localfs.modes import file_mode
from datatool.model.entry import DIRECTORY, FILE
from datatool.model.oid import ObjectId
from datatool.model.paths import named
from datatool.model.settings import LinkMethod
from datatool.operations.publish import locked
from datatool.operations.result import Part, Result
from datatool.operations.targets import Selection, project_path, select
from datatool.progress import SILENT, Progress
from datatool.project.project import Project


@dataclass(frozen=True, kw_only=True, slots=True)
class Edited(Part):
    """One artifact, or path inside it; `unlinked` files are copies of their own now."""

    path: str
    unlinked: int


@dataclass(frozen=True, kw_only=True, slots=True)
class EditResult(Result):
    """What was made writable."""

    artifacts: tuple[Edited, ...]


def edit(project: Project, targets: Sequence[str], *, cwd: Path, progress: Progress = SILENT) -> EditResult:
    """Replace links into the cache by copies that may be changed, also those that are tracked no longer. Raises
    PathNotFound, UsageError, LocalError."""
    if not targets:
        raise UsageError("nothing to edit", hint="name the files to make writable")
    untracked: dict[bytes, list[bytes]] = {}
    try:
        selections, broken = select(project, targets, cwd)
    except PathNotFound:
        tracked, untracked = _parted(project, targets, cwd)
        selections, broken = select(project, tracked, cwd) if tracked else ([], [])
    if broken:
        raise broken[0]
    edited = []
    for path, linked in untracked.items():
        for whole in linked:
            _copy(project, whole, None)
        edited.append(Edited(path=os.fsdecode(path), unlinked=len(linked)))
    with progress.task("copying") as task:
        for item in selections:
            with locked(project, [item.artifact.path], progress):
                path = item.artifact.path + b"/" + item.within if item.within else item.artifact.path
                if project.workspace.kind(path) is None:
                    raise PathNotFound(
                        f"{named(path)}: is not here",
                        hint=f"datatool pull {named(path)}",
                        path=os.fsdecode(path),
                    )
                count = 0
                for whole, oid in _linked(project, item):
                    size = _copy(project, whole, oid)
                    task.advance(files=1, bytes=size)
                    count += 1
                edited.append(Edited(path=os.fsdecode(path), unlinked=count))
    return EditResult(artifacts=tuple(edited))


def _parted(project: Project, targets: Sequence[str], cwd: Path) -> tuple[list[str], dict[bytes, list[bytes]]]:
    """The targets that are tracked, and the linked files of those that are not. Raises PathNotFound for one that has
    none."""
    tracked: list[str] = []
    untracked: dict[bytes, list[bytes]] = {}
    for target in targets:
        try:
            select(project, [target], cwd)
            tracked.append(target)
        except PathNotFound:
            path = project_path(project, target, cwd)
            untracked[path] = list(_untracked(project, path))
            if not untracked[path]:
                raise
    return tracked, untracked


def _untracked(project: Project, path: bytes) -> Iterator[bytes]:
    """Files at or below a path that are the cache's all the same: tracked no longer, or not yet as an `add` failed."""
    workspace = project.workspace
    kind = workspace.kind(path)
    own = [os.path.realpath(place) for place in (project.cache.top, project.local, project.root / ".git")]
    directory, name = os.path.split(os.fsdecode(workspace.full(path)))
    real = os.path.join(os.path.realpath(directory), name)
    if any(f"{one}{os.sep}".startswith(f"{other}{os.sep}") for at in own for one, other in ((real, at), (at, real))):
        return  # the cache itself, or around it
    if kind == DIRECTORY:
        found = [path + b"/" + seen.found.path for seen in workspace.look(path) if seen.found.kind == FILE]
    else:
        found = [path] if kind is not None else []
    for whole in found:
        try:
            seen = workspace.look_at_file(whole)
        except PathNotFound:  # a link to nothing
            continue
        target = _raw(seen.found.target)
        if target is not None:
            if _is_linked(project, target, seen.found.stat):
                yield whole
        elif seen.found.kind == FILE and seen.found.stat.st_nlink > 1:
            place = project.cache.loose_path(seen.oid or workspace.hash(whole)[0])
            if place.exists() and place.samefile(os.fsdecode(workspace.full(whole))):
                yield whole


def _linked(project: Project, item: Selection) -> Iterator[tuple[bytes, ObjectId | None]]:
    artifact = item.artifact.path
    if project.workspace.kind(artifact) == DIRECTORY:
        for seen in list(project.workspace.look(artifact, within=item.within)):
            if seen.found.kind == FILE and _is_linked(project, seen.found.target, seen.found.stat):
                yield artifact + b"/" + seen.found.path, seen.oid
    else:
        seen = project.workspace.look_at_file(artifact)
        if _is_linked(project, _raw(seen.found.target), seen.found.stat):
            yield artifact, seen.oid


def _raw(target: bytes | str | None) -> bytes | None:
    return os.fsencode(target) if target is not None else None


def _is_linked(project: Project, target: bytes | None, found: os.stat_result) -> bool:
    if target is not None:
        return target.startswith(os.fsencode(project.cache.top / "objects"))
    return found.st_nlink > 1 or not found.st_mode & stat.S_IWUSR


def _copy(project: Project, path: bytes, oid: ObjectId | None) -> int:
    workspace = project.workspace

    tag = (path, oid) if oid is not None else None
    source = os.open(workspace.full(path), os.O_RDONLY | getattr(os, "O_BINARY", 0))
    try:
        found = os.fstat(source)
        with Batch(
            project.root, durability=project.config.durability, on_published=workspace.remember_published
        ) as batch:
            fd, temp = batch.open_temp(os.path.dirname(path))
            try:
                clone_or_copy(source, fd, found.st_size, (LinkMethod.REFLINK, LinkMethod.COPY))
            except BaseException as error:
                batch.discard(temp, fd=fd)
                if isinstance(error, OSError):
                    raise batch.error(error, path, found.st_size) from error
                raise
            mode = file_mode(executable=bool(found.st_mode & 0o111))
            batch.add(temp, path, fd=fd, mode=mode, size=found.st_size, replace=True, tag=tag)
        return found.st_size
    finally:
        os.close(source)
