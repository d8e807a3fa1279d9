"""What a run reads: each path as it is now, recorded where datatool tracks it, by content where git does."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable, Sequence
from contextlib import suppress

from datatool.errors import DatatoolError, PathNotFound
from datatool.git.ignore import tracked_under
from datatool.localfs.atomic import size_text
from datatool.model.entry import DIRECTORY, EXECUTABLE, FILE, SYMLINK
from datatool.model.paths import named
from datatool.model.pointer import ArtifactKind
from datatool.model.run import RunFile
from datatool.operations.add import Added, add
from datatool.operations.cached import has_list
from datatool.operations.contents.fetch_list import bring_list
from datatool.operations.edit import edit
from datatool.operations.failures import worst
from datatool.operations.pull import pull
from datatool.operations.runs.files import file_in
from datatool.operations.targets import not_found, pointer_paths, project_path
from datatool.operations.track.aside import Committed, aside
from datatool.operations.track.state import Condition, Trees, look
from datatool.progress import Progress
from datatool.project.project import Project
from datatool.workspace.compare import State, compare
from datatool.workspace.pointers import SUFFIX, Artifact, find_artifact, owner

_TO_BRING = (State.ABSENT, State.MISSING, State.PARTIAL, State.OUTDATED)


def inputs_of(project: Project, paths: Sequence[bytes], *, offline: bool, progress: Progress) -> list[RunFile]:
    """What paths of the project stand for now, sorted. What changed is recorded, and what neither datatool nor git
    tracks is added, so that the record names what can be had again. What is not here counts as its pointer says, and so
    does what datatool put here before the pointer moved on.

    Raises PathNotFound, Refused, and what `add` raises.
    """
    chosen = {inner: None for path in paths for inner in _expanded(project, path)}
    to_add = sorted({artifact for path in chosen if (artifact := _to_add(project, path)) is not None})
    if to_add:
        before = {path: find_artifact(project.root, path) for path in to_add}
        names = [os.fsdecode(path) for path in to_add]
        for added in add(project, names, cwd=project.root, progress=progress).artifacts:
            if added.changed:
                progress.hint(_news(added, before.get(os.fsencode(added.path))))
    bring_lists(project, chosen, offline=offline, progress=progress)
    return [file_now(project, path) for path in sorted(chosen)]


def _news(added: Added, before: Artifact | None) -> str:
    """What was recorded of an input: nobody asked for that by name."""
    size = size_text(added.size)
    if before is None:
        return f"{named(os.fsencode(added.path))}: tracked from now on, {size}"
    was = size_text(before.pointer.size or 0)
    return f"{named(os.fsencode(added.path))}: recorded a new version, {size} (was {was})"


def file_now(project: Project, path: bytes) -> RunFile:
    """One path as it is recorded, or as it lies there where datatool does not track it. Raises PathNotFound, and
    Refused where only the list of the artifact that it is in could tell, and is not here."""
    around = owner(project.root, path)
    if around is None:
        return _file_of_git(project, path)
    if around.pointer.oid is None:
        raise PathNotFound(
            f"{named(around.path)}: was imported without its data",
            hint=f"datatool update {named(around.path)} downloads it",
            path=around.name,
        )
    return file_in(project, around.path, around.pointer, path)


def bring_inputs(project: Project, files: Iterable[RunFile], *, offline: bool, progress: Progress) -> None:
    """Fetch and check out what a run reads and what is not here, or outdated. Raises what `pull` fails with."""
    _bring(project, _in_state(project, files, _TO_BRING), offline=offline, progress=progress)


def bring_outdated(project: Project, files: Iterable[RunFile], *, offline: bool, progress: Progress) -> None:
    """The same of what is outdated alone, beside results that came back without it; what fails is a warning."""
    try:
        _bring(project, _in_state(project, files, (State.OUTDATED,)), offline=offline, progress=progress)
    except DatatoolError as error:
        progress.warn(f"{error.message}; what is here is another version than its pointer names", hint=error.hint)


def to_bring(project: Project, files: Iterable[RunFile]) -> list[bytes]:
    """Which of a record's files belong to an artifact that is not, or not wholly, in the workspace, or outdated."""
    return [path for path, _ in _in_state(project, files, _TO_BRING)]


