"""The objects of Git LFS that pointers name, brought from a repository's LFS directory or from its LFS server."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

from datatool.cache.local import Cache
from datatool.errors import (
    DamageFound,
    DatatoolError,
    FormatError,
    PartlyDone,
    RemoteError,
    RemoteUnreachable,
    UnsafeInput,
    UsageError,
)
from datatool.git.credentials import Credentials
from datatool.model.oid import ObjectId
from datatool.model.paths import show_bytes
from datatool.progress import Task
from datatool.registry.access import Access
from datatool.registry.lfs_place import LfsHome, find_home, server_place
from datatool.registry.lfs_source import LfsDirectory, LfsServerSource
from datatool.registry.offer import Brought, Offer
from datatool.registry.view import View
from datatool.remote.connect import connect_lfs
from datatool.store.objects import Absent, ObjectSource, Wanted
from datatool.store.transfer import transfer

if TYPE_CHECKING:
    from datatool.remote.stores.lfs import LfsServer

_NOWHERE: Final = "any place that is known"
_CHUNK: Final = 16_384
"""Objects that are saved together."""


class LfsObjects:
    """Where the objects of one commit are. `cwd` is where git is asked for logins; `environ` stands in for this
    process's environment."""

    def __init__(self, view: View, access: Access, *, cwd: Path, environ: Mapping[str, str] | None = None) -> None:
        self._view = view
        self._access = access
        self._cwd = cwd
        self._environ = environ

    def bring(self, offers: Sequence[Offer], cache: Cache, task: Task) -> Iterator[Brought]:
        """Have the objects of offers in a cache: from there, from this machine, from the server."""
        wanted: dict[ObjectId, Wanted] = {}
        for offer in offers:
            if offer.oid is not None:
                wanted.setdefault(offer.oid, Wanted(offer.oid, offer.size or 0, offer.path))
        errors = self._have(list(wanted.values()), cache, task)
        sizes = cache.sizes([oid for oid in wanted if oid not in errors])
        for offer in offers:
            if offer.oid is None:
                yield offer, PartlyDone(f"{show_bytes(offer.path)}: {offer.problem}", path=os.fsdecode(offer.path))
            elif offer.oid in errors:
                yield offer, errors[offer.oid]
            elif sizes.get(offer.oid, offer.size) != offer.size:
                yield offer, _wrong_size(offer, sizes[offer.oid])
            else:
                yield offer, offer.oid

    def _have(self, wanted: Sequence[Wanted], cache: Cache, task: Task) -> dict[ObjectId, DatatoolError]:
        missing = cache.missing([want.oid for want in wanted])
        here = [want for want in wanted if want.oid not in missing]
        if here:
            task.advance(files=len(here), bytes=sum(want.size for want in here))
        left = [want for want in wanted if want.oid in missing]
        if not left:
            return {}
        try:
            home = find_home(self._view, self._access)
            left, damaged = self._from_directories(home, left, cache, task)
            return self._from_server(home, left, damaged, cache, task) if left else {}
        except (RemoteError, UnsafeInput, UsageError) as error:
            return dict.fromkeys(cache.missing([want.oid for want in left]), error)

    def _from_directories(
        self, home: LfsHome, left: Sequence[Wanted], cache: Cache, task: Task
    ) -> tuple[list[Wanted], set[ObjectId]]:
        """What is still missing, and what was there and is damaged."""
        damaged: set[ObjectId] = set()
        for directory in dict.fromkeys(home.directories):
            absent = _absent_after(LfsDirectory(directory), cache, left, task)
            damaged |= {found.wanted.oid for found in absent if found.damaged}
            left = [found.wanted for found in absent]
        return list(left), damaged

    def _from_server(
        self, home: LfsHome, left: Sequence[Wanted], damaged: set[ObjectId], cache: Cache, task: Task
    ) -> dict[ObjectId, DatatoolError]:
        if home.url is None:
            return {want.oid: _absence(want, self._view, _NOWHERE, damaged=want.oid in damaged) for want in left}
        server, complaint = self._server(home)
        source = LfsServerSource(server)
        try:
            absent = _absent_after(source, cache, left, task)
        except RemoteError as error:
            if not complaint:
                raise
            raise type(error)(f"{error.message}; before, ssh had failed: {complaint}", hint=error.hint) from error
        return {
            want.oid: source.why.get(want.oid) or _absence(want, self._view, server.label, damaged=wrong)
            for want, wrong in ((found.wanted, found.damaged) for found in absent)
        }

    def _server(self, home: LfsHome) -> tuple[LfsServer, str]:
        """The server, and what ssh complained about that should have led to it."""
        shown = self._view.repository.shown
        if self._access.offline:
            raise RemoteUnreachable(
                f"{shown}: its Git LFS server was not contacted: offline",
                hint="leave out --offline, unset DATATOOL_OFFLINE",
            )
        environ = os.environ if self._environ is None else self._environ
        place, complaint = server_place(home, environ=environ, cwd=self._cwd)
        server = connect_lfs(
            place,
            reach=home.reach,
            credentials=Credentials(cwd=self._cwd, environ=self._environ),
            scratch=self._access.scratch,
            jobs=self._access.jobs,
            bandwidth=self._access.bandwidth,
        )
        return server, complaint


def _absent_after(source: ObjectSource, cache: Cache, wanted: Sequence[Wanted], task: Task) -> list[Absent]:
    absent: list[Absent] = []
    for start in range(0, len(wanted), _CHUNK):
        with cache.writer() as writer:
            absent += transfer(source, writer, wanted[start : start + _CHUNK], progress_task=task).absent
    return absent


def _absence(want: Wanted, view: View, where: str, *, damaged: bool) -> DatatoolError:
    path = os.fsdecode(want.label)
    what = f"{show_bytes(want.label)}: object {want.oid[:12]}…"
    if damaged:
        return DamageFound(f"{what} is damaged at {where}; nothing wrong was kept", path=path)
    return PartlyDone(
        f"{what} is not on {where}",
        hint=f"whoever has the data of {view.repository.shown} runs git lfs push --all; then run this again",
        path=path,
    )


def _wrong_size(offer: Offer, size: int) -> FormatError:
    return FormatError(
        f"{show_bytes(offer.path)}: its Git LFS pointer says {offer.size} bytes, but the object that it names has "
        f"{size}",
        path=os.fsdecode(offer.path),
    )
