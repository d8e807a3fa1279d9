"""What became of an artifact in the workspace: its state, and the paths that changed."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from contextlib import suppress
from enum import StrEnum
from itertools import chain

from msgspec import Struct

from datatool.cache.local import Cache
from datatool.errors import PathNotFound
from datatool.formats.tree_object import Load, TreeWriter, diff_trees, read_tree
from datatool.index.listing import Apart, Looked, Mark, apart
from datatool.index.state import Base
from datatool.model.entry import DIRECTORY, EXECUTABLE, FILE, Entry
from datatool.model.oid import ObjectId
from datatool.model.pointer import ArtifactKind
from datatool.workspace.differences import against, differences
from datatool.workspace.merge import same
from datatool.workspace.pointers import Artifact
from datatool.workspace.present import KEPT, Workspace


class State(StrEnum):
    """How an artifact in the workspace compares with its pointer and with what was last put here (cli.md, States)."""

    CLEAN = "clean"
    """It is what the pointer says."""
    MODIFIED = "modified"
    """It differs from what datatool last wrote or recorded here."""
    OUTDATED = "outdated"
    """It is another version that datatool wrote or recorded here; the pointer moved."""
    PARTIAL = "partial"
    """What is here is clean; the rest was not fetched."""
    MISSING = "missing"
    """It was here and is gone."""
    ABSENT = "absent"
    """It was never fetched."""


class Comparison(Struct, frozen=True, kw_only=True):
    """An artifact's state, and what changed since datatool last wrote it: raw paths relative to the artifact
    (`b""` for a file itself). `unknown` is true where the cache lacks the tree that would name the changes."""

    state: State
    added: tuple[bytes, ...] = ()
    modified: tuple[bytes, ...] = ()
    deleted: tuple[bytes, ...] = ()
    unknown: bool = False


def compare(workspace: Workspace, cache: Cache, artifact: Artifact, base: Base | None) -> Comparison:
    """Compare one artifact; files whose remembered hash no longer holds are hashed, unless their size tells.

    Where a file lies in place of a directory, or the other way round, the one is added and the other deleted.
    """
    kind = workspace.kind(artifact.path)
    if kind is None:
        return Comparison(state=State.ABSENT if base is None else State.MISSING)
    if kind == DIRECTORY:
        return _compare_directory(workspace, cache, artifact, base)
    if artifact.pointer.kind is ArtifactKind.FILE:
        return _compare_file(workspace, artifact, base, kind)
    return _compare_in_place_of_directory(workspace, cache, artifact, base, kind)


def put_a_file(cache: Cache, artifact: Artifact, base: Base) -> bool:
    """Whether what was last put here was a file: where the pointer moved on, the two may be of different kinds."""
    if base.version == artifact.pointer.oid:
        return artifact.pointer.kind is ArtifactKind.FILE
    try:
        return not cache.is_list(base.here)
    except KeyError:  # nobody knows; whoever reads that list will tell that it is lacking
        return False


def part_of(comparison: Comparison, within: bytes) -> Comparison:
    """The part of a comparison that concerns one path inside the artifact."""

    def part(paths: tuple[bytes, ...]) -> tuple[bytes, ...]:
        return tuple(path for path in paths if path == within or path.startswith(within + b"/"))

    replaced = b"" in comparison.added + comparison.modified
    changed = Comparison(
        state=State.MODIFIED,
        added=part(comparison.added),
        modified=part(comparison.modified),
        deleted=part(comparison.deleted),
    )
    if comparison.state is not State.MODIFIED or replaced or changed.added or changed.modified or changed.deleted:
        return Comparison(
            state=comparison.state, added=changed.added, modified=changed.modified, deleted=changed.deleted
        )
    return Comparison(state=State.CLEAN)


def _compare_file(workspace: Workspace, artifact: Artifact, base: Base | None, kind: str) -> Comparison:
    changed = Comparison(state=State.MODIFIED, modified=(b"",))
    if kind == "?":
        return changed
    try:
        seen = workspace.look_at_file(artifact.path)
    except PathNotFound:  # a link to nothing: one into a cache that was moved, or somebody's own
        if not workspace.stands_for_nothing(artifact.path):
            return changed
        return Comparison(state=State.ABSENT if base is None else State.MISSING)
    if seen.found.kind != FILE:
        return changed
    pointer = artifact.pointer
    oid = seen.oid
    if oid is None:
        if base is None and seen.found.stat.st_size != pointer.size:
            return changed
        oid, _ = workspace.hash(artifact.path)
    entry = workspace.entry(seen, oid)
    executable = entry.kind == EXECUTABLE if workspace.modes_bind else None
    if oid == pointer.oid and executable in (None, pointer.executable):
        return Comparison(state=State.CLEAN)
    if base is not None and oid == base.here and executable in (None, base.executable):
        return Comparison(state=State.OUTDATED)
    return changed


def _compare_in_place_of_directory(
    workspace: Workspace, cache: Cache, artifact: Artifact, base: Base | None, kind: str
) -> Comparison:
    """A file, a link or something else where the pointer names a directory."""
    if base is not None and put_a_file(cache, artifact, base):
        if _is_file_of(workspace, artifact.path, base, kind):
            return Comparison(state=State.OUTDATED)
        return Comparison(state=State.MODIFIED, modified=(b"",))
    deleted: tuple[bytes, ...] = ()
    if base is not None:
        with suppress(KeyError):  # without that list nobody knows what was here
            deleted = tuple(entry.path for entry in read_tree(base.here, cache.load))
    if kind == "?":
        return Comparison(state=State.MODIFIED, modified=(b"",), deleted=deleted)
    return Comparison(state=State.MODIFIED, added=(b"",), deleted=deleted)


def _is_file_of(workspace: Workspace, path: bytes, base: Base, kind: str) -> bool:
    """Whether the file that was last put here still lies there."""
    if kind == "?":
        return False
    try:
        seen = workspace.look_at_file(path)
    except PathNotFound:  # a link to nothing
        return False
    if seen.found.kind != FILE:
        return False
    entry = workspace.entry(seen, seen.oid or workspace.hash(path)[0])
    return entry.oid == base.here and (not workspace.modes_bind or (entry.kind == EXECUTABLE) == base.executable)


def _compare_in_place_of_file(workspace: Workspace, artifact: Artifact, base: Base | None) -> Comparison:
    added = tuple(seen.found.path for seen in workspace.look(artifact.path) if seen.found.path)
    return Comparison(state=State.MODIFIED, added=added, deleted=(b"",) if base is not None else ())


def _compare_directory(workspace: Workspace, cache: Cache, artifact: Artifact, base: Base | None) -> Comparison:
    named = artifact.pointer.kind is ArtifactKind.DIRECTORY
    pointer, load = artifact.pointer.oid if named else None, cache.load
    here, seen, parts = _known(workspace, artifact.path, base.here if base is not None else None)
    if here is not None:
        if here == pointer:
            return Comparison(state=State.CLEAN)
        if base is not None and here == base.here:
            return Comparison(state=State.PARTIAL if base.version == pointer else State.OUTDATED)
    was_file = base is not None and put_a_file(cache, artifact, base)
    if not named and (base is None or was_file):
        return _compare_in_place_of_file(workspace, artifact, base)
    if was_file:
        base = None
    reference = base.here if base is not None else pointer
    if reference is None:
        return Comparison(state=State.MODIFIED, unknown=True)
    if base is not None:  # that tree was written here, or read as a whole when it was checked out
        rows = differences(workspace, load, artifact.path, reference, seen=seen, parts=parts)
    else:
        rows = against(workspace, artifact.path, read_tree(reference, load))
    new: dict[bytes, Entry] = {}
    modified: list[bytes] = []
    deleted: list[bytes] = []
    empty: set[bytes] = set()
    # What is here is what the pointer says if it differs from what was last put here just as that does.
    moved = _moved(reference, pointer, load) if pointer is not None else iter(())
    exact = pointer is not None
    try:
        for path, now, then in rows:
            if now == then:
                continue
            exact = exact and next(moved, None) == (path, then, now)
            if DIRECTORY in (now.kind if now is not None else None, then.kind if then is not None else None):
                empty.add(path)
            if now is None:
                deleted.append(path)
            elif then is None:
                new[path] = now
            elif not same(now, then):
                modified.append(path)
        added = list(new)
        if base is not None and base.version == pointer and new:
            added, changed = _beside_a_part(workspace, load, artifact.path, base, new)
            modified = sorted([*modified, *changed])
    except KeyError:
        return Comparison(state=State.MODIFIED, unknown=True)
    if exact and next(moved, None) is None:
        return Comparison(state=State.CLEAN)
    if not added and not modified and (base is None or not deleted):
        if base is None:
            return Comparison(state=State.PARTIAL if deleted else State.CLEAN)
        return Comparison(state=State.PARTIAL if base.version == pointer else State.OUTDATED)
    if base is None:
        deleted = []
    elif pointer is not None and pointer != base.version and _is(workspace, load, artifact.path, pointer):
        return Comparison(state=State.CLEAN)
    return Comparison(
        state=State.MODIFIED,
        added=_without_emptied(added, deleted, empty),
        modified=tuple(modified),
        deleted=_without_emptied(deleted, added, empty),
    )


def _beside_a_part(
    workspace: Workspace, load: Load, artifact: bytes, base: Base, new: dict[bytes, Entry]
) -> tuple[list[bytes], list[bytes]]:
    """What is `new` beside a part of a version that was put here: what that version lacks, and what it has otherwise.
    What it has just so counts as put here."""
    if base.here == base.version:
        return list(new), []
    pinned = {entry.path: entry for entry in read_tree(base.version, load) if entry.path in new}
    changed: list[bytes] = []
    for path, then in pinned.items():
        now = new[path]
        if now.kind in (FILE, EXECUTABLE) and now.oid is None and then.is_file and now.size == then.size:
            now = now._replace(oid=workspace.hash(artifact + b"/" + path)[0])
        if not same(now, then):
            changed.append(path)
    return [path for path in new if path not in pinned], changed


def _without_emptied(paths: list[bytes], others: list[bytes], empty: set[bytes]) -> tuple[bytes, ...]:
    """A directory that became empty, or is so no longer, is told by what went from it or came into it."""
    return tuple(path for path in paths if path not in empty or not any_below(path, others))


def any_below(path: bytes, others: Sequence[bytes]) -> bool:
    """Whether one of some sorted paths lies below a path."""
    at = bisect_left(others, path + b"/")
    return at < len(others) and others[at].startswith(path + b"/")


def _is(workspace: Workspace, load: Load, artifact: bytes, tree: ObjectId) -> bool:
    """Whether a directory is exactly a tree."""
    try:
        return all(same(now, then) for _, now, then in against(workspace, artifact, read_tree(tree, load)))
    except KeyError:
        return False


def known_tree(workspace: Workspace, artifact: bytes) -> ObjectId | None:
    """The tree of a directory as it is now, if every file's hash is remembered; nothing is opened."""
    return _known(workspace, artifact)[0]


