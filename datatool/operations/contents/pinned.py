"""The objects that pointers of the work tree name: brought into the project's cache from wherever they are."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence

from datatool.cache.local import Cache
from datatool.errors import DatatoolError, PartlyDone, PathNotFound, RemoteError, RemoteNotFound
from datatool.formats.tree_object import part_ids, read_tree
from datatool.model.entry import Entry
from datatool.model.oid import ObjectId
from datatool.model.paths import named
from datatool.model.pointer import ArtifactKind
from datatool.operations.cached import has_list
from datatool.operations.contents.content import borrow
from datatool.operations.fetch import fetch, fetch_lists
from datatool.operations.remote_access import connect_to
from datatool.operations.remote_names import read_order
from datatool.operations.restore import can_be_restored
from datatool.operations.versions import Version
from datatool.progress import Progress
from datatool.project.project import Project
from datatool.remote.locate import object_url
from datatool.remote.url import parse_url
from datatool.store.objects import Wanted
from datatool.workspace.pointers import Artifact


class Pinned:
    """What artifacts of a project hold by their pointers."""

    def __init__(
        self, project: Project, *, near: Callable[[], Cache | None], remote: str | None, progress: Progress
    ) -> None:
        """`near` opens another cache of this user's, if there is one; `remote` is the one to read from."""
        self._project = project
        self._near = near
        self._remote = remote
        self._progress = progress

    def listed(self, artifact: Artifact, within: bytes) -> Iterator[Entry]:
        """The entries of a directory artifact at or below a path; its list is brought where it is not here."""
        if artifact.pointer.kind is ArtifactKind.FILE:
            return
        oid = pinned_oid(artifact)
        cache = self._project.cache
        if not has_list(cache, oid):
            near = self._near()
            if near is not None and has_list(near, oid):
                _borrow_list(near, cache, oid)
            else:
                self._fetch_list(artifact)
        try:
            yield from read_tree(oid, cache.load, within=within)
        except KeyError as error:
            raise PartlyDone(
                f"{named(artifact.path)}: its list is on no remote that could be asked",
                hint="whoever has the data runs datatool push; then run this again",
                path=artifact.name,
            ) from error

    def url(self, artifact: Artifact, path: bytes) -> str:
        """Where the bytes of an artifact, or of a file in it, lie on the first remote that has them as a file of their
        own. Raises UrlNotFound, RemoteNotFound, RemoteError."""
        oid = pinned_oid(artifact)
        if artifact.path != path:
            inside = next(self.listed(artifact, path[len(artifact.path) + 1 :])).oid
            assert inside is not None
            oid = inside
        failed: DatatoolError | None = None
        for name in read_order(self._project, self._remote, artifact.pointer):
            try:
                connection = connect_to(self._project, name, offline=False)
                connection.remote.open()
                address = parse_url(connection.settings["url"], root=self._project.root).shown
                return object_url(connection.remote, address, oid, label=path)
            except DatatoolError as error:
                failed = failed or error
        assert failed is not None
        raise failed

    def gather(self, artifact: Artifact, paths: Sequence[bytes]) -> None:
        """Have some of an artifact's files in the project's cache; paths where there is none are passed over."""
        skip = len(artifact.path) + 1
        wanted: list[Wanted] = []
        for path in paths:
            if path == artifact.path:
                oid = pinned_oid(artifact) if artifact.pointer.kind is ArtifactKind.FILE else None
                size = artifact.pointer.size or 0
            else:
                entry = next(self.listed(artifact, path[skip:]), None)
                oid, size = (entry.oid, entry.size) if entry is not None else (None, 0)
            if oid is not None:
                wanted.append(Wanted(oid, size, path))
        self.bring([want.label for want in wanted], wanted)

    def bring(self, paths: Sequence[bytes], wanted: Sequence[Wanted]) -> None:
        """Have the objects behind paths in the project's cache: from another one of this user's, from a remote, or from
        the source."""
        cache = self._project.cache
        ids = [want.oid for want in wanted]
        if not cache.missing(ids):
            return
        near = self._near()
        if near is not None:
            borrow(near, cache, wanted)
            if not cache.missing(ids):
                return
        self._fetch(paths)
        if cache.missing(ids):
            path = paths[0]
            raise PartlyDone(
                f"{named(path)}: its data is on no remote that could be asked",
                hint="whoever has the data runs datatool push; then run this again",
                path=os.fsdecode(path),
            )

    def _fetch_list(self, artifact: Artifact) -> None:
        """Get a list from a remote; one that only the source of an import has comes with all that it lists, as nothing
        less can be checked."""
        oid, cache = pinned_oid(artifact), self._project.cache
        restorable = self._remote is None and can_be_restored(artifact.pointer)
        failed: DatatoolError | None = None
        try:
            for name in read_order(self._project, self._remote, artifact.pointer):
                try:
                    version = Version(path=artifact.path, pointer=artifact.pointer)
                    fetch_lists(self._project, [version], remote=name)
                except RemoteError as error:
                    failed = failed or error
                if has_list(cache, oid):
                    return
        except RemoteNotFound as error:
            failed = error
        if restorable:
            self._fetch([artifact.path])
        elif failed is not None:
            raise failed

    def _fetch(self, paths: Sequence[bytes]) -> None:
        result = fetch(
            self._project,
            [os.fsdecode(path) for path in paths],
            cwd=self._project.root,
            remote=self._remote,
            progress=self._progress,
        )
        for item in result.artifacts:
            if item.error is not None:
                raise item.error.error


def pinned_oid(artifact: Artifact) -> ObjectId:
    """The id that a pointer names. Raises PathNotFound for an import without its data."""
    if artifact.pointer.oid is None:
        raise PathNotFound(
            f"{named(artifact.path)}: was imported without its data",
            hint=f"datatool update {named(artifact.path)} downloads it",
            path=artifact.name,
        )
    return artifact.pointer.oid


def _borrow_list(near: Cache, cache: Cache, oid: ObjectId) -> None:
    """Copy what lists a directory from one cache into another."""
    borrow(near, cache, [Wanted(part, 0, b"", True) for part in part_ids(oid, near.load)])
