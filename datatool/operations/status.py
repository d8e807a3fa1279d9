"""What state every artifact is in: here, in the cache, in git, and on the remote."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

from datatool.errors import DatatoolError, FormatError
from datatool.formats.pointer_file import kind_said
from datatool.git.pointers import list_pointers, pointer_states
from datatool.model.entry import DIRECTORY
from datatool.model.oid import ObjectId
from datatool.model.paths import named
from datatool.model.pointer import ArtifactKind, Pointer
from datatool.operations.cached import is_cached
from datatool.operations.failures import Failure, failure_of
from datatool.operations.ignored import not_ignored_by_project
from datatool.operations.move_marks import killed_moves
from datatool.operations.remote_names import no_such_remote
from datatool.operations.result import Part, Result, fields_of
from datatool.operations.targets import Selection, chosen_from, name_of, select
from datatool.operations.track.marks import unfinished
from datatool.progress import SILENT, Progress
from datatool.project.project import Project
from datatool.remote.known import known_pushed
from datatool.remote.url import label_of
from datatool.workspace.compare import Comparison, State, compare, part_of
from datatool.workspace.pointers import SUFFIX, Artifact, read_pointer_file

__all__ = ["ArtifactStatus", "Changes", "State", "StatusResult", "status"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Changes(Part):
    """Paths that differ from what datatool last wrote, relative to the project's root; always complete."""

    added: tuple[str, ...] = ()
    modified: tuple[str, ...] = ()
    deleted: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.added or self.modified or self.deleted)


@dataclass(frozen=True, kw_only=True, slots=True)
class ArtifactStatus(Part):
    """One artifact. `remote` is None unless the remote was asked; `pushed` is when this version was last known to be
    there (ISO 8601), from memory; `error` says why its state can't be told."""

    path: str
    kind: ArtifactKind
    state: State
    pointer: str
    pointer_state: str
    cached: bool
    remote: bool | None
    pushed: str | None
    size: int | None
    files: int | None
    changes: Changes
    error: Failure | None = None
    moved: bool = False
    """Whether the pointer names another version than the one that was last put here."""
    half_moved: tuple[str, str] | None = None
    """The old and the new name in a move that was killed between its data and its pointer."""
    available: str | None = None
    """The commit that an update of this import would go to, where its source was asked and has news."""

    def to_dict(self) -> dict[str, object]:
        """As `--json` prints it."""
        return fields_of(self, "moved", "half_moved")


@dataclass(frozen=True, kw_only=True, slots=True)
class StatusResult(Result):
    """All of them; `clean` when every one is. `notes` are things the user may want to mend."""

    artifacts: tuple[ArtifactStatus, ...]
    clean: bool
    notes: tuple[str, ...]

    @property
    def problems(self) -> tuple[Failure, ...]:
        """What failed while the rest went on."""
        return tuple(item.error for item in self.artifacts if item.error)


def status(
    project: Project,
    targets: Sequence[str] = (),
    *,
    cwd: Path,
    there: Mapping[bytes, bool] | None = None,
    news: Mapping[bytes, str] | None = None,
    remote_name: str | None = None,
    lacking: Sequence[DatatoolError] = (),
    progress: Progress = SILENT,
) -> StatusResult:
    """Look at artifacts; nothing is changed, and files are hashed only where size and times can't tell.

    `there` is what `remote_status.what_remotes_have` found, where the remotes were asked, and `news` the newer commits
    of imports' sources that `remote_status.what_sources_have` found; `remote_name` is the remote whose memory tells
    what is pushed, instead of the default one; `lacking` are errors to tell among the results. Raises
    PathNotFound, RemoteNotFound.

    >>> status(project, cwd=Path.cwd()).clean  # doctest: +SKIP
    True
    """
    if remote_name is not None and remote_name not in project.config.remotes():
        raise no_such_remote(project, remote_name)
    states: Mapping[bytes, str] = {}
    deleted: Sequence[bytes] = ()
    if project.worktree is not None and not targets:
        listing = list_pointers(project.worktree)
        selections, broken = chosen_from(project, listing.paths)
        deleted = listing.deleted
        paths = [item.artifact.pointer_path for item in selections]
        states = pointer_states(project.worktree, paths, untracked=listing.untracked)
    else:
        selections, broken = select(project, targets, cwd)
        if project.worktree is not None:
            states = pointer_states(project.worktree, [item.artifact.pointer_path for item in selections])
    pushed = _Pushed(project, remote_name)
    half_moved = killed_moves(project)
    stamp = project.cache.stamp() if selections else b""
    found: list[ArtifactStatus] = []
    with progress.task("looking", files=len(selections)) as task:
        for item in selections:
            one = _one(project, item, states, there or {}, pushed, stamp)
            path = item.artifact.path
            found.append(replace(one, available=(news or {}).get(path), half_moved=_names(half_moved.get(path))))
            task.advance(files=1)
    found += [_broken(project, error) for error in (*broken, *lacking)]
    notes = [f"git refuses this repository, so its part is left out: {project.unsafe}"] if project.unsafe else []
    notes += project.config.ignored
    notes += not_ignored_by_project(project, [item.artifact.path for item in selections])
    moving = {old for old, _ in half_moved.values()}
    notes += [
        f"{named(path)}: was deleted, so what it tracks is left out; git checkout -- {named(path)} brings it back, "
        f"git rm {named(path)} drops it"
        for path in deleted
        if project.workspace.kind(path.removesuffix(SUFFIX)) and path.removesuffix(SUFFIX) not in moving
    ]
    notes += [
        f"{named(old)}: is being moved, or was left half moved by a command that was killed; "
        f"datatool move {named(old)} {named(new)} completes it"
        for old, new in (half_moved[path] for path in sorted(half_moved))
    ]
    notes += [
        f"{named(path)}: is being made, or was left unfinished by a program that was killed; if it is whole, "
        f"datatool add --force {named(path)} records it"
        for path in (() if targets else unfinished(project))
    ]
    return StatusResult(
        artifacts=tuple(sorted(found, key=lambda item: item.path)),
        clean=all(item.state is State.CLEAN and item.error is None for item in found),
        notes=tuple(notes),
    )


