"""What changed between two revisions, or between a revision and the workspace."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from datatool.errors import FormatError, LocalError, PartlyDone, PathNotFound, RevisionNotFound, UsageError
from datatool.formats.pointer_file import is_pointer, parse_pointer
from datatool.formats.tree_object import diff_trees, read_tree
from datatool.git.revision import resolve
from datatool.git.trees import pointers_at
from datatool.model.entry import DIRECTORY, EXECUTABLE, FILE, SYMLINK, Entry
from datatool.model.oid import ObjectId, prefixed
from datatool.model.paths import named
from datatool.model.pointer import ArtifactKind, Pointer
from datatool.operations.cached import has_list
from datatool.operations.checkouts.checked_out import typed_revision
from datatool.operations.result import Part, Result
from datatool.operations.targets import all_artifacts, name_of, nearest, not_found, project_path, require_inside
from datatool.project.project import Project
from datatool.workspace.compare import any_below, put_a_file
from datatool.workspace.differences import against
from datatool.workspace.merge import same
from datatool.workspace.pointers import SUFFIX, Artifact, owner

WORKSPACE = "workspace"
Pair = tuple[bytes, Entry | None, Entry | None]
"""A raw path from the project's root, as it was and as it is."""
Side = tuple[str | None, dict[bytes, Pointer]]
"""A revision as its user named it, or None for the work tree, and the pointers there."""


class ChangeKind(StrEnum):
    """What happened to a file."""

    ADDED = "added"
    MODIFIED = "modified"
    DELETED = "deleted"
    RENAMED = "renamed"


@dataclass(frozen=True, kw_only=True, slots=True)
class Change(Part):
    """One file that differs. Paths are relative to the project's root, sizes in bytes, ids `sha256:…`; `new_oid` is
    None for a file in the workspace that was not hashed, because its size alone shows that it changed."""

    path: str
    kind: ChangeKind
    old_path: str | None = None
    old_size: int | None = None
    new_size: int | None = None
    old_oid: str | None = None
    new_oid: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class DiffResult(Result):
    """`old` and `new` name the two sides: full commit ids, `""` before the first commit, or `workspace`."""

    old: str
    new: str
    changes: tuple[Change, ...]


def diff(project: Project, words: Sequence[str], paths_after_dashes: Sequence[str], cwd: Path) -> DiffResult:
    """Compare as `between` does; `words` are up to two revisions and then paths, as git reads them, and
    `paths_after_dashes` are paths for certain."""
    revisions, targets = _split(project, words, cwd)
    return between(project, revisions, [*targets, *paths_after_dashes], cwd)


def between(project: Project, revisions: Sequence[str], targets: Sequence[str], cwd: Path) -> DiffResult:
    """Compare HEAD with the workspace, one revision with the workspace, or two revisions with each other.

    What was never fetched is no difference, and takes no list where its pointer is the same. Raises PathNotFound,
    RevisionNotFound, PartlyDone where the cache lacks the list of a version that has to be looked at.
    """
    wanted = [_target(project, target, cwd) for target in targets]
    if project.worktree is None:
        raise LocalError("diff needs git, and there is no usable git repository here", hint="run this in a clone")
    commits = [resolve(project.worktree, revision) for revision in revisions]
    if not commits and project.worktree.head is not None:
        commits = [project.worktree.head]
    old = _pointers(project, commits[0]) if commits else {}
    if len(commits) == 2:
        new = _pointers(project, commits[1])
        pairs = _between(project, (revisions[0], old), (revisions[1], new), wanted)
    else:
        pairs = _with_workspace(project, (revisions[0] if revisions else "HEAD", old), wanted)
    changes = _changes(project, pairs)
    known = set(old) | (set(new) if len(commits) == 2 else set())
    _require_known(project, targets, wanted, known, changed=bool(changes))
    return DiffResult(
        old=commits[0] if commits else "", new=commits[1] if len(commits) == 2 else WORKSPACE, changes=tuple(changes)
    )


