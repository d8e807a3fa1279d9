"""From what a user calls a registry to what it offers at a revision."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from datatool.cache.local import Cache
from datatool.git.clones import find_repository, resolve_commit
from datatool.git.repository import Repository
from datatool.registry.access import Access
from datatool.registry.catalog import Catalog
from datatool.registry.native import NativeReader
from datatool.registry.offer import Reader
from datatool.registry.view import View


@dataclass(frozen=True, kw_only=True, slots=True)
class Place:
    """Where a registry is and how it may be read: `where` is a path (from `base`) or a URL. `given` are the settings of
    a remote that the user typed for it; `trusted` that the user trusts it by name. `home` is this user's own directory
    for clones and for what is known of remotes."""

    where: str
    base: Path
    home: Path
    given: Mapping[str, str] | None = None
    trusted: bool = False
    offline: bool = False
    jobs: int = 8
    bandwidth: int | None = None

    def repository(self) -> Repository:
        """Its repository; nothing is asked yet. Raises UsageError, UnsafeInput, NotFoundError, GitError."""
        return find_repository(self.where, base=self.base, clones=self.home / "git", offline=self.offline)


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
        offline=place.offline,
        jobs=place.jobs,
        bandwidth=place.bandwidth,
    )
    readers: list[Reader] = [NativeReader(view, access, cache, memory_dir=place.home / "remotes")]
    return Catalog(view, readers)