def _known(
    workspace: Workspace, artifact: bytes, reference: ObjectId | None = None
) -> tuple[ObjectId | None, Iterator[Looked] | None, Apart | None]:
    """That tree; and what the directory holds, if that had to be found out and is not too much: all of it, or what is
    not as the tree `reference` has it."""
    if not workspace.modes_bind:
        return None, None, None
    state = workspace.state
    known = state.listing(artifact)
    again: Iterator[Looked] | None = None
    if known is not None or (reference is not None and state.has_parts(artifact, reference)):
        glance = workspace.glance(artifact)
        if known is not None and known[0] == glance.mark:
            return known[1], None, None
        if reference is not None and glance.found is not None:
            parts = apart(state, artifact, reference, glance.found)
            if parts is not None and not parts.rest.all_known():
                return None, None, parts
        again = workspace.look_again(artifact, glance)
    seen: list[Looked] = []
    mark = Mark(kept=KEPT)
    tree = TreeWriter(lambda oid, data: None, check=False)
    for some in again if again is not None else workspace.look_by_columns(artifact):
        if again is not None:
            seen.append(some)
        if not some.all_known():
            return None, chain(seen, again) if again is not None else None, None
        mark.saw(some.found, some.stamps)
        for item in some.each():
            if item.found.path:
                tree.add(workspace.entry(item, item.oid))
    made = tree.finish().oid
    state.set_listing(artifact, mark.finish(), made, mark.parts)
    return made, iter(seen) if again is not None else None, None


def _moved(reference: ObjectId, pointer: ObjectId, load: Load) -> Iterator[tuple[bytes, Entry | None, Entry | None]]:
    """Where the pointer's tree differs from another one; a tree that isn't in the cache differs in some unknown way."""
    try:
        yield from diff_trees(reference, pointer, load)
    except KeyError:
        yield b"", None, None