def _split(project: Project, words: Sequence[str], cwd: Path) -> tuple[list[str], list[str]]:
    """Leading words that git knows as revisions, and no file has for a name, are revisions; the rest are paths."""
    revisions: list[str] = []
    for number, word in enumerate(words):
        if len(revisions) == 2 or _is_path(project, word, cwd):
            return revisions, list(words[number:])
        if project.worktree is None:
            return revisions, list(words[number:])
        if not word:
            raise UsageError("an empty revision or path")
        try:
            resolve(project.worktree, word)
        except RevisionNotFound as error:
            near = nearest(project, os.fsencode(word))
            raise RevisionNotFound(
                f"{word}: neither a revision nor a tracked path",
                hint=f"did you mean {near}?" if near else error.hint,
                path=word,
            ) from error
        revisions.append(word)
    return revisions, []


def _is_path(project: Project, word: str, cwd: Path) -> bool:
    try:
        path = project_path(project, word, cwd)
    except (PathNotFound, UsageError):
        return False
    return os.path.lexists(project.workspace.full(path)) or (path != b"" and owner(project.root, path) is not None)


def _target(project: Project, target: str, cwd: Path) -> bytes:
    path = project_path(project, target, cwd)
    return path[: -len(SUFFIX)] if path.endswith(SUFFIX) else path


def _require_known(
    project: Project, targets: Sequence[str], wanted: Sequence[bytes], known: set[bytes], *, changed: bool
) -> None:
    for target, path in zip(targets, wanted, strict=True):
        around = any(artifact.startswith(path + b"/") or not path for artifact in known)
        inside = any(path == artifact or path.startswith(artifact + b"/") for artifact in known)
        here = owner(project.root, path)
        if around or here is not None or inside:
            if here is not None and here.path != path and not changed:
                require_inside(project, here, path[len(here.path) + 1 :], target)
            continue
        if any(isinstance(item, Artifact) for item in all_artifacts(project, path)):
            continue
        raise not_found(project, target, path)


def _pointers(project: Project, commit: str) -> dict[bytes, Pointer]:
    assert project.worktree is not None
    found: dict[bytes, Pointer] = {}
    for path, text in pointers_at(project.worktree, commit):
        if is_pointer(text):
            try:
                found[path[: -len(SUFFIX)]] = parse_pointer(text, name=os.fsdecode(path))
            except FormatError:
                continue
    return found


def _between(project: Project, before: Side, after: Side, wanted: Sequence[bytes]) -> Iterator[Pair]:
    old, new = before[1], after[1]
    for artifact in sorted({*old, *new}):
        if _meant(artifact, wanted):
            with _lists(project, artifact, before, after):
                yield from _only(_versions(project, artifact, old.get(artifact), new.get(artifact)), wanted)


def _versions(project: Project, artifact: bytes, old: Pointer | None, new: Pointer | None) -> Iterator[Pair]:
    if _is_file(old) or _is_file(new) or old is None or new is None:
        left = {entry.path: entry for entry in _entries(project, artifact, old)}
        right = {entry.path: entry for entry in _entries(project, artifact, new)}
        for path in sorted({*left, *right}):
            if not same(left.get(path), right.get(path)):
                yield path, left.get(path), right.get(path)
        return
    for path, one, two in diff_trees(old.oid, new.oid, project.cache.load):
        yield artifact + b"/" + path, one, two


def _entries(project: Project, artifact: bytes, pointer: Pointer | None) -> Iterator[Entry]:
    """What a version lists, by paths from the project's root."""
    if pointer is None or pointer.oid is None:
        return
    if pointer.kind is ArtifactKind.FILE:
        yield Entry(EXECUTABLE if pointer.executable else FILE, artifact, pointer.oid, pointer.size or 0)
        return
    for entry in read_tree(pointer.oid, project.cache.load):
        yield entry._replace(path=artifact + b"/" + entry.path)


