"""Which versions of which artifacts a push, fetch or pull is about."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from pathlib import Path

from msgspec import Struct

from datatool.errors import FormatError, LocalError, PathNotFound
from datatool.formats.pointer_file import is_pointer, parse_pointer
from datatool.git.revision import all_pointer_blobs, pointers_at, resolve, unpushed_pointer_blobs
from datatool.git.worktree import Worktree
from datatool.model.pointer import Pointer
from datatool.operations.scope import Scope
from datatool.operations.targets import not_found, project_path, select
from datatool.project.project import Project
from datatool.workspace.pointers import SUFFIX


class Version(Struct, frozen=True, kw_only=True):
    """One version of an artifact, whole or one path inside it (`within`); `current`: named by the work tree, else
    `commit` is one that has it."""

    path: bytes
    pointer: Pointer
    within: bytes = b""
    current: bool = False
    commit: str = ""

    @property
    def name(self) -> str:
        """The artifact's path, as Python and JSON spell it."""
        return os.fsdecode(self.path)


def versions(
    project: Project, targets: Sequence[str], cwd: Path, scope: Scope, *, unpushed: bool = False
) -> tuple[list[Version], list[FormatError]]:
    """The versions meant, each once. Without a scope those of the work tree's pointers, and with `unpushed` also
    those of commits that the branch's upstream lacks. Raises PathNotFound, RevisionNotFound, LocalError."""
    if scope.rev is None and not scope.many:
        found, broken = _here(project, targets, cwd, required=True)
        if unpushed and project.worktree is not None:
            older = _parsed(_wanted_paths(project, targets, cwd), unpushed_pointer_blobs(project.worktree))
            found += [version for version in older if not _covered(version, found)]
        return _once(found), broken
    worktree = _git(project)
    wanted = _wanted_paths(project, targets, cwd)
    found, broken = [], []
    if scope.many:
        blobs = all_pointer_blobs(worktree, branches=scope.branches, tags=scope.tags, commits=scope.commits)
        here, broken = _here(project, targets, cwd)
        found = _parsed(wanted, blobs) + here
    if scope.rev is not None:
        commit = resolve(worktree, scope.rev)
        at = _parsed(wanted, ((commit, path, text) for path, text in pointers_at(worktree, commit)))
        if not at and targets:
            raise not_found(project, targets[0], project_path(project, targets[0], cwd))
        found += at
    return _once(found), broken


def _git(project: Project) -> Worktree:
    if project.worktree is None:
        raise LocalError("revisions need git, and there is no usable git repository here", hint="run this in a clone")
    return project.worktree


def _here(
    project: Project, targets: Sequence[str], cwd: Path, *, required: bool = False
) -> tuple[list[Version], list[FormatError]]:
    """The work tree's versions of what is meant; none where only other commits have it, unless `required`."""
    try:
        selections, broken = select(project, targets, cwd)
    except PathNotFound:
        if required:
            raise
        return [], []
    return [
        Version(path=item.artifact.path, pointer=item.artifact.pointer, within=item.within, current=True)
        for item in selections
    ], broken


def _wanted_paths(project: Project, targets: Sequence[str], cwd: Path) -> list[bytes]:
    paths = []
    for target in targets:
        path = project_path(project, target, cwd)
        paths.append(path[: -len(SUFFIX)] if path.endswith(SUFFIX) else path)
    return paths


def _parsed(wanted: Sequence[bytes], blobs: Iterable[tuple[str, bytes, bytes]]) -> list[Version]:
    """Pointers read from git; what doesn't read there is no pointer that anybody could use, and is left out."""
    found: list[Version] = []
    for commit, pointer_path, text in blobs:
        path = pointer_path[: -len(SUFFIX)]
        withins = [_within(path, target) for target in wanted] if wanted else [b""]
        inside = [within for within in withins if within is not None]
        if not inside or not is_pointer(text):
            continue
        try:
            pointer = parse_pointer(text, name=os.fsdecode(pointer_path))
        except FormatError:
            continue
        for within in {b""} if b"" in inside else set(inside):
            found.append(Version(path=path, pointer=pointer, within=within, commit=commit))
    return found


def _within(artifact: bytes, target: bytes) -> bytes | None:
    if not target or artifact == target or artifact.startswith(target + b"/"):
        return b""
    if target.startswith(artifact + b"/"):
        return target[len(artifact) + 1 :]
    return None


def _covered(version: Version, others: Sequence[Version]) -> bool:
    return any(
        other.path == version.path and other.pointer.oid == version.pointer.oid and other.within == version.within
        for other in others
    )


def _once(found: Sequence[Version]) -> list[Version]:
    once: dict[tuple[bytes, str | None, bytes], Version] = {}
    for version in found:
        key = (version.path, version.pointer.oid, version.within)
        if key not in once or version.current:
            once[key] = version
    return sorted(once.values(), key=lambda item: (item.path, item.pointer.oid or "", item.within))
