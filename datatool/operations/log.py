"""The versions of an artifact, or of a path inside one: who made each when, and whether its data is here."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from itertools import islice
from pathlib import Path

from msgspec import Struct

from datatool.errors import DatatoolError, FormatError, LocalError, UsageError
from datatool.formats.pointer_file import is_pointer, parse_pointer
from datatool.git.history import Change, Commit, history
from datatool.git.pointers import pointer_states
from datatool.git.worktree import Worktree
from datatool.model.oid import prefixed
from datatool.model.paths import named
from datatool.model.pointer import Pointer, Source
from datatool.operations.log_content import Content, Holdings, content_of
from datatool.operations.result import Part, Result, fields_of
from datatool.operations.status import State, status
from datatool.operations.targets import all_artifacts, not_found, project_path
from datatool.progress import SILENT, Progress
from datatool.project.project import Project
from datatool.workspace.pointers import SUFFIX, Artifact, owner, read_pointer_file


class VersionChange(StrEnum):
    """What a commit did to an artifact."""

    ADDED = "added"
    MODIFIED = "modified"
    MOVED = "moved"
    DELETED = "deleted"
    DESCRIBED = "described"
    """Its content stayed; what the pointer says of it changed, such as a label."""
    UNKNOWN = "unknown"
    """The list of this version, or of the one before, is not here to compare."""


@dataclass(frozen=True, kw_only=True, slots=True)
class LoggedVersion(Part):
    """One version. `commit` and its date (ISO 8601, as the author's clock had it), author and subject are None for what
    is not committed yet. `path` is what it was called then; sizes in bytes. `source` is where an import came from,
    `run` the id of the run that made it. `problem` says why its pointer does not read."""

    commit: str | None
    date: str | None
    author: str | None
    subject: str | None
    change: VersionChange
    path: str
    kind: str | None = None
    oid: str | None = None
    size: int | None = None
    files: int | None = None
    cached: bool = False
    source: Source | None = None
    run: str | None = None
    problem: str | None = None

    def to_dict(self) -> dict[str, object]:
        """As `--json` prints it."""
        return {**fields_of(self, "source"), "source": self.source.told() if self.source is not None else None}


@dataclass(frozen=True, kw_only=True, slots=True)
class LogResult(Result):
    """The versions of `path`, newest first; `state` is how the workspace stands to the pointer, None where the path is
    not tracked any more."""

    path: str
    state: State | None
    versions: tuple[LoggedVersion, ...]


class _Version(Struct, frozen=True, kw_only=True):
    """One version before it is compared with the one before: no pointer where it was deleted, or does not read."""

    path: bytes
    commit: Commit | None
    pointer: Pointer | None
    content: Content | None
    problem: str | None = None


def log(
    project: Project, target: str, *, cwd: Path, max_count: int | None = None, progress: Progress = SILENT
) -> LogResult:
    """The versions in HEAD's history, with the pointer as it is now on top where it is not committed; at most
    `max_count` of them.

    A path inside a directory has only the versions in which it changed; of a version whose list is not in the cache,
    that can't be told. Raises PathNotFound, UsageError for a directory around several artifacts, LocalError without
    git.

    >>> log(project, "data/songs", cwd=Path.cwd()).versions[0].subject  # doctest: +SKIP
    'Third delivery'
    """
    if project.worktree is None:
        raise LocalError("log needs git, and there is no usable git repository here", hint="run this in a clone")
    if max_count is not None and max_count < 1:
        raise UsageError(f"at most {max_count} versions", hint="ask for 1 or more")
    artifact, within = _target(project, project.worktree, target, cwd)
    found = _versions(project, project.worktree, artifact, within, None if within else max_count)
    holdings = Holdings(project, within)
    rows = (_logged(newer, older, within, holdings) for newer, older in _changes(found, within))
    versions = tuple(islice(rows, max_count))
    whole = artifact + b"/" + within if within else artifact
    if not versions:
        raise not_found(project, target, whole)
    return LogResult(path=os.fsdecode(whole), state=_state(project, whole, progress), versions=versions)


# What is meant


def _target(project: Project, worktree: Worktree, target: str, cwd: Path) -> tuple[bytes, bytes]:
    """The artifact that is or was at or around a path, and the path inside it. The work tree knows best, then HEAD's
    history, the nearest one first."""
    path = project_path(project, target, cwd)
    bare = path.removesuffix(SUFFIX)
    for one in dict.fromkeys((path, bare)) if path else ():
        around = _owner(project, one)
        if around is not None:
            return around, one[len(around) + 1 :]
    if not path or any(True for _ in all_artifacts(project, path)):
        inside = [item.name for item in all_artifacts(project, path) if isinstance(item, Artifact)]
        raise UsageError(
            f"{target}: is no artifact, but a directory around some",
            hint="name one: " + ", ".join(named(os.fsencode(name)) for name in inside[:5]) if inside else None,
        )
    parts = bare.split(b"/")
    for depth in range(len(parts), 0, -1):
        artifact = b"/".join(parts[:depth])
        if next(history(worktree, artifact + SUFFIX, limit=1), None) is not None:
            return artifact, bare[len(artifact) + 1 :]
    raise not_found(project, target, path)


def _owner(project: Project, path: bytes) -> bytes | None:
    try:
        around = owner(project.root, path)
    except FormatError as error:  # a pointer that does not read has a history all the same
        return os.fsencode(error.path or "").removesuffix(SUFFIX)
    return around.path if around is not None else None


def _state(project: Project, path: bytes, progress: Progress) -> State | None:
    try:
        found = status(project, [os.fsdecode(path)], cwd=project.root, progress=progress).artifacts
    except DatatoolError:
        return None
    return found[0].state if found and not found[0].error else None


# The versions


def _versions(
    project: Project, worktree: Worktree, artifact: bytes, within: bytes, limit: int | None
) -> Iterator[_Version]:
    """Newest first; one more than the limit, so that the last one shown can be compared."""
    changes = history(worktree, artifact + SUFFIX, limit=None if limit is None else limit + 1)
    newest = next(changes, None)
    uncommitted = _uncommitted(project, worktree, artifact, newest, within)
    if uncommitted is not None:
        yield uncommitted
    if newest is not None:
        yield _version(project, newest, within)
        yield from (_version(project, change, within) for change in changes)


def _uncommitted(
    project: Project, worktree: Worktree, artifact: bytes, newest: Change | None, within: bytes
) -> _Version | None:
    """The pointer as it lies here, where HEAD has another one or none."""
    pointer_path = artifact + SUFFIX
    text = read_pointer_file(project.root, pointer_path)
    if text is None:
        gone = newest is not None and newest.data is not None and newest.path == pointer_path
        return _Version(path=artifact, commit=None, pointer=None, content=None) if gone else None
    moved = newest is not None and newest.path != pointer_path
    if not moved and pointer_states(worktree, [pointer_path])[pointer_path] == "committed":
        return None
    return _read(project, artifact, None, text, within)


def _version(project: Project, change: Change, within: bytes) -> _Version:
    return _read(project, change.path.removesuffix(SUFFIX), change.commit, change.data, within)


def _read(project: Project, path: bytes, commit: Commit | None, text: bytes | None, within: bytes) -> _Version:
    if text is None:
        return _Version(path=path, commit=commit, pointer=None, content=None)
    try:
        if not is_pointer(text):
            raise FormatError("is no pointer")
        pointer = parse_pointer(text, name=os.fsdecode(path + SUFFIX))
    except FormatError as error:
        unread = Content(same=text, kind=None)
        return _Version(path=path, commit=commit, pointer=None, content=unread, problem=error.message)
    return _Version(path=path, commit=commit, pointer=pointer, content=content_of(project, pointer, within))


def _changes(versions: Iterator[_Version], within: bytes) -> Iterator[tuple[_Version, _Version | None]]:
    """Each version with the one before it. Inside a directory, only those in which the path differs: a run of equal
    ones is told by its oldest, which made it so."""
    newer = next(versions, None)
    while newer is not None:
        older = next(versions, None)
        before = older.content if older is not None else None
        if not within or not _equal(newer.content, before):
            yield newer, older
        newer = older


def _equal(one: Content | None, other: Content | None) -> bool:
    return one is other if one is None or other is None else one.same == other.same


def _logged(version: _Version, older: _Version | None, within: bytes, holdings: Holdings) -> LoggedVersion:
    commit, pointer, content = version.commit, version.pointer, version.content
    source = pointer.source if pointer is not None else None
    here = pointer is not None and content is not None and holdings.has(pointer)
    return LoggedVersion(
        commit=commit.id if commit else None,
        date=commit.date if commit else None,
        author=commit.author if commit else None,
        subject=commit.subject if commit else None,
        change=_change(version, older),
        path=os.fsdecode(version.path + b"/" + within if within else version.path),
        kind=content.kind if content else None,
        oid=prefixed(content.oid) if content and content.oid else None,
        size=content.size if content else None,
        files=content.files if content else None,
        cached=here,
        source=source if source is not None and (source.repo or source.url) else None,
        run=source.run if source is not None else None,
        problem=version.problem,
    )


def _change(version: _Version, older: _Version | None) -> VersionChange:
    new, old = version.content, older.content if older is not None else None
    if new is None:
        return VersionChange.DELETED
    if new.kind is None or (old is not None and old.kind is None):
        return VersionChange.UNKNOWN
    if old is None or older is None:
        return VersionChange.ADDED
    if new.same != old.same:
        return VersionChange.MODIFIED
    return VersionChange.MOVED if version.path != older.path else VersionChange.DESCRIBED
