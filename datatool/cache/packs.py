"""Small objects in the cache: where each lies in a local pack, and its bytes."""

from __future__ import annotations

import mmap
import os
from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from msgspec import Struct

from datatool.cache.trust import Trust
from datatool.errors import FormatError, LocalError
from datatool.formats.pack import PackRecord, footer_start, is_metadata, pack_path, parse_footer
from datatool.formats.shard import LOOSE, Shard, ShardRecord
from datatool.formats.zstd import decompress
from datatool.hashing import digest, hash_fd
from datatool.model.oid import ObjectId, parse_oid
from datatool.store.objects import WholePack

ZSTD_KIND = 1
_MOST_OPEN = 64
_AT_ONCE = 256 << 10
"""About so many bytes of objects that lie in a row are read at once: few enough to stay in the processor's cache until
they are hashed or written."""
_TAIL = 64
"""Bytes: enough to tell where a pack's list starts."""
_HAS_PREAD = hasattr(os, "pread")
_READ = os.O_RDONLY | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0)


class Place(Struct, frozen=True, gc=False):
    """Where an object's bytes lie: `clen` bytes at `off` of a pack, compressed if `kind` says so."""

    pack: ObjectId
    kind: int
    off: int
    clen: int
    ulen: int


class PackList(NamedTuple):
    """What a pack of `size` bytes says, in its `footer`, that it holds; `metadata`: tree pages and run records only."""

    records: list[PackRecord]
    metadata: bool
    size: int
    footer: bytes


def read_list(path: Path) -> PackList | None:
    """Read it from the end of a pack; None if that can't be read, or isn't there."""
    try:
        with open(path, "rb") as file:
            size = os.fstat(file.fileno()).st_size
            file.seek(max(0, size - _TAIL))
            tail = file.read()
            file.seek(footer_start(tail, size))
            footer = file.read()
            return PackList(parse_footer(footer, size), is_metadata(tail), size, footer)
    except (OSError, FormatError):
        return None


