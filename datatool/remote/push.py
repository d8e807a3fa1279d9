"""Push: make a remote hold everything that some roots need, then say so in one write (formats §5).

    read the remote → send what it lacks → read it again, until it lacks nothing → commit

Only the last write publishes. A push that is killed anywhere leaves at most unused objects, and the next one goes on
from the last interim shard.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from itertools import islice
from typing import Final

from msgspec import Struct

from datatool.forks import load_module
from datatool.formats.shard import Root
from datatool.model.oid import EMPTY, ObjectId
from datatool.progress import SILENT, Progress
from datatool.remote.session import Remote
from datatool.remote.state import root_key
from datatool.store.objects import Absent, ObjectSource, PackSource, Wanted

_CHUNK: Final = 32_768
"""Objects compared with the index and read at a time: bounds memory, and keeps the work in bulk."""


class PushRoot(Struct, frozen=True, kw_only=True):
    """Something to be pushed whole: a tree, a file or a run record, and the path to name in messages (raw bytes)."""

    root: Root
    label: bytes


class PushResult(Struct, frozen=True, kw_only=True):
    """What a push did: which roots the remote now has, which failed for want of which objects, and how much was sent.

    `objects` counts objects sent, `bytes` bytes written to the remote, `skipped_objects` those it had already.
    """

    pushed: frozenset[ObjectId]
    failed: dict[ObjectId, tuple[Absent, ...]]
    objects: int
    bytes: int
    skipped_objects: int


WantedBy = Callable[[PushRoot], Iterable[Wanted]]
"""Everything that a root consists of, itself included, in tree path order; the same each time it is asked.
KeyError (with an oid) where a part of the tree itself is missing here."""


def push(
    remote: Remote,
    source: ObjectSource,
    roots: Sequence[PushRoot],
    wanted: WantedBy,
    *,
    packs: PackSource | None = None,
    commit: str | None,
    jobs: int = 8,
    verify: bool = False,
    force: bool = False,
    dry_run: bool = False,
    counted: set[ObjectId] | None = None,
    compress: bool = False,
    pack: bool = True,
    index_list: bool = True,
    progress: Progress = SILENT,
) -> PushResult:
    """Push `roots` to a remote; two requests when all of them are there already.

    `packs` is the source, if it has packs: they are sent as they are where that saves reading them object by object.
    `commit` is the git commit to note. `verify` also reads the index anew, lists what is really there and restores what
    is damaged or gone. `force` asks for every object even where a push record covers it (and makes a remote anew that
    is gone). `dry_run` only counts: not what was `counted` by pushes before this one, and what it counts joins that. An
    object that can't be read here makes the roots that need it fail; the rest goes on.
    """
    if not remote.store.capabilities.write:
        remote.require_writable()  # refuses, before anything is asked
    remote.open(create=not dry_run, again=force, afresh=verify)
    todo = _todo(remote, roots, everything=force or verify)
    if not dry_run:
        if todo:
            remote.confirm()
        remote.require_writable()
        repaired = _repaired(remote)
        for name in (*remote.restored, *repaired):
            progress.hint(f"{remote.label}: {name} was damaged or gone; it is restored")
        if todo or repaired:  # then the remote may have been read again
            todo = _todo(remote, roots, everything=force or verify)
    if not todo:
        if index_list and remote.list_is_due and not dry_run:
            # the last push here was broken off before it got to that
            load_module("datatool.remote.commit").write_index_list(remote)
        return PushResult(
            pushed=frozenset(root.root.oid for root in roots), failed={}, objects=0, bytes=0, skipped_objects=0
        )
    if dry_run:
        return _count(remote, roots, todo, wanted, set() if counted is None else counted)
    result: PushResult = load_module("datatool.remote.sending").send(
        remote,
        source,
        packs,
        roots,
        todo,
        wanted,
        commit=commit,
        jobs=jobs,
        verify=verify,
        compress=compress,
        pack=pack,
        index_list=index_list,
        progress=progress,
    )
    return result


def _repaired(remote: Remote) -> tuple[str, ...]:
    """The index shards that were damaged, and are published once more."""
    if not (remote.damaged_records or remote.state.damaged_shards):
        return ()
    repaired: tuple[str, ...] = load_module("datatool.remote.damage").repair_index(remote)
    return repaired


def _todo(remote: Remote, roots: Sequence[PushRoot], *, everything: bool) -> list[PushRoot]:
    """Each root once, without those that a young record of this project lists; all where something is damaged."""
    pushed = (
        frozenset()
        if everything or remote.state.damaged
        else remote.state.pushed_roots(remote.project, now=remote.now())
    )
    once = {root_key(root.root): root for root in roots}
    return [root for key, root in once.items() if key not in pushed]


def _count(
    remote: Remote, roots: Sequence[PushRoot], todo: Sequence[PushRoot], wanted: WantedBy, seen: set[ObjectId]
) -> PushResult:
    """What a push would send; each object once, and none that was `seen`."""
    objects = total = skipped = 0
    for chunk in chunks(item for root in todo for item in readable(wanted, root)):
        new = [item for item in chunk if item.oid not in seen and item.oid != EMPTY]
        seen.update(item.oid for item in new)
        usable = remote.state.usable([item.oid for item in new])
        missing = {item.oid: item for item in new if item.oid not in usable}
        skipped += len(usable)
        objects += len(missing)
        total += sum(item.size for item in missing.values())
    return PushResult(
        pushed=frozenset(root.root.oid for root in roots),
        failed={},
        objects=objects,
        bytes=total,
        skipped_objects=skipped,
    )


def readable(wanted: WantedBy, root: PushRoot) -> Iterator[Wanted]:
    """What a root consists of, up to a part of the tree that is not here."""
    with suppress(KeyError):
        yield from wanted(root)


def chunks(items: Iterable[Wanted]) -> Iterator[list[Wanted]]:
    """What is wanted, so many at a time as are worked on in bulk."""
    iterator = iter(items)
    while chunk := list(islice(iterator, _CHUNK)):
        yield chunk