def _with_workspace(project: Project, before: Side, wanted: Sequence[bytes]) -> Iterator[Pair]:
    old = before[1]
    current: dict[bytes, Artifact] = {}
    for item in all_artifacts(project):
        if isinstance(item, Artifact):
            current[item.path] = item
        elif _meant(os.fsencode(name_of(item)), wanted):
            raise item
    after: Side = None, {path: item.pointer for path, item in current.items()}
    for artifact in sorted({*old, *current}):
        if _meant(artifact, wanted):
            with _lists(project, artifact, before, after):
                yield from _only(_now(project, artifact, old.get(artifact), current.get(artifact)), wanted)


def _now(project: Project, artifact: bytes, old: Pointer | None, now: Artifact | None) -> Iterator[Pair]:
    """How an artifact in the workspace differs from a version of it."""
    if now is None:
        return _versions(project, artifact, old, None)
    kind = project.workspace.kind(artifact)
    if kind is None and project.state.base(artifact) is None:
        return _versions(project, artifact, old, now.pointer)  # never fetched: what the pointer says is compared
    if kind == DIRECTORY or (kind is None and not _is_file(now.pointer)):
        return _directory(project, now, old)
    return _file(project, now, old)


def _file(project: Project, now: Artifact, old: Pointer | None) -> Iterator[Pair]:
    path = now.path
    before = next(_entries(project, path, old), None) if _is_file(old) else None
    if old is not None and before is None:
        yield from _versions(project, path, old, None)
    after = _file_here(project, now, before)
    if not same(before, after):
        yield path, before, after


def _file_here(project: Project, now: Artifact, before: Entry | None) -> Entry | None:
    """What lies at an artifact's own path and is no directory; None for nothing, and for a pipe or device."""
    workspace, path = project.workspace, now.path
    kind = workspace.kind(path)
    try:
        seen = workspace.look_at_file(path)
    except PathNotFound:  # nothing, or a link to nothing
        seen = None
    if seen is not None and seen.found.kind == FILE:
        seen = seen._replace(found=seen.found._replace(path=path))
        return workspace.entry(seen, seen.oid or workspace.hash(path)[0], before)
    if kind == SYMLINK and (seen is not None or not _is_file(now.pointer) or not workspace.stands_for_nothing(path)):
        target = os.readlink(workspace.full(path))
        return Entry(SYMLINK, path, None, len(target), target)
    return None


def _directory(project: Project, now: Artifact, old: Pointer | None) -> Iterator[Pair]:
    """The workspace is what lies there, and of the pointer's version what was never fetched."""
    load = project.cache.load
    base = project.state.base(now.path)
    if base is not None and put_a_file(project.cache, now, base):
        base = None
    prefix = now.path + b"/"
    unfetched: dict[bytes, Entry] = {}
    pointed = now.pointer.oid if not _is_file(now.pointer) else None
    if pointed is not None and (base is None or base.here != pointed):
        here = base.here if base is not None else None
        if base is None or base.version != base.here or base.version != pointed:
            unfetched = {
                path: new for path, gone, new in diff_trees(here, pointed, load) if new is not None and gone is None
            }
    reference: Iterator[Entry] = iter(())
    if _is_file(old):
        yield from _versions(project, now.path, old, None)
    elif old is not None and old.oid is not None:
        reference = read_tree(old.oid, load)
    for path, present, then in against(project.workspace, now.path, reference):
        absent = unfetched.pop(path, None)
        after = present if present is not None else absent
        if not same(then, after):
            yield prefix + path, then, after
    for path, entry in sorted(unfetched.items()):
        yield prefix + path, None, entry


def _is_file(pointer: Pointer | None) -> bool:
    return pointer is not None and pointer.kind is ArtifactKind.FILE


@contextmanager
def _lists(project: Project, artifact: bytes, *sides: Side) -> Iterator[None]:
    """Tell what gets the list of an artifact that proves to be lacking."""
    try:
        yield
    except KeyError:
        raise _lacking(project, artifact, sides) from None