class Packs:
    """All local packs, read through their index shards; a pack that has gone is as if it never was."""

    def __init__(self, top: Path, trust: Trust) -> None:
        self._top = top
        self._trust = trust
        self._shards: dict[str, Shard] = {}
        self._present: dict[ObjectId, bool] = {}
        self._open_packs: dict[ObjectId, int] = {}
        self.refresh()

    def refresh(self) -> None:
        """Look again which shards there are, after some were added or superseded."""
        try:
            names = sorted(os.listdir(os.path.join(self._top, "index")))
        except FileNotFoundError:
            names = []
        shards: dict[str, Shard] = {}
        for name in names:
            shard = self._shards.get(name) or (self._open(name) if name.endswith(".dti") else None)
            if shard is not None:
                shards[name] = shard
        self._shards = shards
        self._present.clear()

    @property
    def shards(self) -> dict[str, Shard]:
        """The shards by file name."""
        return self._shards

    def find(self, oid: ObjectId) -> Place | None:
        """Where an object lies, if it does."""
        for shard in self._shards.values():
            for record in shard.find(oid):
                place = self._place(shard, record)
                if place is not None:
                    return place
        return None

    def find_many(self, oids: Collection[ObjectId]) -> dict[ObjectId, Place]:
        """Where each of many objects lies; those in no pack are left out."""
        places: dict[ObjectId, Place] = {}
        for shard in self._shards.values():
            missing = [oid for oid in oids if oid not in places] if places else oids
            if not missing:
                break
            for oid, records in shard.find_many(missing).items():
                for record in records:
                    place = self._place(shard, record)
                    if place is not None:
                        places[oid] = place
                        break
        return places

    def read_all(self, places: Sequence[Place | None]) -> Iterator[bytes | memoryview | None]:
        """The bytes of many objects, as `read` gives them; those that lie one behind the other are read in one go.

        None for what has no place, or can't be read.
        """
        at = 0
        while at < len(places):
            run = _run(places, at)
            whole = self._read_run(run) if len(run) > 1 else None
            if whole is None:
                yield self.read_if_there(places[at])
                at += 1
                continue
            first = run[0].off
            for place in run:
                start = place.off - first
                yield whole[start : start + place.clen]
            at += len(run)

    def _read_run(self, run: Sequence[Place]) -> memoryview | None:
        first, last = run[0], run[-1]
        try:
            return memoryview(self._pread(first.pack, first.off, last.off + last.clen - first.off))
        except (OSError, ValueError):
            return None

    def read_if_there(self, place: Place | None) -> bytes | None:
        """The bytes of an object, as `read` gives them; None for what has no place, or can't be read."""
        if place is None:
            return None
        try:
            return self.read(place)
        except LocalError:  # compressed by an engine that is not installed here
            raise
        except (OSError, ValueError):
            return None

    def read(self, place: Place) -> bytes:
        """An object's bytes, as they are in the pack: not checked here."""
        data = self._pread(place.pack, place.off, place.clen)
        return decompress(data, limit=place.ulen) if place.kind == ZSTD_KIND else data

    def _pread(self, pack: ObjectId, start: int, length: int) -> bytes:
        fd = self._fd(pack)
        if _HAS_PREAD:  # not mapped: pages that are only passed through would count as this process's memory
            data = os.pread(fd, length, start)
        else:
            os.lseek(fd, start, os.SEEK_SET)
            data = os.read(fd, length)
        if len(data) != length:
            raise ValueError(f"pack {pack} is cut off")
        return data

    def trusted(self, pack: ObjectId) -> bool:
        """Whether a pack's bytes are known to be right: unchanged since they last were, or hashed just now."""
        path = self.path(pack)
        name = pack_path(pack)
        if self._trust.holds(name, path):
            return True
        try:
            before = os.lstat(path)
            fd = os.open(path, _READ)
            try:
                right = hash_fd(fd, before.st_size) == pack
            finally:
                os.close(fd)
        except (OSError, ValueError):
            return False
        if right:
            self._trust.learn(name, before)
        return right

    def in_pack(self, pack: ObjectId) -> Iterator[tuple[ObjectId, Place]]:
        """Everything that the shards say lies in one pack."""
        for shard in self._shards.values():
            if pack in shard.header.packs:
                ordinal = shard.header.packs.index(pack)
                for record in shard.records():
                    if record.kind != LOOSE and record.ordinal == ordinal:
                        yield record.oid, Place(pack, record.kind, record.off, record.clen, record.ulen)

    def whole(self, wanted: Collection[ObjectId], *, sizes: range, below: int) -> Iterator[WholePack]:
        """The packs that hold nothing but wanted objects; see `PackSource`. One that another user put into a shared
        cache is left out: its hash says that it is what he wrote, and not that its objects are what it says."""
        held = Counter(place.pack for place in self.find_many(wanted).values())
        for pack, count in held.items():
            path = self.path(pack)
            if not _is_own(path, sizes):
                continue
            listed = read_list(path)
            if (
                listed is not None
                and len(listed.records) == count
                and not listed.metadata
                and all(r.oid in wanted and r.kind != ZSTD_KIND and r.ulen < below for r in listed.records)
            ):
                yield WholePack(pack, path, listed.size, listed.footer, listed.records)

    def forget(self, pack: ObjectId) -> None:
        """Stop using a pack that was moved away."""
        self._present[pack] = False
        fd = self._open_packs.pop(pack, None)
        if fd is not None:
            os.close(fd)

    def close(self) -> None:
        """Let go of all open packs."""
        while self._open_packs:
            os.close(self._open_packs.popitem()[1])

    def path(self, pack: ObjectId) -> Path:
        """Where a pack lies."""
        return self._top / pack_path(pack)

    def _place(self, shard: Shard, record: ShardRecord) -> Place | None:
        if record.kind == LOOSE:
            return None
        pack = shard.header.packs[record.ordinal]
        there = self._present.get(pack)
        if there is None:
            there = self._present[pack] = os.path.exists(self.path(pack))
        return Place(pack, record.kind, record.off, record.clen, record.ulen) if there else None

    def _fd(self, pack: ObjectId) -> int:
        found = self._open_packs.get(pack)
        if found is None:
            found = self._open_packs[pack] = os.open(self.path(pack), _READ)
            if len(self._open_packs) > _MOST_OPEN:
                os.close(self._open_packs.pop(next(iter(self._open_packs))))
        return found

    def _open(self, name: str) -> Shard | None:
        """A shard counts only if its bytes are what its name says; a damaged or merged one is as if absent."""
        path = self._top / "index" / name
        try:
            before = os.lstat(path)
            fd = os.open(path, _READ)
            try:
                data = mmap.mmap(fd, 0, access=mmap.ACCESS_READ)
            finally:
                os.close(fd)
            if not self._trust.holds("index/" + name, path):
                if digest(data) != parse_oid(name[: -len(".dti")]):
                    return None
                self._trust.learn("index/" + name, before)
            return Shard(data)
        except (OSError, ValueError, FormatError):
            return None


def _is_own(path: Path, sizes: range) -> bool:
    try:
        found = os.lstat(path)
    except OSError:
        return False
    return found.st_size in sizes and (os.name == "nt" or found.st_uid == os.geteuid())


def _run(places: Sequence[Place | None], start: int) -> list[Place]:
    """Of many places those from one on that lie in a row, as they are in the pack; none if that one can't be had so."""
    run: list[Place] = []
    pack, end, limit = None, 0, 0
    for at in range(start, len(places)):
        place = places[at]
        if place is None or place.kind == ZSTD_KIND:
            break
        if not run:
            pack, end, limit = place.pack, place.off, place.off + _AT_ONCE
        if place.off != end or place.pack != pack or end >= limit:
            break
        run.append(place)
        end += place.clen
    return run
