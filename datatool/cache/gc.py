"""What in a cache nobody needs: planned, moved to the trash, and deleted from there once it has lain long enough.

Nothing here takes a lock, and nobody waits for it. What is moved away although somebody counts on it comes back when it
is looked for (`datatool.cache.trash`); it is deleted only if a whole day later it is still not needed.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from enum import StrEnum
from pathlib import Path
from typing import NamedTuple

from msgspec import Struct, field

from datatool.cache.local import Cache
from datatool.cache.packs import PackList, Place, read_list
from datatool.cache.shards import ShardWriter
from datatool.cache.trash import QUARANTINE, Thrown
from datatool.errors import PathNotFound
from datatool.formats.pack import PackRecord, pack_path
from datatool.hashing import digest
from datatool.localfs.atomic import local_error
from datatool.localfs.clock import scratch_time
from datatool.model.oid import ObjectId, parse_oid
from datatool.store.objects import Wanted

_SPARSE = 2
"""A pack is rewritten when less than one in so many of its bytes is needed (formats §4)."""


class Keep(StrEnum):
    """Why an object is kept: the first of these that holds."""

    WORKSPACE = "workspace"
    """A pointer in a work tree names it, or a link there leads to it."""
    GIT = "git"
    """A pointer names it that git can bring back: of an index, a commit of any ref or reflog, a stash."""
    RUNS = "runs"
    """It is a run record that is kept, or an output of one."""
    BASE = "base"
    """It belongs to the version that was last saved or checked out somewhere."""
    RECENT = "recent"
    """It came here, or was made, lately."""
    PACKED = "packed"
    """It shares a pack with objects that are needed, and that is not worth rewriting yet."""


Needed = Mapping[ObjectId, Keep]


class Amount(Struct, kw_only=True):
    """So many objects, of so many bytes."""

    objects: int = 0
    bytes: int = 0

    def count(self, size: int, objects: int = 1) -> None:
        """Take one more, or several of `size` bytes together."""
        self.objects += objects
        self.bytes += size


class UselessPack(NamedTuple):
    """A pack to be thrown away; what is needed of it is written anew before. `freed` are the bytes that the others
    have."""

    id: ObjectId
    needed: Sequence[PackRecord]
    metadata: bool
    freed: int


class Plan(Struct, kw_only=True):
    """What there is to do: objects and packs to be thrown away, what has lain in the trash for long enough, what was
    thrown away and is needed; and how much goes or stays."""

    loose: list[ObjectId] = field(default_factory=list)
    packs: list[UselessPack] = field(default_factory=list)
    unnamed: list[ObjectId] = field(default_factory=list)
    expired: list[Thrown] = field(default_factory=list)
    wanted_back: set[ObjectId] = field(default_factory=set)
    unneeded: Amount = field(default_factory=Amount)
    deleted: Amount = field(default_factory=Amount)
    waiting: Amount = field(default_factory=Amount)
    kept: dict[Keep, Amount] = field(default_factory=lambda: {why: Amount() for why in Keep})

    @property
    def count(self) -> int:
        """How many steps it takes."""
        return len(self.loose) + len(self.packs) + len(self.expired)


def time_of(cache: Cache) -> int:
    """Now, in ns, by the clock of the filesystem that a cache is on. Raises LocalError where nothing can be written."""
    try:
        return scratch_time(cache.top)
    except OSError as error:
        raise local_error(error, cache.top) from error


def plan_for(cache: Cache, needed: Needed, *, now: int, keep_ns: int) -> Plan:
    """Decide what goes, and change nothing. `now` was asked before anybody looked what is needed; what was last written
    less than `keep_ns` before stays whatever."""
    made = Plan()
    recent = now - keep_ns
    _plan_loose(cache, needed, recent, made)
    named = {pack for shard in cache.packs.shards.values() for pack in shard.header.packs}
    for pack, path in _packs(cache):
        listed = read_list(path)
        if listed is not None:
            _plan_pack(pack, listed, path, needed, recent, made)
            if pack not in named and any(record.oid in needed for record in listed.records):
                made.unnamed.append(pack)
    _plan_trash(cache, needed, now - QUARANTINE, made)
    return made


def apply_plan(cache: Cache, made: Plan, advance: Callable[[], None]) -> None:
    """Do it; `advance` hears of every object and pack. Killed anywhere, the next one goes on. Raises LocalError."""
    for pack in made.unnamed:
        cache.adopt(pack)
    lost = cache.missing(made.wanted_back)  # looking for them brings them back
    for oid in made.loose:
        with suppress(PathNotFound):
            cache.trash.take_object(cache.loose_path(oid), oid)
        advance()
    for useless in _rewritten(cache, made.packs):
        with suppress(PathNotFound):
            cache.trash.take_pack(cache.packs.path(useless.id), useless.id)
        cache.packs.forget(useless.id)
        advance()
    _drop_from_shards(cache)
    for thrown in made.expired:
        if lost.isdisjoint(thrown.oids):
            cache.trash.delete(thrown)
        advance()
    cache.trash.tidy()


# The plan


def _plan_loose(cache: Cache, needed: Needed, recent: int, made: Plan) -> None:
    for oid, found in _loose(cache):
        why = needed.get(oid) or (Keep.RECENT if found.st_mtime_ns > recent else None)
        if why is None:
            made.loose.append(oid)
        (made.unneeded if why is None else made.kept[why]).count(found.st_size)


def _plan_pack(pack: ObjectId, listed: PackList, path: Path, needed: Needed, recent: int, made: Plan) -> None:
    live = [record for record in listed.records if record.oid in needed]
    every, used = (sum(record.clen for record in records) for records in (listed.records, live))
    try:
        young = os.lstat(path).st_mtime_ns > recent
    except FileNotFoundError:
        return
    goes = not young and used * _SPARSE < every
    for record in live:
        made.kept[needed[record.oid]].count(record.clen)
    rest = made.unneeded if goes else made.kept[Keep.RECENT if young else Keep.PACKED]
    rest.count(every - used, len(listed.records) - len(live))
    if goes:
        made.packs.append(UselessPack(pack, live, listed.metadata, every - used))


def _plan_trash(cache: Cache, needed: Needed, before: int, made: Plan) -> None:
    for thrown in cache.trash.everything():
        wanted = {oid for oid in thrown.oids if oid in needed and not _is_there(cache, oid)}
        if wanted:
            made.wanted_back |= wanted
        elif thrown.mtime_ns < before:
            made.expired.append(thrown)
            made.deleted.count(thrown.size, len(thrown.oids))
        else:
            made.waiting.count(thrown.size, len(thrown.oids))


def _is_there(cache: Cache, oid: ObjectId) -> bool:
    """Whether an object is in use, not in the trash."""
    return os.path.exists(cache.loose_path(oid)) or cache.packs.find(oid) is not None


def _loose(cache: Cache) -> Iterator[tuple[ObjectId, os.stat_result]]:
    for first, name, entry in _two_levels(cache.top / "objects"):
        with suppress(ValueError, FileNotFoundError):  # another's temporary file, or gone meanwhile
            yield parse_oid(first + name), entry.stat(follow_symlinks=False)


def _packs(cache: Cache) -> Iterator[tuple[ObjectId, Path]]:
    for first, name, entry in _two_levels(cache.top / "packs"):
        with suppress(ValueError):
            pack = parse_oid(first + name.removesuffix(".pack"))
            if entry.path == os.fspath(cache.top / pack_path(pack)):
                yield pack, Path(entry.path)


def _two_levels(top: Path) -> Iterator[tuple[str, str, os.DirEntry[str]]]:
    """The files in directories of two letters, in order."""
    try:
        parts = sorted(name for name in os.listdir(top) if len(name) == 2)
    except FileNotFoundError:
        return
    for part in parts:
        with os.scandir(top / part) as entries:
            for entry in sorted(entries, key=lambda item: item.name):
                yield part, entry.name, entry


# Doing it


def _rewritten(cache: Cache, packs: Sequence[UselessPack]) -> list[UselessPack]:
    """The packs that can go, as what is needed of them has another place now, and is on disk. A pack with damage in it
    stays for whoever reads it, who sets it aside."""
    gone = [pack for pack in packs if not pack.needed]
    some = [pack for pack in packs if pack.needed]
    if some:
        with cache.writer(again=True) as writer:
            for pack in some:
                data = _needed_data(cache, pack)
                if data is not None:
                    gone.append(pack)
                for oid, text in data or ():
                    writer.put(Wanted(oid, len(text), b"", pack.metadata), text)
    return gone


def _needed_data(cache: Cache, pack: UselessPack) -> list[tuple[ObjectId, bytes]] | None:
    found: list[tuple[ObjectId, bytes]] = []
    for oid, kind, off, clen, ulen in pack.needed:
        try:
            data = cache.packs.read(Place(pack.id, kind, off, clen, ulen))
        except (OSError, ValueError):
            return None
        if digest(data) != oid:
            return None
        found.append((oid, data))
    return found


def _drop_from_shards(cache: Cache) -> None:
    """See that no shard names a pack that has gone."""
    cache.packs.refresh()
    writer = ShardWriter(cache.top, cache.trust, cache.durability)
    for name, shard in list(cache.packs.shards.items()):
        if not all(cache.packs.path(pack).exists() for pack in shard.header.packs):
            writer.rewrite(cache.packs, [name])
