"""What became of an artifact in the workspace: its state, and the paths that changed."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterator
from enum import StrEnum

from msgspec import Struct

from datatool.errors import PathNotFound
from datatool.formats.tree_object import TreeWriter, read_tree
from datatool.index.listing import Mark, Seen
from datatool.index.state import Base
from datatool.localfs.walk import Found
from datatool.model.entry import DIRECTORY, EXECUTABLE, FILE, Entry
from datatool.model.oid import ObjectId
from datatool.model.pointer import ArtifactKind
from datatool.workspace.merge import same
from datatool.workspace.pointers import Artifact
from datatool.workspace.present import Workspace

Load = Callable[[ObjectId], bytes]
"""Gives the bytes of a tree object; KeyError where the cache lacks it."""


_END = b""
"""No path: where a listing has ended."""


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


def compare(workspace: Workspace, load: Load, artifact: Artifact, base: Base | None) -> Comparison:
    """Compare one artifact; files whose remembered hash no longer holds are hashed, unless their size tells."""
    kind = workspace.kind(artifact.path)
    if kind is None:
        return Comparison(state=State.ABSENT if base is None else State.MISSING)
    if artifact.pointer.kind is ArtifactKind.FILE:
        return _compare_file(workspace, artifact, base, kind)
    if kind != DIRECTORY:
        return Comparison(state=State.MODIFIED, modified=(b"",))
    return _compare_directory(workspace, load, artifact, base)


def part_of(comparison: Comparison, within: bytes) -> Comparison:
    """The part of a comparison that concerns one path inside the artifact."""

    def part(paths: tuple[bytes, ...]) -> tuple[bytes, ...]:
        return tuple(path for path in paths if path == within or path.startswith(within + b"/"))

    changed = Comparison(
        state=State.MODIFIED,
        added=part(comparison.added),
        modified=part(comparison.modified),
        deleted=part(comparison.deleted),
    )
    if comparison.state is not State.MODIFIED or changed.added or changed.modified or changed.deleted:
        return Comparison(
            state=comparison.state, added=changed.added, modified=changed.modified, deleted=changed.deleted
        )
    return Comparison(state=State.CLEAN)


def _compare_file(workspace: Workspace, artifact: Artifact, base: Base | None, kind: str) -> Comparison:
    changed = Comparison(state=State.MODIFIED, modified=(b"",))
    if kind == DIRECTORY or kind == "?":
        return changed
    try:
        seen = workspace.look_at_file(artifact.path)
    except PathNotFound:  # a link to nothing, such as one into a cache that was moved
        return Comparison(state=State.ABSENT if base is None else State.MISSING)
    if seen.found.kind != FILE:
        return changed
    pointer = artifact.pointer
    oid = seen.oid
    if oid is None:
        if base is None and seen.stamp[0] != pointer.size:
            return changed
        oid, _ = workspace.hash(artifact.path)
    entry = workspace.entry(seen, oid)
    executable = entry.kind == EXECUTABLE if workspace.modes_bind else None
    if oid == pointer.oid and executable in (None, pointer.executable):
        return Comparison(state=State.CLEAN)
    if base is not None and oid == base.here and executable in (None, base.executable):
        return Comparison(state=State.OUTDATED)
    return changed


def _compare_directory(workspace: Workspace, load: Load, artifact: Artifact, base: Base | None) -> Comparison:
    pointer = artifact.pointer.oid
    here, found = _known(workspace, artifact.path)
    if here is not None:
        if here == pointer:
            return Comparison(state=State.CLEAN)
        if base is not None and here == base.here:
            return Comparison(state=State.PARTIAL if base.version == pointer else State.OUTDATED)
    reference = base.here if base is not None else pointer
    if reference is None:
        return Comparison(state=State.MODIFIED, unknown=True)
    added: list[bytes] = []
    modified: list[bytes] = []
    deleted: list[bytes] = []
    empty: set[bytes] = set()
    # Where the pointer names what was last put here, one difference tells all; else the tree of what is here does.
    tree = TreeWriter(lambda oid, data: None, check=False) if reference != pointer else None
    exact = True  # until a file is met whose hash nobody knows: then the tree of what is here isn't known either
    try:
        for path, now, then in against(workspace, artifact.path, read_tree(reference, load), found=found):
            if now is not None and (now is then or now == then):  # nearly every path
                if exact and tree is not None:
                    tree.add(now)
                continue
            if tree is None:
                exact = False
            if DIRECTORY in (now.kind if now is not None else None, then.kind if then is not None else None):
                empty.add(path)
            if now is None:
                deleted.append(path)
                continue
            exact = exact and (now.is_file or now.kind not in (FILE, EXECUTABLE))
            if exact and tree is not None:
                tree.add(now)
            if then is None:
                if not (now.kind == DIRECTORY and now.path == b""):
                    added.append(path)
            elif not same(now, then):
                modified.append(path)
    except KeyError:
        return Comparison(state=State.MODIFIED, unknown=True)
    if exact and (tree is None or tree.finish().oid == pointer):
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


def _without_emptied(paths: list[bytes], others: list[bytes], empty: set[bytes]) -> tuple[bytes, ...]:
    """A directory that became empty, or is so no longer, is told by what went from it or came into it."""

    def told(path: bytes) -> bool:
        at = bisect_left(others, path + b"/")
        return at < len(others) and others[at].startswith(path + b"/")

    return tuple(path for path in paths if path not in empty or not told(path))


def _is(workspace: Workspace, load: Load, artifact: bytes, tree: ObjectId) -> bool:
    """Whether a directory is exactly a tree."""
    try:
        return all(same(now, then) for _, now, then in against(workspace, artifact, read_tree(tree, load)))
    except KeyError:
        return False


def known_tree(workspace: Workspace, artifact: bytes) -> ObjectId | None:
    """The tree of a directory as it is now, if every file's hash is remembered; nothing is opened."""
    return _known(workspace, artifact)[0]


