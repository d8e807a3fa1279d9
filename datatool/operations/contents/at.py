"""What a registry has at a commit, or this project at one of its own."""

from __future__ import annotations

import io
import os
from collections.abc import Callable, Sequence
from typing import Final

from datatool.cache.local import Cache
from datatool.errors import DatatoolError, IsDirectory, PartlyDone, PathNotFound
from datatool.git.repository import commit_time
from datatool.model.entry import DIRECTORY, EXECUTABLE, FILE, SYMLINK
from datatool.model.oid import ObjectId
from datatool.model.paths import named
from datatool.operations.contents.content import Held, borrow, directory_entry, reader_by
from datatool.operations.imports import whole_failure
from datatool.operations.listed import ListEntry
from datatool.operations.registry_list import catalog_entries, entry_of
from datatool.progress import Progress
from datatool.registry.catalog import Catalog
from datatool.registry.copying import copy_selection
from datatool.registry.offer import Offer, Reader
from datatool.store.objects import Wanted

_MANY: Final = 8
"""Paths that are looked at one by one; each costs a few calls of git."""


class CommitContent:
    """The content of one commit; see `datatool.operations.contents.content`."""

    def __init__(self, catalog: Catalog, cache: Cache, *, near: Callable[[], Cache | None], progress: Progress) -> None:
        """`cache` is where what is read is kept; `near` opens another cache of this user's, if there is one."""
        self.commit: str | None = catalog.view.commit
        self._catalog = catalog
        self._cache = cache
        self._near = near
        self._progress = progress
        self._questions = 0

    def entries(self, path: bytes, *, recursive: bool) -> Sequence[ListEntry]:
        """As `datatool list REPO` shows them."""
        return catalog_entries(self._catalog, path, recursive=recursive)

    def look(self, path: bytes) -> ListEntry | None:
        """What a path is, by the first reader that knows it."""
        if not path:
            return directory_entry(path, "git")
        found = self._first(path)
        if found is None:
            return None
        _, offer = found
        if offer.problem is not None and not offer.path.startswith(path + b"/"):
            raise _problem(offer)
        if offer.path != path or offer.kind == DIRECTORY:
            return directory_entry(path, offer.origin.value)
        return entry_of(offer)

    def link(self, path: bytes) -> bytes:
        """The text of a symlink."""
        _, offer = self._file(path)
        return offer.target if offer.target is not None else self._catalog.link_targets([offer])[path]

    def hold(self, path: bytes) -> Held:
        """Have what is at a path in the cache."""
        entry = self.look(path)
        if entry is None:
            raise self.not_found(path)
        if entry.kind == "directory":
            return self._hold_directory(path)
        reader, offer = self._file(path)
        self._borrow([offer])
        with self._progress.task("getting", bytes=offer.size, files=1) as task:
            [(_, outcome)] = list(reader.bring([offer], self._cache, task))
        if isinstance(outcome, DatatoolError):
            raise outcome
        size = offer.size if offer.size is not None else self._cache.sizes([outcome])[outcome]
        return Held(cache=self._cache, oid=outcome, size=size, executable=offer.kind == EXECUTABLE)

    def gather(self, paths: Sequence[bytes]) -> None:
        """Have many files in the cache."""
        found = [self._catalog.first(path) for path in paths]
        offers = [
            item[1]
            for item, path in zip(found, paths, strict=True)
            if item is not None
            and item[1].path == path
            and item[1].problem is None
            and item[1].kind in (FILE, EXECUTABLE)
        ]
        self._borrow(offers)
        with self._progress.task("getting", files=len(offers)) as task:
            for _ in self._catalog.bring(offers, self._cache, task):
                pass

    def reader(self, path: bytes) -> io.FileIO | io.BytesIO:
        """A file, from the cache."""
        return reader_by(self.hold, path)

    def url(self, path: bytes) -> str:
        """Where a file's bytes lie as a file of their own, as its reader tells."""
        reader, offer = self._file(path)
        return self._catalog.url(reader, offer)

    def changed(self, path: bytes) -> float:
        """The time of the commit."""
        return commit_time(self._catalog.view.repository, self._catalog.view.commit)

    def not_found(self, path: bytes) -> PathNotFound:
        """The error for a path where there is nothing."""
        return self._catalog.not_found(path)

    def _first(self, path: bytes) -> tuple[Reader, Offer] | None:
        """What is at or below a path. From some questions on, all that git knows of the commit is read in one go."""
        self._questions += 1
        if self._questions == _MANY:
            self._catalog.roots()
        return self._catalog.first(path)

    def _file(self, path: bytes) -> tuple[Reader, Offer]:
        found = self._first(path)
        if found is None:
            raise self.not_found(path)
        if found[1].problem is not None:
            raise _problem(found[1])
        if found[1].path != path or found[1].kind == DIRECTORY:
            raise IsDirectory(f"{named(path)}: is a directory", path=os.fsdecode(path))
        return found

    def _hold_directory(self, path: bytes) -> Held:
        chosen = self._catalog.select(path)
        self._borrow([offer for offer in chosen.offers if offer.kind != SYMLINK])
        self._catalog.prepare([chosen])
        size = sum(offer.size or 0 for offer in chosen.offers)
        with self._progress.task("getting", bytes=size or None, files=len(chosen.offers)) as task:
            copied = copy_selection(self._catalog, chosen, self._cache, task)
        if copied.failed:
            raise whole_failure(error for _, error in copied.failed)
        return Held(cache=self._cache, oid=copied.oid, size=copied.size, directory=copied.directory)

    def _borrow(self, offers: Sequence[Offer]) -> None:
        """Take what another cache of this user's has."""
        wanted: dict[ObjectId, Wanted] = {}
        for offer in offers:
            if offer.oid is not None and offer.kind != DIRECTORY:
                wanted[offer.oid] = Wanted(offer.oid, offer.size or 0, offer.path)
        if not wanted or not self._cache.missing(list(wanted)):
            return
        near = self._near()
        if near is not None:
            borrow(near, self._cache, list(wanted.values()))


def _problem(offer: Offer) -> DatatoolError:
    text = f"{named(offer.path)}: {offer.problem}"
    if offer.error is None:
        return PartlyDone(text, path=os.fsdecode(offer.path))
    offer.error.message = text
    return offer.error
