"""From what a user calls a registry to what it offers at a revision."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Final

from msgspec import Struct, field
from msgspec.structs import replace

from datatool.cache.local import Cache
from datatool.errors import UnsafeInput
from datatool.forks import load_module
from datatool.git.clones import find_repository, is_repository_url, local_directory, resolve_commit
from datatool.git.repository import Repository, promisor_of
from datatool.progress import Task
from datatool.registry.access import Access
from datatool.registry.catalog import Catalog, registry_path
from datatool.registry.copying import copy_selection
from datatool.registry.dvc.projects import DvcProjects, Opener
from datatool.registry.lfs import LfsReader
from datatool.registry.native import NativeReader
from datatool.registry.offer import Brought, Offer, Reader
from datatool.registry.view import View

DEPTH: Final = 8
"""Imports of imports, at most, that are followed to the data."""


class Place(Struct, frozen=True, kw_only=True):
    """Where a registry is and how it may be read: `where` is a path (from `base`) or a URL. `given` are the settings of
    a remote that the user typed for it; `trusted` that the user trusts it by name. `home` is this user's own directory
    for clones and for what is known of remotes. `config` is for this user's own project: its settings by flat key,
    which hold instead of what the commit says, credentials included."""

    where: str
    base: Path
    home: Path
    given: Mapping[str, str] | None = None
    trusted: bool = False
    config: Mapping[str, str] | None = None
    offline: bool = False
    jobs: int = 8
    bandwidth: int | None = None
    depth: int = 0
    """How many imports led here."""
    chain: tuple[str, ...] = ()
    """DVC's imports among them, so that a circle is told."""
    environ: Mapping[str, str] = field(default_factory=dict)
    """Says where the user's own DVC configuration lies."""

    def repository(self) -> Repository:
        """Its repository; nothing is asked yet. Raises UsageError, UnsafeInput, NotFoundError, GitError."""
        found = find_repository(self.where, base=self.base, clones=self.home / "git", offline=self.offline)
        return found if self.config is None else replace(found, promisor=promisor_of(found))


def open_registry(place: Place, rev: str | None, cache: Cache) -> Catalog:
    """What a registry offers at a revision (its default branch without one); lists are kept in `cache`.

    Raises what `Place.repository` does, RevisionNotFound, RemoteUnreachable, RemoteDenied.
    """
    repository = place.repository()
    view = View(repository, resolve_commit(repository, rev))
    access = Access(
        repository=repository,
        scratch=place.home / "uploads",
        given=place.given,
        trusted=place.trusted,
        whole=place.config is not None,
        offline=place.offline,
        jobs=place.jobs,
        bandwidth=place.bandwidth,
    )
    follow = partial(_followed, place, repository, cache)

    def load_dvc() -> Opener:
        opening: Any = load_module("datatool.registry.dvc.opening")
        opened: Opener = opening.opener(
            view,
            access,
            cache,
            memory=place.home / "dvc.db",
            environ=place.environ,
            open_other=partial(_opened, place, cache),
            chain=place.chain,
        )
        return opened

    readers: list[Reader] = [
        NativeReader(view, access, cache, memory_dir=place.home / "remotes", follow=follow, config=place.config),
        DvcProjects(view, load_dvc),
        LfsReader(view, access),
    ]
    return Catalog(view, readers)


class _Opened(Struct, frozen=True, kw_only=True, eq=False):
    """The registry that an import of DVC's came from, as its reader knows it."""

    catalog: Catalog

    def offers(self, path: bytes) -> list[Offer]:
        """Everything at a path but pointers; ignore lines are data to DVC, which imports them as well."""
        found = (offer for _, offer in self.catalog.offers(path))
        return [
            offer
            for offer in found
            if not self.catalog.hidden(offer) or offer.path.rpartition(b"/")[2] == b".gitignore"
        ]

    def bring(self, offers: Sequence[Offer], cache: Cache, task: Task) -> Iterator[Brought]:
        """Have the bytes of its offers in a cache."""
        return self.catalog.bring(offers, cache, task)


def _opened(
    place: Place, cache: Cache, url: str, rev: str | None, *, base: Path | None, chain: tuple[str, ...]
) -> _Opened:
    """Open the repository that an import of DVC's names; whether that may be was decided by its reader."""
    other = replace(
        place,
        where=url,
        base=base or place.base,
        given=None,
        trusted=False,
        config=None,
        depth=place.depth + 1,
        chain=chain,
    )
    return _Opened(catalog=open_registry(other, rev, cache))


class _Other(Struct, frozen=True, kw_only=True):
    """The registry that an import came from."""

    catalog: Catalog

    def copy(self, path: bytes, cache: Cache, task: Task) -> None:
        """Bring everything at a path into a cache."""
        chosen = self.catalog.select(registry_path(os.fsdecode(path)))
        copied = copy_selection(self.catalog, chosen, cache, task)
        if copied.failed:
            raise copied.failed[0][1]


def _followed(
    place: Place, repository: Repository, cache: Cache, where: str, commit: str | None, directory: bytes
) -> _Other:
    """Open what a pointer of a registry names as its source; what that may be depends on how the registry was named.

    Raises UnsafeInput for a place on this machine that another's repository names, and for a chain without end.
    """
    shown = repository.shown
    if place.depth >= DEPTH:
        raise UnsafeInput(f"{shown}: imports of imports, {DEPTH} deep, without the data", path=where)
    own = repository.local is not None
    if not own and (not is_repository_url(where) or local_directory(where, place.base) is not None):
        raise UnsafeInput(
            f"{shown}: was itself imported from {where}, a directory, which another's repository may not name",
            path=where,
        )
    base = repository.local / os.fsdecode(directory) if repository.local is not None else place.base
    other = replace(place, where=where, base=base, given=None, trusted=False, config=None, depth=place.depth + 1)
    return _Other(catalog=open_registry(other, commit, cache))