def bring_lists(project: Project, paths: Iterable[bytes], *, offline: bool, progress: Progress) -> None:
    """Get the lists of the directories that some paths lie in, as far as they can be had: without them `file_now` can't
    tell what is there."""
    around = {found.path: found for path in paths if (found := owner(project.root, path)) and found.path != path}
    for artifact in around.values():
        oid, kind = artifact.pointer.oid, artifact.pointer.kind
        if kind is ArtifactKind.DIRECTORY and oid is not None and not offline and not has_list(project.cache, oid):
            with suppress(DatatoolError):
                bring_list(project, artifact, progress)


def _in_state(project: Project, files: Iterable[RunFile], states: Collection[State]) -> list[tuple[bytes, Artifact]]:
    owners = ((file.path, owner(project.root, file.path)) for file in files)
    return [(path, around) for path, around in owners if around is not None and _state(project, around) in states]


def _bring(project: Project, lacking: Sequence[tuple[bytes, Artifact]], *, offline: bool, progress: Progress) -> None:
    """Pull paths; as `track()` does, what lies there in a version that no commit names goes to lost+found."""
    if not lacking:
        return
    committed, trees = Committed(project), Trees(project)
    unnamed = [
        path
        for path, around in lacking
        if look(project, trees, path).condition is Condition.OUTDATED and not committed.names(around)
    ]
    unnamed = [path for path in unnamed if not any(path.startswith(other + b"/") for other in unnamed)]
    names = [os.fsdecode(path) for path, _ in lacking]
    if unnamed:
        edit(project, [os.fsdecode(path) for path in unnamed], cwd=project.root)
    with aside(project, unnamed, progress):
        done = pull(project, names, cwd=project.root, offline=offline, progress=progress)
        error = worst([item.error for item in done.artifacts if item.error is not None], finished=False)
        if error is not None:
            raise error


def unlike_now(project: Project, files: Iterable[RunFile]) -> list[bytes]:
    """Which of a record's files are not, or no longer, what is here and recorded now."""
    return [file.path for file in files if not _is_now(project, file)]


def _is_now(project: Project, file: RunFile) -> bool:
    try:
        around = owner(project.root, file.path)
        if around is not None and _state(project, around) is State.MODIFIED:
            return False
        return file_now(project, file.path).oid == file.oid
    except DatatoolError:
        return False


def _state(project: Project, artifact: Artifact) -> State:
    return compare(project.workspace, project.cache, artifact, project.state.base(artifact.path)).state


def _expanded(project: Project, path: bytes) -> list[bytes]:
    """The path itself; for a directory that is no artifact and has some below it, or files of git's: all of these."""
    if owner(project.root, path) is not None:
        return [path]
    if project.workspace.kind(path) == SYMLINK:
        real = os.fsdecode(os.path.realpath(project.workspace.full(path)))
        return _expanded(project, project_path(project, real, project.root))
    if project.workspace.kind(path) not in (DIRECTORY, None):
        return [path]
    tracked = tracked_under(project.worktree, path) if project.worktree is not None else []
    below = [name[: -len(SUFFIX)] for name in pointer_paths(project, path) if not path or name.startswith(path + b"/")]
    artifacts = [name for name in below if find_artifact(project.root, name) is not None]
    files = [name for name in tracked if not name.endswith((SUFFIX, b".gitignore"))]
    here = [name for name in files if project.workspace.kind(name) == FILE]
    if not artifacts and not here:
        if project.workspace.kind(path) is None:
            raise not_found(project, named(path), path)
        return [path]
    return [*artifacts, *here]


def _to_add(project: Project, path: bytes) -> bytes | None:
    """The artifact that has to be recorded first: one that changed, or one to be."""
    around = owner(project.root, path)
    if around is None:
        kept_by_git = project.worktree is not None and bool(tracked_under(project.worktree, path))
        return None if kept_by_git else path
    if project.workspace.kind(path) is None and project.workspace.kind(around.path) is None:
        return None
    return around.path if _state(project, around) is State.MODIFIED else None


def _file_of_git(project: Project, path: bytes) -> RunFile:
    if project.workspace.kind(path) != FILE:
        raise not_found(project, named(path), path)
    seen = project.workspace.look_at_file(path)
    oid = seen.oid or project.workspace.hash(path)[0]
    entry = project.workspace.entry(seen, oid)
    return RunFile(path=path, kind=ArtifactKind.FILE, oid=oid, size=entry.size, executable=entry.kind == EXECUTABLE)