def _lacking(project: Project, artifact: bytes, sides: Sequence[Side]) -> PartlyDone:
    name = named(artifact)
    commands: dict[str, None] = {}
    for revision, pointers in sides:
        pointer = pointers.get(artifact)
        if pointer is None or pointer.oid is None or _is_file(pointer) or has_list(project.cache, pointer.oid):
            continue
        at = "" if revision is None else f" --rev {typed_revision(revision)}"
        commands[f"datatool fetch {name}{at}"] = None
    if not commands:  # what was put here last is another version, or a part of one
        commands[f"datatool pull {name}"] = None
    return PartlyDone(
        f"{name}: the list of one of its versions is not in the cache",
        hint=f"{' and '.join(commands)} {'gets it' if len(commands) == 1 else 'get them'} from the remote",
        path=os.fsdecode(artifact),
    )


def _meant(artifact: bytes, wanted: Sequence[bytes]) -> bool:
    return not wanted or any(
        not path or artifact == path or artifact.startswith(path + b"/") or path.startswith(artifact + b"/")
        for path in wanted
    )


def _only(pairs: Iterator[Pair], wanted: Sequence[bytes]) -> Iterator[Pair]:
    for pair in pairs:
        if not wanted or any(not path or pair[0] == path or pair[0].startswith(path + b"/") for path in wanted):
            yield pair


def _changes(project: Project, pairs: Iterator[Pair]) -> list[Change]:
    """Pair deleted and added files of the same bytes as renames; a new file of a size that went is hashed for that."""
    found = _without_emptied(list(pairs))
    gone: dict[ObjectId, list[tuple[bytes, Entry]]] = {}
    for path, old, new in found:
        if new is None and old is not None and old.oid is not None and old.size:
            gone.setdefault(old.oid, []).append((path, old))
    sizes = {old.size for ways in gone.values() for _, old in ways}
    found = [
        (path, old, _hashed(project, path, new) if old is None and new is not None and new.size in sizes else new)
        for path, old, new in found
    ]
    moved: set[bytes] = set()
    changes: list[Change] = []
    for path, old, new in found:
        if old is None and new is not None and new.oid is not None and gone.get(new.oid):
            source, before = gone[new.oid].pop(0)
            moved.add(source)
            changes.append(_change(path, before, new, ChangeKind.RENAMED, old_path=os.fsdecode(source)))
        elif old is None:
            changes.append(_change(path, old, new, ChangeKind.ADDED))
        elif new is not None:
            changes.append(_change(path, old, new, ChangeKind.MODIFIED))
    changes += [
        _change(path, old, None, ChangeKind.DELETED)
        for path, old, new in found
        if new is None and old is not None and path not in moved
    ]
    return sorted(changes, key=lambda change: change.path)


def _hashed(project: Project, path: bytes, entry: Entry) -> Entry:
    """An entry of the workspace with its id."""
    if entry.oid is not None or entry.kind not in (FILE, EXECUTABLE):
        return entry
    return entry._replace(oid=project.workspace.hash(path)[0])


def _without_emptied(pairs: list[Pair]) -> list[Pair]:
    """A directory that became empty, or is so no longer, is told by what went from it or came into it, as in status."""
    paths = sorted(path for path, _, _ in pairs)
    return [
        (path, old, new)
        for path, old, new in pairs
        if not (_directory_only(old) and _directory_only(new) and any_below(path, paths))
    ]


def _directory_only(entry: Entry | None) -> bool:
    return entry is None or entry.kind == DIRECTORY


def _change(
    path: bytes, old: Entry | None, new: Entry | None, kind: ChangeKind, *, old_path: str | None = None
) -> Change:
    return Change(
        path=os.fsdecode(path),
        kind=kind,
        old_path=old_path,
        old_size=old.size if old is not None else None,
        new_size=new.size if new is not None else None,
        old_oid=prefixed(old.oid) if old is not None and old.oid is not None else None,
        new_oid=prefixed(new.oid) if new is not None and new.oid is not None else None,
    )
