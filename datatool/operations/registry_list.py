"""What another repository, or this project, offers at a revision, without a checkout or a full clone."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from operator import attrgetter
from pathlib import Path

from datatool.config.load import Config
from datatool.errors import PathNotFound, UsageError
from datatool.model.entry import DIRECTORY, EXECUTABLE, SYMLINK
from datatool.model.oid import prefixed
from datatool.operations.list_ import top_of
from datatool.operations.listed import ListEntry, ListResult, one_level, or_registry
from datatool.operations.own_commit import open_own_commit
from datatool.operations.reach import Reach
from datatool.operations.registries import registry_place, user_cache
from datatool.project.project import Project
from datatool.registry.catalog import Catalog, registry_path
from datatool.registry.offer import Offer, Origin, Root
from datatool.registry.open import open_registry

_GIT = Origin.GIT
_KINDS = {SYMLINK: "symlink", DIRECTORY: "directory"}


def list_registry(
    where: str,
    path: str | None,
    *,
    cwd: Path,
    config: Config,
    environ: Mapping[str, str],
    recursive: bool = False,
    rev: str | None = None,
    data_only: bool = False,
    reach: Reach | None = None,
) -> ListResult:
    """List what is at or below `path` of a registry, one level deep unless `recursive`.

    What can't be read is listed with its `problem`. Raises PathNotFound, RevisionNotFound, UsageError for an empty
    revision, RemoteUnreachable, RemoteDenied.
    """
    if rev == "":
        raise UsageError("an empty revision", hint="leave --rev out for the default branch")
    place = registry_place(where, cwd=cwd, config=config, environ=environ, reach=reach or Reach())
    top = registry_path(path) if path is not None else b""
    with user_cache(environ, otherwise=cwd) as cache:
        catalog = open_registry(place, rev, cache)
        return ListResult(entries=catalog_entries(catalog, top, recursive=recursive, data_only=data_only))


def list_own_commit(
    project: Project,
    rev: str,
    path: str | None,
    *,
    cwd: Path,
    environ: Mapping[str, str],
    recursive: bool = False,
    data_only: bool = False,
    offline: bool = False,
) -> ListResult:
    """List what the project had at or below `path` (the current directory by default) at a revision, what DVC or Git
    LFS kept then included.

    Raises PathNotFound, RevisionNotFound, UsageError for an empty revision, LocalError without git.
    """
    if rev == "":
        raise UsageError("an empty revision", hint="leave --rev out for the work tree")
    top = top_of(project, path, cwd)
    catalog = open_own_commit(project, rev, environ=environ, offline=offline)
    try:
        return ListResult(entries=catalog_entries(catalog, top, recursive=recursive, data_only=data_only))
    except PathNotFound as error:
        if path is not None:
            raise or_registry(error, project, path) from None
        return ListResult(entries=())  # the current directory, which there was not yet


def catalog_entries(catalog: Catalog, top: bytes, *, recursive: bool, data_only: bool = False) -> tuple[ListEntry, ...]:
    """The entries of a commit at or below a path, by path. Raises PathNotFound."""
    found: dict[str, ListEntry] = {}
    for root in catalog.roots(top):
        if root.path == top or not top or root.path.startswith(top + b"/"):
            found[os.fsdecode(root.path)] = _of_root(root)
    for entry in _entries(catalog, top, recursive=recursive, data_only=data_only):
        if entry.path not in found or found[entry.path].problem is None:
            found[entry.path] = _better(found.get(entry.path), entry)
    if top and not found:
        raise catalog.not_found(top)
    if recursive:
        return tuple(found[path] for path in sorted(found))
    shown = list(one_level(found, os.fsdecode(top)))
    itself = found.get(os.fsdecode(top))
    if itself is not None and itself.problem is not None and itself not in shown:
        shown.append(itself)  # what is in it can't be told
    return tuple(sorted(shown, key=attrgetter("path")))


def _entries(catalog: Catalog, top: bytes, *, recursive: bool, data_only: bool) -> Iterator[ListEntry]:
    """The single files: without `recursive` a tracked directory that lies below is not opened."""
    if not recursive:
        around = [root for root in catalog.roots(top) if root.path == top or top.startswith(root.path + b"/")]
        if not around:
            for offer in () if data_only else catalog.tracked(top):
                yield entry_of(offer)
            return
    for _, offer in catalog.offers(top, data_only=data_only):
        yield entry_of(offer)


def _better(root: ListEntry | None, entry: ListEntry) -> ListEntry:
    """A tracked file is told of twice: by its pointer, and by what brings it."""
    return entry if root is None or (root.kind == entry.kind and entry.origin != Origin.GIT) else root


def _of_root(root: Root) -> ListEntry:
    return ListEntry(
        path=os.fsdecode(root.path),
        kind="directory" if root.directory else "file",
        origin=root.origin,
        size=root.size,
        oid=prefixed(root.oid) if root.oid is not None else None,
        executable=root.executable,
        problem=root.problem,
        id=root.ident,
    )


def entry_of(offer: Offer) -> ListEntry:
    """What a list tells of an offer."""
    oid = offer.oid if offer.origin is not _GIT else None
    return ListEntry(
        os.fsdecode(offer.path),
        _KINDS.get(offer.kind, "file"),
        offer.origin,
        offer.size,
        prefixed(oid) if oid is not None else None,
        offer.kind == EXECUTABLE,
        offer.problem,
        offer.ident,
    )
