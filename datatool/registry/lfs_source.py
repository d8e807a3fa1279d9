"""Objects of Git LFS as sources to be moved from: directories as git-lfs keeps them, and a server."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

from datatool.cache.local import SMALL
from datatool.errors import DatatoolError, PartlyDone, RemoteDenied, RemoteError
from datatool.formats.lfs_batch import OBJECTS_PER_BATCH, LfsRefusal
from datatool.model.oid import ObjectId
from datatool.model.paths import show_bytes
from datatool.store.objects import Absent, Large, Small, Wanted, Withheld
from datatool.store.protocol import Advance, NameMissing, WrongBytes

if TYPE_CHECKING:
    from datatool.remote.stores.lfs import LfsServer

_READ: Final = (
    os.O_RDONLY
    | getattr(os, "O_CLOEXEC", 0)
    | getattr(os, "O_BINARY", 0)
    | getattr(os, "O_NOFOLLOW", 0)
    | getattr(os, "O_NONBLOCK", 0)  # what is no file but a pipe is not waited for
)


class LfsDirectory:
    """Objects at `<top>/ab/cd/<oid>`; only regular files of the right size are opened, and nothing is written."""

    def __init__(self, top: Path) -> None:
        self._top = top

    def read(self, wanted: Sequence[Wanted]) -> Iterator[Small | Large | Absent]:
        """Each object, its bytes unchecked."""
        for item in wanted:
            yield self._one(item)

    def reject(self, wanted: Wanted) -> None:
        """Nothing to do: whoever wants it asks elsewhere."""

    def _one(self, item: Wanted) -> Small | Large | Absent:
        path = self._top / item.oid[:2] / item.oid[2:4] / item.oid
        try:
            fd = os.open(path, _READ)
        except OSError:
            return Absent(item)
        with open(fd, "rb") as file:
            facts = os.fstat(fd)
            if not stat.S_ISREG(facts.st_mode) or facts.st_size != item.size:
                return Absent(item)
            if item.size > SMALL:
                return Large(item, path, _never_asked)
            try:
                return Small(item, file.read(item.size))
            except OSError:
                return Absent(item)


class LfsServerSource:
    """Objects of a server. `why` tells, after reading, why some are not to be had."""

    def __init__(self, server: LfsServer) -> None:
        self.why: dict[ObjectId, DatatoolError] = {}
        self._server = server

    def read(self, wanted: Sequence[Wanted]) -> Iterator[Small | Large | Absent]:
        """Each object, a group at a time, as addresses do not hold for ever."""
        for start in range(0, len(wanted), OBJECTS_PER_BATCH):
            yield from self._group(wanted[start : start + OBJECTS_PER_BATCH])

    def reject(self, wanted: Wanted) -> None:
        """Nothing to do: it is asked for once more, as its bytes may have been changed on their way."""

    def _group(self, group: Sequence[Wanted]) -> Iterator[Small | Large | Absent]:
        refused = self._server.locate([(item.oid, item.size) for item in group])
        by_oid = {item.oid: item for item in group}
        for oid, refusal in refused.items():
            self.why[oid] = _refusal(by_oid[oid], refusal, self._server.label)
            yield Absent(by_oid[oid])
        located = [item for item in group if item.oid not in refused]
        small = [(item.oid, item.size) for item in located if item.size <= SMALL]
        for oid, outcome in self._server.get_each(small):
            item = by_oid[oid]
            if isinstance(outcome, bytes):
                yield Small(item, outcome)
            elif isinstance(outcome, WrongBytes):
                yield Absent(item, damaged=True)
            else:
                self._note(item, outcome)
                yield Absent(item)
        for item in located:
            if item.size > SMALL:
                yield Large(item, None, _Copier(self, self._server, item).copy_to)

    def _note(self, item: Wanted, error: RemoteError | NameMissing) -> None:
        if isinstance(error, NameMissing):
            self.why[item.oid] = _refusal(item, LfsRefusal(code=404, message=""), self._server.label)
        else:
            message = f"{_what(item)}: {error.message}"
            self.why[item.oid] = type(error)(message, hint=error.hint, path=os.fsdecode(item.label))

    def forget(self, item: Wanted, error: RemoteError | NameMissing) -> None:
        """Remember why a large object is not to be had."""
        self._note(item, error)


class _Copier:
    """Copies one large object, and has it noted why it is not to be had."""

    def __init__(self, source: LfsServerSource, server: LfsServer, item: Wanted) -> None:
        self._source = source
        self._server = server
        self._item = item

    def copy_to(self, fd: int, have: int, advance: Advance | None) -> None:
        try:
            self._server.get_file(self._item.oid, self._item.size, fd, have, advance)
        except Withheld as held:
            self._source.forget(self._item, held.cause)
            raise
        except NameMissing as error:
            self._source.forget(self._item, error)
            raise


def _what(item: Wanted) -> str:
    return f"{show_bytes(item.label)}: object {item.oid[:12]}…"


def _refusal(item: Wanted, refusal: LfsRefusal, label: str) -> DatatoolError:
    """The error for an object that a server does not give."""
    said = f": {refusal.message}" if refusal.message else ""
    path = os.fsdecode(item.label)
    if refusal.code in (401, 403):
        return RemoteDenied(f"{_what(item)} is denied by {label}{said}", path=path)
    if refusal.code in (0, 404, 410):
        return PartlyDone(
            f"{_what(item)} is not on {label}{said}",
            hint="whoever has it runs git lfs push --all in that repository; then run this again",
            path=path,
        )
    return RemoteError(f"{_what(item)}: {label} does not give it (code {refusal.code}){said}", path=path)


def _never_asked(fd: int, have: int, advance: Advance | None) -> None:
    raise AssertionError("an object in a local file is copied by its path")
