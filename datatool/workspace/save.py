"""Workspace → cache: save a file or a directory, and say what tree it makes."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from heapq import merge
from itertools import chain

from msgspec import Struct

from datatool.cache.local import SMALL, Cache
from datatool.cache.writer import CacheWriter
from datatool.errors import Refused, UnsafeInput
from datatool.formats.tree_object import TreeWriter
from datatool.hashing import digest
from datatool.index.listing import Mark, Seen
from datatool.index.stamp import changed_in, size_in
from datatool.model.entry import FILE, SYMLINK, Entry, sort_key
from datatool.model.oid import ObjectId
from datatool.model.paths import (
    PathRefused,
    check_escape,
    check_escapes,
    check_link,
    named,
    portability_problems,
    show_bytes,
)
from datatool.model.tree import TreeSummary
from datatool.progress import Task
from datatool.store.objects import Wanted
from datatool.workspace.adopt import Saved, adopt
from datatool.workspace.merge import same, side_by_side
from datatool.workspace.present import KEPT, Workspace

WORTH_RECALLING = 16 << 10
"""From so many bytes on, hashing a file costs more than to ask whether its hash is remembered."""
WORTH_WAITING = 1 << 20
"""From so many bytes on, hashing a file once more costs more than to wait until its hash may be remembered."""


class SavedDirectory(Struct, frozen=True, kw_only=True):
    """A directory as it was saved: the tree of everything, and the tree of what is really here (the same, unless
    entries that were never fetched were kept). `linkable` are the paths whose object is a file of its own, `paths` all
    that are here."""

    tree: TreeSummary
    here: TreeSummary
    linkable: tuple[bytes, ...]
    problems: tuple[tuple[bytes, str], ...]
    paths: list[bytes]


def save_directory(
    workspace: Workspace,
    cache: Cache,
    writer: CacheWriter,
    artifact: bytes,
    *,
    withins: Sequence[bytes] = (),
    stay: Iterable[Entry] = (),
    ahead: Iterable[tuple[Entry | None, Entry | None]] = (),
    before: Iterable[Entry] = (),
    follow: bool = False,
    task: Task,
    on_special: Callable[[bytes, str], None] | None = None,
) -> SavedDirectory:
    """Save everything in a directory, or only what is at or below the paths in `withins`.

    `stay` are the entries elsewhere that stay as they were recorded; `ahead` is where the last version is ahead of what
    was ever here, in order: (entry last here, entry of that version). There that version stays, unless somebody
    changed what was here. `before` is the version last here: where modes mean nothing, it says what is executable.
    Raises Refused for links that leave the directory (unless `follow`), UnsafeInput for names that could never be
    fetched, ReadFailed.
    """

    def emit(oid: ObjectId, data: bytes) -> None:
        writer.put(Wanted(oid, len(data), artifact, True), data)

    tree = TreeWriter(emit)
    here = TreeWriter(emit)
    mark = Mark(kept=KEPT) if workspace.modes_bind and not withins else None
    linkable: list[bytes] = []
    paths: list[bytes] = []
    parts = [
        _saved(
            workspace,
            cache,
            writer,
            artifact,
            within=within,
            follow=follow,
            before=before,
            task=task,
            special=on_special,
            mark=mark,
        )
        for within in withins or (b"",)
    ]
    entries = merge(*parts, key=sort_key) if len(parts) > 1 else parts[0]
    behind = iter(ahead)
    first = next(behind, None)
    present: Iterator[Entry] = _either(iter(entries), iter(stay)) if withins else iter(entries)
    if first is None:
        for entry in present:
            tree.add(entry)
            paths.append(entry.path)
            if entry.is_file:
                linkable.append(entry.path)
        summary = here_summary = tree.finish()
    else:
        for now, recorded in _merged(present, chain([first], behind)):
            if now is not None:
                here.add(now)
                paths.append(now.path)
            if recorded is not None:
                tree.add(recorded)
        summary, here_summary = tree.finish(), here.finish()
    if mark is not None and mark.known:
        workspace.state.set_listing(artifact, mark.finish(), here_summary.oid, mark.parts)
    return SavedDirectory(
        tree=summary,
        here=here_summary,
        linkable=tuple(linkable),
        problems=tuple(portability_problems(paths)),
        paths=paths,
    )


def _merged(
    present: Iterator[Entry], ahead: Iterator[tuple[Entry | None, Entry | None]]
) -> Iterator[tuple[Entry | None, Entry | None]]:
    """What is here, path by path, and what is to be recorded of it: (entry now, entry of the new version)."""
    pairs: deque[tuple[Entry | None, Entry | None]] = deque()

    def places() -> Iterator[Entry]:
        for gone, new in ahead:
            place = gone if gone is not None else new
            assert place is not None
            pairs.append((gone, new))
            yield place

    for _, now, place in side_by_side(present, places()):
        if place is None:
            yield now, now
            continue
        gone, new = pairs.popleft()
        yield now, new if same(now, gone) else now


def _either(left: Iterator[Entry], right: Iterator[Entry]) -> Iterator[Entry]:
    for _, one, two in side_by_side(left, right):
        entry = one if one is not None else two
        assert entry is not None
        yield entry


def save_file(
    workspace: Workspace,
    cache: Cache,
    writer: CacheWriter,
    path: bytes,
    *,
    before: bool,
    task: Task,
    hurry: bool = False,
) -> Entry:
    """Save a single file; `before` is its executable bit in the last version, for where modes mean nothing. In a
    `hurry`, the hash of a small file that was written just now is not remembered, which would take a moment."""
    seen = workspace.look_at_file(path, recall_from=WORTH_RECALLING if hurry else 0)
    now = workspace.clock(path, changed_in(seen.stamp), wait=not hurry or size_in(seen.stamp) >= WORTH_WAITING)
    oid, stamp = seen.oid, seen.stamp
    if oid is None or cache.missing([oid]):
        saved = _save_one(workspace, writer, path, task)
        oid, stamp = saved.oid, saved.stamp
        if not saved.adopted:
            workspace.remember([(path, stamp, oid)], now)
    found = seen.found._replace(path=path)
    entry = workspace.entry(seen._replace(found=found), oid, Entry("x" if before else FILE, path, oid, 0))
    return entry._replace(size=size_in(stamp))


def _saved(
    workspace: Workspace,
    cache: Cache,
    writer: CacheWriter,
    artifact: bytes,
    *,
    within: bytes,
    follow: bool,
    before: Iterable[Entry],
    task: Task,
    special: Callable[[bytes, str], None] | None,
    mark: Mark | None,
) -> Iterator[Entry]:
    last = iter(before)
    then = next(last, None)
    for chunk in workspace.look_by_many(artifact, within=within, on_special=special):
        _check(workspace, cache, artifact, chunk, follow=follow)
        known = [seen.oid for seen in chunk if seen.oid is not None]
        lacking = cache.missing(known) if known else set()
        todo = [seen for seen in chunk if seen.found.kind == FILE and (seen.oid is None or seen.oid in lacking)]
        fresh: dict[bytes, Saved] = {}
        if todo:
            prefix = artifact + b"/"
            now = workspace.clock(prefix + b"-", max(seen.found.stat.st_ctime_ns for seen in todo), wait=True)
            for seen in todo:
                path = seen.found.path
                fresh[path] = _save_seen(workspace, writer, seen, prefix + path, task)
            hashed = [(prefix + path, one.stamp, one.oid) for path, one in fresh.items() if not one.adopted]
            if not (workspace.remember(hashed, now) and len(hashed) == len(fresh)) and mark is not None:
                mark.known = False
        if mark is not None:
            mark.saw(
                [seen.found for seen in chunk],
                [fresh[seen.found.path].stamp if seen.found.path in fresh else seen.stamp for seen in chunk],
            )
        for seen in chunk:
            found, stamp, oid = seen
            path = found.path
            if path in fresh:
                oid, stamp = fresh[path].oid, fresh[path].stamp
            if not path:
                continue
            earlier = None
            if not workspace.modes_bind:
                while then is not None and then.path < path:
                    then = next(last, None)
                earlier = then if then is not None and then.path == path else None
            entry = workspace.entry(seen, oid, earlier)
            yield entry if stamp is seen.stamp else entry._replace(size=size_in(stamp))


def _save_seen(workspace: Workspace, writer: CacheWriter, seen: Seen, path: bytes, task: Task) -> Saved:
    """Save a file that the walk saw a moment ago: nearly always it is small, and what it was then."""
    stamp = seen.stamp
    size = size_in(stamp)
    data = workspace.read_as_seen(path, stamp) if size <= SMALL and not writer.adopts(seen.found.stat) else None
    if data is None:
        return _save_one(workspace, writer, path, task)
    oid = digest(data)
    writer.put(Wanted(oid, size, path), data)
    task.advance(bytes=size, files=1)
    return Saved(oid, stamp)


def _save_one(workspace: Workspace, writer: CacheWriter, path: bytes, task: Task) -> Saved:
    adopted = adopt(workspace, writer, path, task)
    if adopted is not None:
        task.advance(files=1)
        return adopted

    def read(fd: int, found: os.stat_result) -> ObjectId:
        size = found.st_size
        if size > SMALL:
            return writer.save(fd, size, advance=lambda count: task.advance(bytes=count))
        data = os.read(fd, size + 1)
        while len(data) < size:
            more = os.read(fd, size - len(data))
            if not more:
                break
            data += more
        oid = digest(data)
        writer.put(Wanted(oid, len(data), path), data)
        return oid

    oid, stamp = workspace.read_stable(path, read)
    size = size_in(stamp)
    task.advance(bytes=0 if size > SMALL else size, files=1)
    return Saved(oid, stamp)


def _check(workspace: Workspace, cache: Cache, artifact: bytes, chunk: list[Seen], *, follow: bool) -> None:
    objects = os.fsencode(cache.top / "objects") + b"/"
    try:
        check_escapes([seen.found.path for seen in chunk if seen.found.path])
        doubtful = False
    except PathRefused:
        doubtful = True  # which one is told below, with what it is
    for seen in chunk:
        path, _, kind, target = seen.found
        if target is None and not doubtful:
            continue
        try:
            if path and doubtful:
                check_escape(path)
            if target is not None and kind == SYMLINK:
                check_link(path, target)
        except PathRefused as error:
            _refuse(workspace, artifact, path, kind, target, error)
        if kind == FILE and target is not None and not follow and not target.startswith(objects):
            raise _leaving(artifact + b"/" + path, target, "--follow stores the content of the file it points to")


def _refuse(
    workspace: Workspace, artifact: bytes, path: bytes, kind: str, target: bytes | None, error: PathRefused
) -> None:
    full = artifact + b"/" + path
    if kind != SYMLINK or target is None:
        raise UnsafeInput(
            f"{named(full)}: {error.reason}", hint="rename it, then run the command again", path=os.fsdecode(full)
        ) from error
    if os.path.isdir(workspace.full(full)):
        hint = "track the directory it points to by itself, or remove the link"
    else:
        hint = "remove the link, or make it point inside the artifact"
    raise _leaving(full, target, hint) from error


def _leaving(path: bytes, target: bytes, hint: str) -> Refused:
    return UnsafeInput(
        f"{named(path)}: this link leaves the artifact (it points to {show_bytes(target)})",
        hint=hint,
        path=os.fsdecode(path),
    )
