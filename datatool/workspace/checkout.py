"""Cache → workspace: first look whether anything unsaved is in the way, then write what differs.

A path is unsaved when its bytes are neither what datatool last wrote there nor an object in the cache (cli.md).
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path

from msgspec import Struct

from datatool.cache.local import Cache
from datatool.formats.tree_object import Load, TreeWriter, entries_in, read_tree
from datatool.localfs.atomic import make_dirs
from datatool.localfs.batch import Batch, Published
from datatool.localfs.behind import Behind
from datatool.localfs.moving import move_out
from datatool.localfs.safe_paths import Directories
from datatool.model.entry import DIRECTORY, EXECUTABLE, FILE, SYMLINK, Entry
from datatool.model.oid import EMPTY, ObjectId
from datatool.model.settings import Durability, LinkMethod
from datatool.model.tree import TreeSummary
from datatool.progress import Spared, Task
from datatool.store.objects import Wanted
from datatool.workspace.differences import against
from datatool.workspace.early_copies import EarlyCopies
from datatool.workspace.merge import same, side_by_side
from datatool.workspace.parents import Parents
from datatool.workspace.placing import Outcome, Placing, link, stays
from datatool.workspace.present import KEPT, Workspace

CHUNK = 4096
"""Paths written together."""
CHUNK_BYTES = 256 << 20

Triple = tuple[bytes, Entry | None, Entry | None, Entry | None]
"""A path, with its entry in the workspace, in the version last put here, and in the version wanted."""


class Plan(Struct, frozen=True, kw_only=True):
    """What a checkout found: `unsaved` paths it would overwrite, `kept` ones it does not know and leaves,
    `first` those that must go before anything is written (a file where a directory is wanted, or the reverse)."""

    unsaved: tuple[bytes, ...]
    kept: tuple[bytes, ...]
    first: tuple[bytes, ...]


class Checkout(Struct, frozen=True, kw_only=True):
    """One directory artifact on its way from `here` (what was last put here) to `target`, below `within`.

    `load` reads trees from the cache.
    """

    workspace: Workspace
    cache: Cache
    load: Load
    artifact: bytes
    here: ObjectId | None
    target: ObjectId
    within: bytes = b""
    links: tuple[LinkMethod, ...] = (LinkMethod.REFLINK, LinkMethod.COPY)
    durability: Durability = Durability.BATCH
    relink: bool = False
    fresh: bool = False
    """Whether the directory was made for this: then nothing lies in it."""
    had_links: bool = False
    """Whether links into a cache may lie here: then a path that seems free is looked at before it is written."""
    read_only: bool = False
    """Whether nobody is to write to the files, whichever way they get there."""
    beside: bool = False
    """Whether only what was never here comes: what was, or lies in the way, stays as it is, changed or gone."""
    early: EarlyCopies | None = None

    # Deciding

    def plan(self) -> Plan:
        """Look, and decide; nothing is changed. KeyError where the cache lacks a tree."""
        if self.fresh or self.beside:
            return Plan(unsaved=(), kept=(), first=())
        unsaved: list[bytes] = []
        kept: list[bytes] = []
        first: list[bytes] = []
        files_wanted = Parents()
        files_going = Parents()
        questionable: list[tuple[bytes, ObjectId]] = []
        for path, now, base, target in self._triples():
            if target is not None:
                blocking = files_going.at_or_above(path)
                if blocking is not None and blocking not in first:
                    first.append(blocking)
                if target.kind != DIRECTORY:
                    files_wanted.push(path)
                if now is None or same(now, target) or now.kind == DIRECTORY:
                    continue
                if not same(now, base):
                    self._question(path, now, unsaved, questionable)
            elif now is not None:
                above = files_wanted.at_or_above(path)
                if now.kind != DIRECTORY:
                    files_going.push(path)
                if same(now, base):
                    if above is not None:
                        first.append(path)
                elif above is not None and now.kind != DIRECTORY:
                    first.append(path)
                    self._question(path, now, unsaved, questionable)
                elif above is not None:
                    first.append(path)
                elif now.kind != DIRECTORY:
                    kept.append(path)
        for path in first:  # a file that is in the way of a directory, and not what datatool wrote there
            if path in kept:
                kept.remove(path)
                oid = self._now(path)
                if oid is None:
                    unsaved.append(path)
                else:
                    questionable.append((path, oid))
        missing = self.cache.missing([oid for _, oid in questionable]) if questionable else set()
        unsaved += [path for path, oid in questionable if oid in missing]
        return Plan(unsaved=tuple(sorted(unsaved)), kept=tuple(kept), first=tuple(first))

    def _question(
        self, path: bytes, now: Entry, unsaved: list[bytes], questionable: list[tuple[bytes, ObjectId]]
    ) -> None:
        if now.kind in (FILE, EXECUTABLE):
            oid = now.oid or self._now(path)
            if oid is not None:
                questionable.append((path, oid))
                return
        unsaved.append(path)

    def _now(self, path: bytes) -> ObjectId | None:
        if not self.workspace.holds_file(self.artifact, path):
            return None
        return self.workspace.hash(self._whole(path))[0]

    def _triples(self) -> Iterator[Triple]:
        """What becomes of each path."""
        return self._beside() if self.beside else self._joined()

    def _joined(self) -> Iterator[Triple]:
        """Join workspace, base and target; a file of unknown hash is hashed where base or target could match."""
        if self.fresh or self.workspace.kind(self._whole(self.within) if self.within else self.artifact) is None:
            for entry in self._tree(self.target):
                yield entry.path, None, None, entry  # without anything here it doesn't matter what was
            return
        wanted = self._wanted()
        ahead: dict[bytes, tuple[Entry | None, Entry | None]] = {}

        def reference() -> Iterator[Entry]:
            for _, base, target in wanted:
                either = target if target is not None else base
                assert either is not None
                ahead[_key(either)] = (base, target)
                yield either

        for path, now, then in against(self.workspace, self.artifact, reference(), within=self.within):
            if then is None:
                yield path, now, None, None
                continue
            base, target = ahead.pop(_key(then))
            unknown = now is not None and now.oid is None and now.kind in (FILE, EXECUTABLE)
            if now is not None and unknown and base is not None and base is not then and base.size == now.size:
                now = now._replace(oid=self._now(path))
            yield path, now, base, target

    def _beside(self) -> Iterator[Triple]:
        """What was never here, and has nothing in its way."""
        in_the_way = Parents()
        for path, now, base, target in self._joined():
            if now is not None and now.kind != DIRECTORY:
                in_the_way.push(path)
            elif now is None and base is None and target is not None:
                taken = in_the_way.at_or_above(path) is not None or self.workspace.kind(self._whole(path)) is not None
                if not taken:
                    yield path, None, None, target

    def _wanted(self) -> Iterator[tuple[bytes, Entry | None, Entry | None]]:
        """Join base and target; most often there is no base, or it is the target."""
        if self.here is not None and self.here != self.target:
            return side_by_side(self._tree(self.here), self._tree(self.target))
        known = self.here is not None
        return ((entry.path, entry if known else None, entry) for entry in self._tree(self.target))

    def _tree(self, oid: ObjectId | None) -> Iterator[Entry]:
        return iter(()) if oid is None else read_tree(oid, self.load, within=self.within)

    def _whole(self, path: bytes) -> bytes:
        return self.artifact + b"/" + path

    # Doing

    def apply(self, plan: Plan, task: Task, *, save_to: Path | None = None) -> Outcome:
        """Make the workspace what the target says. Unsaved files are moved below `save_to` first, where it is given."""
        outcome = Outcome()
        going: list[bytes] = []
        empty: set[bytes] = set()
        chunk: list[tuple[Entry, bool]] = []
        size = 0
        right = right_bytes = 0
        remember = self.workspace.remember_published
        if self.fresh:
            self.workspace.state.forget_parts(self.artifact)
            if not self.within and entries_in(self.target, self.load) <= KEPT:
                remember = self._remember
        with Directories(self.workspace.root) as directories:
            if save_to is not None:
                for path in plan.unsaved:
                    place = save_to / os.fsdecode(self._whole(path))
                    make_dirs(place.parent)
                    move_out(directories, self._whole(path), place)
            for path in reversed(plan.first):
                self._delete(directories, path, outcome, empty)
            with Behind(remember) as behind:
                for path, now, base, target in self._triples():
                    if target is not None:
                        if now is None or not same(now, target) or (self.relink and self._is_to_be_relinked(target)):
                            if now is not None and self._became_unsaved(path, now, base, target):
                                outcome.refused.append(path)
                                continue
                            if target.kind == DIRECTORY:
                                empty.add(self._whole(path))
                            chunk.append((target, now is not None or self._is_taken(path)))
                            size += target.size
                            if len(chunk) >= CHUNK or size >= CHUNK_BYTES:
                                self._write_chunk(behind, chunk, outcome, task)
                                chunk, size = [], 0
                        elif target.is_file:
                            right, right_bytes = right + 1, right_bytes + target.size
                            if right == CHUNK:
                                task.advance(bytes=Spared(right_bytes), files=right)
                                right = right_bytes = 0
                    elif now is not None and same(now, base):
                        going.append(path)
                task.advance(bytes=Spared(right_bytes), files=right)
                self._write_chunk(behind, chunk, outcome, task)
            for path in reversed(going):
                self._delete(directories, path, outcome, empty)
        return outcome

    def _remember(self, published: list[Published]) -> None:
        self.workspace.remember_published(published)
        self.workspace.remember_part(self.artifact, self.target, published)

    def _is_to_be_relinked(self, target: Entry) -> bool:
        if not target.is_file or target.oid is None:
            return False
        return not stays(self.workspace, self.cache, self._whole(target.path), target.oid, self.links)

    def _is_taken(self, path: bytes) -> bool:
        """Whether a broken link into a cache lies there, which counts as nothing."""
        return self.had_links and os.path.lexists(self.workspace.full(self._whole(path)))

    def _became_unsaved(self, path: bytes, now: Entry, base: Entry | None, target: Entry) -> bool:
        """Whether somebody saved something of their own there since the plan was made."""
        if now.kind == DIRECTORY or same(now, base) or same(now, target):
            return False
        if now.kind not in (FILE, EXECUTABLE):
            return True
        oid = now.oid or self._now(path)
        return oid is not None and bool(self.cache.missing([oid]))

    def _delete(self, directories: Directories, path: bytes, outcome: Outcome, empty: set[bytes]) -> None:
        """Delete a file, link or empty directory, and the directories that only it kept; not those that the target
        wants empty."""
        whole = self._whole(path)
        kind = self.workspace.kind(whole)
        if kind is not None and (
            directories.remove_directory(whole) if kind == DIRECTORY else directories.remove(whole)
        ):
            outcome.deleted += 1
        parent = os.path.dirname(whole)
        while len(parent) > len(self.artifact) and parent not in empty and directories.remove_directory(parent):
            parent = os.path.dirname(parent)

    def _write_chunk(self, behind: Behind, chunk: list[tuple[Entry, bool]], outcome: Outcome, task: Task) -> None:
        """Write temporary files here; they get their names behind, while the next chunk is written."""
        published: list[Published] = []
        batch = Batch(
            self.workspace.root,
            durability=self.durability,
            on_published=published.extend,
            max_files=2 * CHUNK,
            whole_directories=self.fresh,
        )
        try:
            self._write(batch, chunk, outcome, task)
        except BaseException as error:
            batch.__exit__(type(error), error, error.__traceback__)
            raise
        behind.publish(batch, published)

    def _write(self, batch: Batch, chunk: list[tuple[Entry, bool]], outcome: Outcome, task: Task) -> None:
        files: list[tuple[bytes, Entry, bool]] = []
        linked = [method for method in self.links if method in (LinkMethod.HARDLINK, LinkMethod.SYMLINK)]
        for entry, replace in chunk:
            target = self._whole(entry.path)
            if entry.kind == DIRECTORY:
                batch.directory(target)
                outcome.written += 1
            elif entry.kind == SYMLINK:
                batch.symlink(target, entry.target or b"", replace=replace)
                outcome.written += 1
            else:
                if linked and self._link(batch, entry, target, replace, linked):
                    outcome.written += 1
                    task.advance(bytes=entry.size, files=1)
                    continue
                files.append((target, entry, replace))
        wanted = [Wanted(entry.oid, entry.size, entry.path) for _, entry, _ in files if entry.oid is not None]
        with Placing(batch, outcome, task, read_only=self.read_only, early=self.early) as placing:
            for item, (target, entry, replace) in zip(self.cache.checked(wanted), files, strict=True):
                placing.put(item, target, entry, replace=replace)

    def _link(self, batch: Batch, entry: Entry, target: bytes, replace: bool, methods: Sequence[LinkMethod]) -> bool:
        assert entry.oid is not None
        if entry.kind == EXECUTABLE or entry.oid == EMPTY:
            return False
        source = self.cache.linkable(entry.oid)
        if source is None:
            return False
        return link(batch, source, target, entry.oid, methods, replace=replace)


def tree_without(
    load: Load,
    cache: Cache,
    *,
    here: ObjectId | None,
    target: ObjectId,
    within: bytes,
    failed: set[bytes],
) -> TreeSummary:
    """The tree of what is really here after a checkout that left something out, saved in the cache.

    Below `within` it is the target without what failed; elsewhere what was here before.
    """
    pages: list[tuple[ObjectId, bytes]] = []
    tree = TreeWriter(lambda oid, data: pages.append((oid, data)))
    before = read_tree(here, load) if here is not None else iter(())
    for path, old, new in side_by_side(before, read_tree(target, load)):
        inside = not within or path == within or path.startswith(within + b"/")
        chosen = (new if path not in failed else None) if inside else old
        if chosen is not None:
            tree.add(chosen)
    summary = tree.finish()
    cache.keep(pages)
    return summary


def empty_tree(cache: Cache) -> ObjectId:
    """The tree of nothing, saved in the cache."""
    pages: list[tuple[ObjectId, bytes]] = []
    summary = TreeWriter(lambda oid, data: pages.append((oid, data))).finish()
    cache.keep(pages)
    return summary.oid


def _key(entry: Entry) -> bytes:
    return entry.path + b"/" if entry.kind == DIRECTORY else entry.path
