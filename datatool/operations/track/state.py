"""What became of a path that a program tracks, and what is to be done about it."""

from __future__ import annotations

from enum import StrEnum
from typing import Final

from msgspec import Struct

from datatool.errors import FormatError, PathNotFound
from datatool.formats.tree_object import read_tree
from datatool.model.entry import DIRECTORY, FILE, Entry
from datatool.model.oid import ObjectId
from datatool.model.pointer import ArtifactKind
from datatool.project.project import Project
from datatool.workspace.compare import State, compare, part_of
from datatool.workspace.merge import same, side_by_side
from datatool.workspace.pointers import Artifact, owner


class Condition(StrEnum):
    """How a path stands to what is pinned for it."""

    NOWHERE = "nowhere"
    """Nothing is there, and nothing is pinned."""
    UNKNOWN = "unknown"
    """Something is there that nothing tracks."""
    OF_GIT = "of git"
    """It is a file that git tracks, and datatool does not."""
    MISSING = "missing"
    """It is pinned, and not there, or not all of it."""
    EQUAL = "equal"
    """It is what is pinned."""
    OUTDATED = "outdated"
    """It is what datatool put there, and another version is pinned since."""
    UNNAMED = "unnamed"
    """It is outdated, and no commit names the version that it is."""
    BESIDE = "beside"
    """It is outdated, but for files of the user's, and the version that is pinned since names none of these."""
    CHANGED = "changed"
    """It is something else."""


class OnChange(StrEnum):
    """What is done about changed content."""

    ADD = "add"
    """Record it as the new version."""
    ERROR = "error"
    """Refuse."""
    KEEP = "keep"
    """Use it, and leave what is pinned."""


class Action(StrEnum):
    """What is done about a path."""

    NOTHING = "nothing"
    FETCH = "fetch"
    RECORD = "record"
    REFUSE = "refuse"
    LACK = "lack"
    """It is nowhere, and nothing is pinned."""


class Rule(Struct, frozen=True, kw_only=True):
    """What a caller wants: None stands for the default. `frozen` says that nothing is recorded here; `pinned`, that
    `on_change` is about what the user changed only: whatever datatool put there gives way to what is pinned."""

    on_change: OnChange | None = None
    frozen: bool = False
    pinned: bool = False


class Found(Struct, frozen=True, kw_only=True):
    """A path (raw bytes, from the project's root) as it is now. `within` is the part of it inside its artifact;
    `at_a_glance` says that a stat was enough to know that it is equal."""

    path: bytes
    artifact: Artifact | None
    within: bytes
    condition: Condition
    at_a_glance: bool = False


def decide(condition: Condition, rule: Rule) -> Action:
    """What is done: the table of python-api.md.

    >>> str(decide(Condition.CHANGED, Rule(frozen=True)))
    'refuse'
    """
    on_change = rule.on_change or (OnChange.ERROR if rule.frozen else OnChange.ADD)
    match condition:
        case Condition.NOWHERE:
            return Action.LACK
        case Condition.MISSING:
            return Action.FETCH
        case Condition.EQUAL | Condition.OF_GIT:
            return Action.NOTHING
        case Condition.OUTDATED:
            return Action.REFUSE if rule.frozen and on_change is OnChange.ERROR else Action.FETCH
        case Condition.UNNAMED:
            return Action.FETCH if rule.pinned or on_change is OnChange.ADD else _CHANGES[on_change]
        case Condition.BESIDE:  # what a stage reads was looked at before, and is what it was
            is_fine = on_change is not OnChange.ERROR and not rule.pinned
            return Action.FETCH if is_fine else _CHANGES[on_change]
        case Condition.UNKNOWN:
            return _CHANGES[on_change] if rule.frozen else Action.RECORD
        case Condition.CHANGED:
            return _CHANGES[on_change]


_CHANGES: Final = {OnChange.ADD: Action.RECORD, OnChange.ERROR: Action.REFUSE, OnChange.KEEP: Action.NOTHING}
_CONDITIONS: Final = {
    State.CLEAN: Condition.EQUAL,
    State.MODIFIED: Condition.CHANGED,
    State.OUTDATED: Condition.OUTDATED,
    State.PARTIAL: Condition.MISSING,
    State.MISSING: Condition.MISSING,
    State.ABSENT: Condition.MISSING,
}
_AROUND: Final = Entry(DIRECTORY, b"", None, 0)
_KEPT: Final = 50_000
"""Entries of trees that are kept in memory: some 20 MB."""


