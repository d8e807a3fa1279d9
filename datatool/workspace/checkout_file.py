"""Cache → workspace, for an artifact that is a single file."""

from __future__ import annotations

from msgspec import Struct

from datatool.cache.local import Cache
from datatool.errors import PathNotFound
from datatool.localfs.batch import Batch
from datatool.model.entry import DIRECTORY, EXECUTABLE, FILE, Entry
from datatool.model.oid import EMPTY, ObjectId
from datatool.model.settings import Durability, LinkMethod
from datatool.progress import Task
from datatool.store.objects import Wanted
from datatool.workspace.early_copies import EarlyCopies
from datatool.workspace.placing import Outcome, Placing, link
from datatool.workspace.present import Workspace


class FileCheckout(Struct, frozen=True, kw_only=True):
    """A single file on its way to the version its pointer names."""

    workspace: Workspace
    cache: Cache
    path: bytes
    target: Entry
    here: ObjectId | None
    links: tuple[LinkMethod, ...]
    durability: Durability
    relink: bool = False
    read_only: bool = False
    """Whether nobody is to write to it, whichever way it gets there."""
    early: EarlyCopies | None = None

    def current(self) -> tuple[bool, bool]:
        """Whether it is already the target, and whether what lies there is unsaved."""
        kind = self.workspace.kind(self.path)
        if kind is None:
            return False, False
        if kind in (DIRECTORY, "?"):
            return False, True
        try:
            seen = self.workspace.look_at_file(self.path)
        except PathNotFound:  # a link to nothing: one into a cache that was moved, or somebody's own
            return False, not self.workspace.stands_for_nothing(self.path)
        if seen.found.kind != FILE:
            return False, True
        oid = seen.oid
        if oid is None:
            oid, _ = self.workspace.hash(self.path)
        before = self.target if not self.workspace.modes_bind else None
        now = self.workspace.entry(seen, oid, before)
        if oid == self.target.oid and now.kind == self.target.kind:
            return True, False
        return False, oid != self.here and bool(self.cache.missing([oid]))

    def apply(self, task: Task) -> Outcome:
        """Write it; the caller has asked `current`."""
        outcome = Outcome()
        with Batch(
            self.workspace.root, durability=self.durability, on_published=self.workspace.remember_published
        ) as batch:
            self.put(batch, outcome, task)
        return outcome

    def put(self, batch: Batch, outcome: Outcome, task: Task) -> None:
        """Write it together with others, as a batch of many costs hardly more than one of a single file."""
        entry = self.target
        assert entry.oid is not None
        replace = self.workspace.kind(self.path) is not None
        methods = [method for method in self.links if method in (LinkMethod.HARDLINK, LinkMethod.SYMLINK)]
        if methods and entry.kind != EXECUTABLE and entry.oid != EMPTY:
            source = self.cache.linkable(entry.oid)
            if source is not None and link(batch, source, self.path, entry.oid, methods, replace=replace):
                outcome.written += 1
                return
        with Placing(batch, outcome, task, read_only=self.read_only, early=self.early) as placing:
            for item in self.cache.checked([Wanted(entry.oid, entry.size, self.path)]):
                placing.put(item, self.path, entry, replace=replace)
