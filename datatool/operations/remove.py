"""Stop tracking artifacts: the pointer and its ignore line go, the data stays unless it is to go too."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from datatool.errors import PathNotFound, Unsaved, UsageError
from datatool.localfs.atomic import remove_file
from datatool.localfs.removal import remove_tree, require_removable, require_writable
from datatool.localfs.safe_paths import check_parents
from datatool.model.paths import named
from datatool.operations.ignored import read_if_there
from datatool.operations.marks import mark_of, write_mark
from datatool.operations.publish import locked, stage_paths, unignore
from datatool.operations.result import Part, Result
from datatool.operations.targets import Selection, gone_pointer, nearest, not_found, project_path, select
from datatool.progress import SILENT, Progress
from datatool.project.project import Project
from datatool.workspace.compare import State, compare
from datatool.workspace.pointers import SUFFIX, Artifact, find_artifact


@dataclass(frozen=True, kw_only=True, slots=True)
class Removed(Part):
    """One artifact that is tracked no longer."""

    path: str
    pointer: str
    data_deleted: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class RemoveResult(Result):
    """What was removed, and what was staged in git."""

    artifacts: tuple[Removed, ...]
    staged: tuple[str, ...]


def remove(
    project: Project, targets: Sequence[str], *, cwd: Path, data: bool = False, progress: Progress = SILENT
) -> RemoveResult:
    """Stop tracking whole artifacts; with `data` their files are deleted too, unless there is unsaved work in them.

    All of them, or none. Objects stay in the cache and on remotes. Raises PathNotFound, UsageError, Unsaved,
    LocalError.
    """
    if not targets:
        raise UsageError("nothing to remove", hint="name the artifacts to stop tracking")
    mark = _mark(project, targets, cwd, data=data)
    gone = _gone(project, mark)
    chosen = _chosen(project, targets, cwd, gone)
    with locked(project, [*chosen, *gone], progress):
        if data:
            for path in chosen:
                check_parents(os.fsencode(project.root), path)
            _refuse_unsaved(project, chosen)
        for path in chosen:
            full = _full(project, path)
            require_removable(full) if data else require_writable(full.parent)
        removed = [
            *(_removed(project, path, data=data) for path in chosen),
            *(Removed(path=os.fsdecode(path), pointer=os.fsdecode(path + SUFFIX), data_deleted=data) for path in gone),
        ]
        # The pointers go last, behind the mark: whoever is stopped can run the command again.
        for path in chosen if data else ():
            remove_tree(_full(project, path))  # before anything is written, as the disk may be full
        write_mark(project, mark, b"\0".join([*chosen, *gone]))
        changed = unignore(project, [*chosen, *gone])
        for path in chosen:
            remove_file(_full(project, path + SUFFIX))
            project.state.forget(path)
        staged = stage_paths(project, [*(path + SUFFIX for path in (*chosen, *gone)), *changed], progress)
        remove_file(mark)
    if not data and project.worktree is not None:
        for path in sorted([*chosen, *gone]):
            progress.warn(f"{named(path)}: git sees this data again", hint="git add would store it in the repository")
    return RemoveResult(artifacts=tuple(sorted(removed, key=lambda one: one.path)), staged=staged)


def unsaved_paths(project: Project, artifact: Artifact) -> list[bytes]:
    """The paths of an artifact, from the project's root, whose content would be lost if it were deleted: it differs
    from what datatool put there, and the cache does not have it."""
    path = artifact.path
    comparison = compare(project.workspace, project.cache, artifact, project.state.base(path))
    changed = comparison.added + comparison.modified
    if comparison.state is not State.MODIFIED or not (changed or comparison.unknown):
        return []
    names = [path + b"/" + name if name else path for name in changed or (b"",)]
    return [name for name in names if not _saved(project, name)]


def _mark(project: Project, targets: Sequence[str], cwd: Path, *, data: bool) -> Path:
    asked = sorted({os.fsdecode(project_path(project, target, cwd)) for target in targets})
    return mark_of(project, "removals", asked=asked, data=data)


def _gone(project: Project, mark: Path) -> list[bytes]:
    """The artifacts that the same command has removed before it was killed."""
    listed = read_if_there(mark)
    return [path for path in (listed or b"").split(b"\0") if path and find_artifact(project.root, path) is None]


def _chosen(project: Project, targets: Sequence[str], cwd: Path, gone: Sequence[bytes]) -> dict[bytes, Selection]:
    """The artifacts that targets name, in order. Raises for a target that is none, unless what it named is gone."""
    chosen: dict[bytes, Selection] = {}
    for target in targets:
        path = project_path(project, target, cwd)
        try:
            found, broken = select(project, [target], cwd)
        except PathNotFound as error:
            if any(one in (path, path.removesuffix(SUFFIX)) or one.startswith(path + b"/") for one in gone):
                continue
            if project.workspace.kind(path) is not None and gone_pointer(project, path) is None:
                # to add it is no step towards what was asked for
                near = nearest(project, path)
                error.hint = "nothing is left to remove" + (f"; did you mean {near}?" if near else "")
            raise
        if broken:
            raise broken[0]
        if not found:
            raise not_found(project, target, path)
        chosen |= {item.artifact.path: item for item in found}
    for item in chosen.values():
        if item.within:
            raise UsageError(
                f"{named(item.artifact.path + b'/' + item.within)}: is a part of {named(item.artifact.path)}, which is "
                "tracked as a whole",
                hint=f"delete it, then datatool add {named(item.artifact.path)}; or remove all of it",
            )
    return dict(sorted(chosen.items()))


def _removed(project: Project, path: bytes, *, data: bool) -> Removed:
    return Removed(
        path=os.fsdecode(path),
        pointer=os.fsdecode(path + SUFFIX),
        data_deleted=data and os.path.lexists(project.workspace.full(path)),
    )


def _full(project: Project, path: bytes) -> Path:
    return Path(os.fsdecode(project.workspace.full(path)))


def _refuse_unsaved(project: Project, chosen: dict[bytes, Selection]) -> None:
    for path, item in chosen.items():
        lost = unsaved_paths(project, item.artifact)
        if lost:
            first = lost[0]
            raise Unsaved(
                f"{named(first)}: unsaved changes; nothing was removed",
                hint=f"datatool add {named(path)} keeps them, or remove without --data",
                path=os.fsdecode(first),
            )


def _saved(project: Project, path: bytes) -> bool:
    if project.workspace.kind(path) != "f":
        return False
    return not project.cache.missing([project.workspace.hash(path)[0]])