def _known(workspace: Workspace, artifact: bytes) -> tuple[ObjectId | None, list[Found] | None]:
    """That tree; and what the directory holds, if that had to be found out and is not too much."""
    if not workspace.modes_bind:
        return None, None
    known = workspace.state.listing(artifact)
    found: list[Found] | None = None
    if known is not None:
        glance = workspace.glance(artifact)
        if known[0] == glance.mark:
            return known[1], None
        found = glance.found
    mark = Mark()
    tree = TreeWriter(lambda oid, data: None, check=False)
    add, saw = tree.add, mark.saw
    for item, stamp, oid in workspace.look(artifact, found=found):
        path, stat, kind, target = item
        saw(item, stamp)
        if kind == FILE:
            if oid is None:
                return None, found
            add(Entry(EXECUTABLE if stat.st_mode & 0o111 else FILE, path, oid, stat.st_size))
        elif path:
            add(Entry(kind, path, None, len(target or b""), target))
    made = tree.finish().oid
    workspace.state.set_listing(artifact, mark.finish(), made)
    return made, found


def against(
    workspace: Workspace,
    artifact: bytes,
    reference: Iterator[Entry],
    *,
    within: bytes = b"",
    found: list[Found] | None = None,
) -> Iterator[tuple[bytes, Entry | None, Entry | None]]:
    """Join a directory as it is now, or as a glance `found` it, with a listing: (path, now, then). A file whose hash
    isn't remembered is hashed only where its size could be right; elsewhere its entry has no oid, which is enough to
    say that it differs. A file that is what the listing says gives the listing's own entry."""

    def key(entry: Entry | None) -> bytes:
        if entry is None:
            return _END
        return entry.path + b"/" if entry.kind == DIRECTORY else entry.path

    modes_bind = workspace.modes_bind
    then = next(reference, None)
    next_key = key(then)
    for seen in workspace.look(artifact, within=within, found=found):
        (path, _, kind, _), stamp, oid = seen
        if not path:
            continue
        at = path + b"/" if kind == DIRECTORY else path
        while then is not None and next_key < at:
            yield then.path, None, then
            then = next(reference, None)
            next_key = key(then)
        if next_key == at:
            if (
                then is not None
                and then.oid is not None
                and then.oid == oid
                and then.size == stamp[0]
                and (not modes_bind or (then.kind == EXECUTABLE) == bool(stamp[5] & 0o111))
            ):
                yield path, then, then
            else:
                yield path, _entry(workspace, artifact, seen, then), then
            then = next(reference, None)
            next_key = key(then)
        else:
            yield path, _entry(workspace, artifact, seen, None), None
    while then is not None:
        yield then.path, None, then
        then = next(reference, None)


def _entry(workspace: Workspace, artifact: bytes, seen: Seen, then: Entry | None) -> Entry:
    oid = seen.oid
    if oid is None and seen.found.kind == FILE and then is not None and then.is_file and then.size == seen.stamp[0]:
        oid, _ = workspace.hash(artifact + b"/" + seen.found.path)
    return workspace.entry(seen, oid, then)