def _one(
    project: Project,
    item: Selection,
    states: Mapping[bytes, str],
    there: Mapping[bytes, bool],
    pushed: _Pushed,
    stamp: bytes,
) -> ArtifactStatus:
    artifact = item.artifact
    error: Failure | None = None
    base = project.state.base(artifact.path)
    try:
        comparison = compare(project.workspace, project.cache, artifact, base)
    except DatatoolError as problem:
        comparison, error = Comparison(state=State.MODIFIED), failure_of(problem)
    if item.within:
        comparison = part_of(comparison, item.within)
    pointer = artifact.pointer
    return ArtifactStatus(
        path=artifact.name,
        kind=pointer.kind,
        state=comparison.state,
        pointer=os.fsdecode(artifact.pointer_path),
        pointer_state=states.get(artifact.pointer_path, "new" if project.worktree is not None else "committed"),
        cached=is_cached(project.cache, project.state, pointer, stamp=stamp),
        remote=there.get(artifact.path),
        pushed=_when(pushed.when(pointer)),
        size=pointer.size,
        files=pointer.files,
        changes=_changes(artifact, comparison),
        error=error,
        moved=base is not None and base.version != pointer.oid and comparison.state is not State.CLEAN,
    )


def _names(paths: tuple[bytes, bytes] | None) -> tuple[str, str] | None:
    return None if paths is None else (os.fsdecode(paths[0]), os.fsdecode(paths[1]))


def _changes(artifact: Artifact, comparison: Comparison) -> Changes:
    def whole(paths: tuple[bytes, ...]) -> tuple[str, ...]:
        return tuple(os.fsdecode(artifact.path + b"/" + path if path else artifact.path) for path in paths)

    return Changes(
        added=whole(comparison.added), modified=whole(comparison.modified), deleted=whole(comparison.deleted)
    )


def _broken(project: Project, error: DatatoolError) -> ArtifactStatus:
    name = name_of(error)
    return ArtifactStatus(
        path=name,
        kind=_likely_kind(project, os.fsencode(name)),
        state=State.MODIFIED if isinstance(error, FormatError) else State.ABSENT,
        pointer=name + SUFFIX.decode(),
        pointer_state="changed" if isinstance(error, FormatError) else "new",
        cached=False,
        remote=None,
        pushed=None,
        size=None,
        files=None,
        changes=Changes(),
        error=failure_of(error),
    )


def _likely_kind(project: Project, path: bytes) -> ArtifactKind:
    """The kind of an artifact whose pointer doesn't read: as its lines say, else as what lies there."""
    with suppress(FormatError):
        kind = kind_said(read_pointer_file(project.root, path + SUFFIX) or b"")
        if kind is not None:
            return kind
    return ArtifactKind.DIRECTORY if project.workspace.kind(path) == DIRECTORY else ArtifactKind.FILE


class _Pushed:
    """What is remembered of each remote: an artifact's own one, the one given, or the default."""

    def __init__(self, project: Project, given: str | None) -> None:
        self._project = project
        self._given = given
        self._known: dict[str | None, dict[ObjectId, float]] = {None: {}}

    def when(self, pointer: Pointer) -> float | None:
        """When a version was last known to be on its remote."""
        name = self._given or pointer.remote or self._project.config.default_remote
        if name not in self._known:
            settings = self._project.config.remotes().get(name or "", {})
            label = label_of(settings, self._project.root, os.environ) if settings.get("url") else ""
            self._known[name] = known_pushed(self._project.remotes_memory, label, self._project.config.project or "")
        return self._known[name].get(pointer.oid) if pointer.oid is not None else None


def _when(moment: float | None) -> str | None:
    return None if moment is None else time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(moment))