class Trees:
    """What trees have at a path, for one who asks for file after file of the same directory."""

    def __init__(self, project: Project) -> None:
        self._project = project
        self._oid: ObjectId | None = None
        self._files: dict[bytes, Entry] = {}
        self._single: dict[tuple[ObjectId, bytes], Entry | None] = {}

    def at(self, oid: ObjectId, path: bytes, *, files: int) -> Entry | None:
        """The entry at a path, some directory for one around entries, None for nothing. `files` is how many there are
        in the tree. KeyError or FormatError where the cache lacks a part of it."""
        if files <= _KEPT:
            if self._oid != oid:
                self._files = {entry.path: entry for entry in read_tree(oid, self._project.cache.load)}
                self._oid = oid
            found = self._files.get(path)
            if found is not None:
                return found
        key = (oid, path)
        if key not in self._single:
            if len(self._single) > _KEPT:
                self._single.clear()
            first = next(iter(read_tree(oid, self._project.cache.load, within=path)), None)
            self._single[key] = first if first is None or first.path == path else _AROUND
        return self._single[key]


def look(project: Project, trees: Trees, path: bytes) -> Found:
    """How a path stands. An unchanged file costs one stat and one look into the index."""
    artifact = owner(project.root, path)
    if artifact is None:
        there = project.workspace.kind(path) is not None
        condition = Condition.UNKNOWN if there else Condition.NOWHERE
        return Found(path=path, artifact=None, within=b"", condition=condition)
    within = path[len(artifact.path) + 1 :]
    if not within and _is_known_equal(project, artifact):
        return Found(path=path, artifact=artifact, within=b"", condition=Condition.EQUAL, at_a_glance=True)
    if not within:
        condition = _compared(project, artifact, b"")
    elif artifact.pointer.kind is ArtifactKind.FILE and project.workspace.kind(path) is None:
        condition = Condition.NOWHERE
    elif artifact.pointer.kind is ArtifactKind.DIRECTORY and artifact.pointer.oid is not None:
        condition = _inside(project, trees, artifact, artifact.pointer.oid, within)
    else:
        condition = _compared(project, artifact, b"")
    return Found(path=path, artifact=artifact, within=within, condition=condition)


def is_below_a_file(found: Found) -> bool:
    """Whether a path is nowhere, and can't be anywhere, as a file is pinned where a directory would have to be."""
    artifact = found.artifact
    below = artifact is not None and bool(found.within) and artifact.pointer.kind is ArtifactKind.FILE
    return below and found.condition is Condition.NOWHERE


def _is_known_equal(project: Project, artifact: Artifact) -> bool:
    pointer = artifact.pointer
    if pointer.kind is not ArtifactKind.FILE:
        return False
    try:
        seen = project.workspace.look_at_file(artifact.path)
    except PathNotFound:
        return False
    if seen.oid is None or seen.oid != pointer.oid:
        return False
    executable = bool(seen.found.stat.st_mode & 0o111)
    return executable == pointer.executable or not project.workspace.modes_bind


def _compared(project: Project, artifact: Artifact, within: bytes) -> Condition:
    base = project.state.base(artifact.path)
    found = compare(project.workspace, project.cache, artifact, base)
    if found.unknown:  # until what lists its version is here, nobody can tell
        return Condition.MISSING
    if not within:
        return _CONDITIONS[found.state]
    part = part_of(found, within)
    if part.state is State.CLEAN and base is not None and _differs(project, base.here, artifact, within):
        return Condition.OUTDATED
    return _CONDITIONS[part.state]


def _differs(project: Project, here: ObjectId, artifact: Artifact, within: bytes) -> bool:
    """Whether a part of what was put here is another than the pinned one. KeyError where the cache lacks a list."""
    pinned = artifact.pointer.oid
    if pinned is None or here == pinned:
        return False
    old, new = (read_tree(oid, project.cache.load, within=within) for oid in (here, pinned))
    return any(not same(one, two) for _, one, two in side_by_side(old, new))


def _inside(project: Project, trees: Trees, artifact: Artifact, oid: ObjectId, within: bytes) -> Condition:
    path = artifact.path + b"/" + within
    kind = project.workspace.kind(path)
    try:
        pinned = trees.at(oid, within, files=artifact.pointer.files or 0)
        if kind is None:
            return Condition.MISSING if pinned is not None else Condition.NOWHERE
        if kind == DIRECTORY or kind != FILE or (pinned is not None and not pinned.is_file):
            return Condition.UNKNOWN if pinned is None else _compared(project, artifact, within)
        return _file_inside(project, trees, artifact, within, pinned)
    except (KeyError, FormatError):
        return Condition.MISSING


def _file_inside(project: Project, trees: Trees, artifact: Artifact, within: bytes, pinned: Entry | None) -> Condition:
    path = artifact.path + b"/" + within
    seen = project.workspace.look_at_file(path)
    oid = seen.oid or project.workspace.hash(path)[0]
    now = project.workspace.entry(seen, oid, pinned)._replace(path=within)
    if pinned is not None and same(now, pinned):
        return Condition.EQUAL
    base = project.state.base(artifact.path)
    before = None
    if base is not None and base.version != artifact.pointer.oid:
        before = trees.at(base.here, within, files=_KEPT + 1)
    if before is not None and same(now, before):
        return Condition.OUTDATED
    return Condition.CHANGED if pinned is not None else Condition.UNKNOWN
