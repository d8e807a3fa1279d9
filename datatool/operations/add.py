"""Track files and directories: save them into the cache, then write the pointer beside each."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from datatool.errors import PathNotFound, UsageError
from datatool.model.oid import prefixed
from datatool.model.paths import named
from datatool.model.pointer import ArtifactKind, Role
from datatool.operations.ignored import not_ignored_by_project
from datatool.operations.new_version import NewVersion, Pointing, make_versions
from datatool.operations.publish import publish
from datatool.operations.record import Labels, RecordOptions, Target
from datatool.operations.remote_names import no_such_remote
from datatool.operations.result import Part, Result
from datatool.operations.targets import nearest, project_path, require_inside
from datatool.operations.track.making import none_unfinished
from datatool.operations.trackable import refuse_untrackable
from datatool.progress import SILENT, Progress
from datatool.project.project import Project
from datatool.workspace.pointers import SUFFIX, find_artifact, owner


@dataclass(frozen=True, kw_only=True, slots=True)
class Added(Part):
    """One artifact as recorded now; `changed` says whether that is news. Sizes in bytes."""

    path: str
    pointer: str
    kind: ArtifactKind
    oid: str
    size: int
    files: int | None
    changed: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class AddResult(Result):
    """What was added, and the files staged in git."""

    artifacts: tuple[Added, ...]
    staged: tuple[str, ...]


def add(
    project: Project,
    targets: Sequence[str],
    *,
    cwd: Path,
    description: str | None = None,
    labels: Sequence[str] = (),
    role: str | None = None,
    remote: str | None = None,
    follow: bool = False,
    prune: bool = False,
    force: bool = False,
    jobs: int | None = None,
    progress: Progress = SILENT,
) -> AddResult:
    """Record the current content of files and directories as their new version; all of them, or none.

    `follow` stores what links out of a directory point to; `prune` drops what was never fetched; `force` records
    an outdated artifact or an unfinished file, and takes files over from git. Raises PathNotFound, UsageError, Refused,
    Locked, ReadFailed, ChangedWhileRead, NoSpace.

    >>> add(project, ["data/songs"], cwd=Path.cwd()).artifacts[0].files  # doctest: +SKIP
    10000
    """
    if not targets:
        raise UsageError("nothing to add", hint="name the files or directories to track")
    said = Labels(
        description=description,
        labels=tuple(labels) or None,
        role=_role(role),
        remote=_known_remote(project, remote),
    )
    options = RecordOptions(labels=said, follow=follow, prune=prune, force=force)
    chosen = _targets(project, targets, cwd)
    refuse_untrackable(project, chosen, force=force)
    staged: list[str] = []

    def write(pointers: Sequence[Pointing]) -> None:
        staged.extend(publish(project, pointers, progress))
        for problem in not_ignored_by_project(project, [path for path, _, _ in pointers]):
            progress.warn(problem)

    meant = [path for target in chosen for path in _meant(target)]
    with none_unfinished(project, meant, progress, force=force):
        made = make_versions(project, chosen, options, write, progress)
    return AddResult(artifacts=tuple(map(_added, made)), staged=tuple(staged))


# What is meant, and whether it can be tracked


def _role(role: str | None) -> Role | None:
    if role is None:
        return None
    try:
        return Role(role)
    except ValueError:
        raise UsageError(f"{role}: no role", hint=f"roles are {', '.join(Role)}") from None


def _known_remote(project: Project, remote: str | None) -> str | None:
    remotes = project.config.remotes()
    if remote is not None and remote not in remotes:
        raise no_such_remote(project, remote)
    return remote


def _targets(project: Project, targets: Sequence[str], cwd: Path) -> list[Target]:
    found: dict[bytes, list[bytes]] = {}
    for target in targets:
        if target and Path(os.path.realpath(cwd / target)) in project.root.parents:
            raise UsageError(f"{target}: lies around the whole project", hint="name files and directories inside it")
        path = project_path(project, target, cwd)
        if not path or os.path.normpath(target) == os.curdir:
            raise UsageError(
                f"{target}: the whole directory you are in can't be one artifact",
                hint="name the files and directories to track",
            )
        around = owner(project.root, path)
        if around is None and path.endswith(SUFFIX) and find_artifact(project.root, path[: -len(SUFFIX)]) is not None:
            path = path[: -len(SUFFIX)]
            around = find_artifact(project.root, path)
        if around is not None:
            if path != around.path:
                require_inside(project, around, path[len(around.path) + 1 :], target)
            found.setdefault(around.path, []).append(path[len(around.path) + 1 :])
        else:
            if not os.path.lexists(project.workspace.full(path)):
                near = nearest(project, path)
                raise PathNotFound(
                    f"{target}: no such file or directory",
                    hint=f"did you mean {near}?" if near else "check the path: it is taken from the current directory",
                    path=os.fsdecode(path),
                )
            found.setdefault(path, []).append(b"")
    result = []
    for path, withins in sorted(found.items()):
        inside = tuple(sorted(set(withins))) if b"" not in withins else ()
        result.append(Target(path=path, artifact=find_artifact(project.root, path), withins=inside))
    for one, two in pairwise(result):
        if two.path.startswith(one.path + b"/"):
            raise UsageError(f"{named(two.path)}: lies inside {named(one.path)}", hint="name only one of them")
    return result


def _meant(target: Target) -> list[bytes]:
    return [target.path + b"/" + within for within in target.withins] or [target.path]


# The result


def _added(item: NewVersion) -> Added:
    path, pointer = item.recorded.target.path, item.recorded.pointer
    assert pointer.oid is not None
    return Added(
        path=os.fsdecode(path),
        pointer=os.fsdecode(path + SUFFIX),
        kind=pointer.kind,
        oid=prefixed(pointer.oid),
        size=pointer.size or 0,
        files=pointer.files,
        changed=item.changed,
    )
