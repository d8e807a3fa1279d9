"""Stop tracking artifacts: the pointer and its ignore line go, the data stays unless it is to go too."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from datatool.errors import Unsaved, UsageError
from datatool.localfs.atomic import remove_file
from datatool.localfs.removal import remove_tree, require_removable, require_writable
from datatool.localfs.safe_paths import check_parents
from datatool.model.paths import named
from datatool.operations.publish import locked, stage_paths, unignore
from datatool.operations.result import Part, Result
from datatool.operations.targets import Selection, not_found, project_path, select
from datatool.progress import SILENT, Progress
from datatool.project.project import Project
from datatool.workspace.compare import State, compare
from datatool.workspace.pointers import SUFFIX, Artifact


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
    chosen: dict[bytes, Selection] = {}
    for target in targets:
        found, broken = select(project, [target], cwd)
        if broken:
            raise broken[0]
        if not found:
            raise not_found(project, target, project_path(project, target, cwd))
        chosen |= {item.artifact.path: item for item in found}
    for item in chosen.values():
        if item.within:
            raise UsageError(
                f"{named(item.artifact.path + b'/' + item.within)}: is a part of {named(item.artifact.path)}, which is "
                "tracked as a whole",
                hint=f"delete it, then datatool add {named(item.artifact.path)}; or remove all of it",
            )
    with locked(project, chosen, progress):
        if data:
            for path in chosen:
                check_parents(os.fsencode(project.root), path)
            _refuse_unsaved(project, chosen)
        for path in chosen:
            full = _full(project, path)
            require_removable(full) if data else require_writable(full.parent)
        removed = [_removed(project, item, data=data) for _, item in sorted(chosen.items())]
        # The pointer goes last: whoever is stopped before can run the command again.
        for one in removed:
            if one.data_deleted:
                remove_tree(project.root / one.path)
        changed = unignore(project, list(chosen))
        for path in chosen:
            remove_file(_full(project, path + SUFFIX))
            project.state.forget(path)
        staged = stage_paths(project, [item.artifact.pointer_path for item in chosen.values()] + changed, progress)
    if not data and project.worktree is not None:
        for path in sorted(chosen):
            progress.warn(f"{named(path)}: git sees this data again", hint="git add would store it in the repository")
    return RemoveResult(artifacts=tuple(removed), staged=staged)


def unsaved_paths(project: Project, artifact: Artifact) -> list[bytes]:
    """The paths of an artifact, from the project's root, whose content would be lost if it were deleted: it differs
    from what datatool put there, and the cache does not have it."""
    path = artifact.path
    comparison = compare(project.workspace, project.cache.load, artifact, project.state.base(path))
    changed = comparison.added + comparison.modified
    if comparison.state is not State.MODIFIED or not (changed or comparison.unknown):
        return []
    names = [path + b"/" + name if name else path for name in changed or (b"",)]
    return [name for name in names if not _saved(project, name)]


def _removed(project: Project, item: Selection, *, data: bool) -> Removed:
    return Removed(
        path=item.artifact.name,
        pointer=os.fsdecode(item.artifact.pointer_path),
        data_deleted=data and os.path.lexists(project.workspace.full(item.artifact.path)),
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
