"""All DVC projects of a repository as one reader: each path belongs to the innermost one around it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING

from datatool.cache.local import Cache
from datatool.errors import DatatoolError
from datatool.progress import Task
from datatool.registry.dvc.roots import SERVING, find_dvc_roots, is_within
from datatool.registry.offer import Brought, Offer, Root
from datatool.registry.view import View

if TYPE_CHECKING:
    from datatool.registry.dvc.reader import DvcReader

Opener = Callable[[bytes], "DvcReader"]
"""Gives the reader of the project at a directory, which has `.dvc/`."""


class DvcProjects:
    """The projects of one commit, each opened when a path asks for it.

    projects = DvcProjects(view, lambda: lambda root: DvcReader(view, root, access, ...))
    """

    def __init__(self, view: View, load: Callable[[], Opener]) -> None:
        """`load` is called at the first project: most registries have none, and need not load what reads one."""
        self._view = view
        self._load = load
        self._open: Opener | None = None
        self._readers: dict[bytes, DvcReader] = {}
        self._tops: list[bytes] | None = None

    def roots(self, within: bytes) -> Iterator[Root]:
        """The tracked files and directories at, below or around a path, of all projects."""
        for reader in self._around(within):
            yield from reader.roots(within)

    def offers(self, within: bytes) -> Iterator[Offer]:
        """Every data file and empty directory at or below a path, of all projects, sorted."""
        found = [offer for reader in self._around(within) for offer in reader.offers(within)]
        found.sort(key=lambda offer: offer.path)
        yield from found

    def hidden(self, path: bytes) -> bool:
        """Whether a git-tracked file only serves DVC."""
        names = path.split(b"/")
        if not (names[-1] in SERVING or names[-1].endswith(b".dvc") or b".dvc" in names):
            return False
        if self._tops is None:
            self._tops = find_dvc_roots(self._view)
        around = [top for top in self._tops if is_within(path, top)]
        return bool(around) and self._reader(max(around, key=len)).hidden(path)

    def owns(self, offer: Offer) -> bool:
        """Whether an offer came from one of the projects."""
        return any(reader.owns(offer) for reader in self._readers.values())

    def url(self, offer: Offer) -> str:
        """Where the bytes of an offer lie as a file of their own."""
        return next(reader for reader in self._readers.values() if reader.owns(offer)).url(offer)

    def bring(self, offers: Sequence[Offer], cache: Cache, task: Task) -> Iterator[Brought]:
        """Have the bytes of their offers in a cache."""
        for reader in self._readers.values():
            mine = [offer for offer in offers if reader.owns(offer)]
            if mine:
                yield from reader.bring(mine, cache, task)

    def lacking(self, offers: Sequence[Offer], cache: Cache) -> dict[bytes, DatatoolError]:
        """Why some of their offers could not be brought into a cache, by path; no bytes are read."""
        found: dict[bytes, DatatoolError] = {}
        for reader in self._readers.values():
            found |= reader.lacking([offer for offer in offers if reader.owns(offer)], cache)
        return found

    def _around(self, within: bytes) -> list[DvcReader]:
        return [self._reader(top) for top in find_dvc_roots(self._view, within)]

    def _reader(self, top: bytes) -> DvcReader:
        if top not in self._readers:
            if self._open is None:
                self._open = self._load()
            self._readers[top] = self._open(top)
        return self._readers[top]
