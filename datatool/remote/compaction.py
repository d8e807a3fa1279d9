"""Keeping index shards few: many small ones become one, and the old are deleted a day later.

A shard is written once; a new one with the union of several says in `supersedes` which it replaces. Nothing is
lost if two machines do this at once: the union of unions is the same.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from typing import Final

from msgspec.structs import replace

from datatool.formats.pack import RAW, ZSTD, object_path, pack_path
from datatool.formats.shard import LOOSE, PushRecord, Shard, ShardRecord, encode_shard
from datatool.model.oid import ObjectId
from datatool.remote.state import COMMITTED, KnownShard, RemoteState, alternative_path, committed_time, is_valid

SMALL: Final = 1 << 20
MANY_SMALL: Final = 16
MANY: Final = 64
_REWRITE: Final = 8 << 20
_MOST: Final = 16 << 20
"""Bytes of old shards that one push rewrites, so that the push stays quick."""
GRACE: Final = 86400.0
"""Seconds by the server's clock before a superseded shard is deleted: readers may be in the middle of it."""


def to_supersede(state: RemoteState) -> tuple[KnownShard, ...]:
    """The shards that the next push should replace by their union; none while there are few."""
    small = [known for known in state.current if known.size < SMALL]
    if len(small) > MANY_SMALL:
        candidates = small
    elif len(state.current) > MANY:
        candidates = [known for known in state.current if known.size < _REWRITE]
    else:
        return ()
    chosen: list[KnownShard] = []
    total = 0
    for known in sorted(candidates, key=lambda known: (known.size, known.id)):
        if total + known.size > _MOST:
            break
        if understood(known.shard):
            chosen.append(known)
            total += known.size
    return tuple(chosen) if len(chosen) > 1 else ()


def superseded_long_ago(state: RemoteState, *, now: float) -> tuple[ObjectId, ...]:
    """Ids of shards that may be deleted: what replaces them is more than a day old by the server's clock."""
    return tuple(
        sorted(
            {
                old
                for known in state.shards.values()
                if now - known.time > GRACE
                for old in known.shard.header.supersedes
            }
        )
    )


class Contents:
    """What is to stand in a new shard, collected from several places."""

    def __init__(self) -> None:
        self._records: list[ShardRecord] = []
        self._packs: dict[ObjectId, int] = {}
        self._suffixes: dict[str, int] = {}
        self._pushes: dict[str, PushRecord] = {}
        self._supersedes: set[ObjectId] = set()

    def add_pack(self, pack: ObjectId, records: Iterable[tuple[ObjectId, int, int, int, int]]) -> None:
        """Every object (oid, kind, off, clen, ulen) of one pack."""
        ordinal = self._packs.setdefault(pack, len(self._packs))
        self._records += [ShardRecord(oid, kind, ordinal, off, clen, ulen) for oid, kind, off, clen, ulen in records]

    def add_loose(self, oid: ObjectId, size: int, suffix: str = "") -> None:
        """An object under its base name, or under another name that ends in `suffix`."""
        ordinal = self._suffixes.setdefault(suffix, len(self._suffixes)) + 1 if suffix else 0
        self._records.append(ShardRecord(oid, LOOSE, ordinal, 0, 0, size))

    def add_push(self, record: PushRecord) -> None:
        """A push record."""
        self._pushes[record.id] = record

    def supersede(self, known: KnownShard, state: RemoteState, *, listed: Collection[str]) -> None:
        """Take over an older shard: its locations that are not dropped, its live push records with their dates.

        `listed` are the ids of the shards that still exist: what the old one superseded and is not deleted yet
        must not come back when the old one goes.
        """
        header = known.shard.header
        dropped = state.dropped
        packs = [self._packs.setdefault(pack, len(self._packs)) for pack in header.packs]
        suffixes = [self._suffixes.setdefault(suffix, len(self._suffixes)) + 1 for suffix in header.alt]
        gone = {n for n, pack in enumerate(header.packs) if pack_path(pack) in dropped} if dropped else set()
        for record in known.shard.records():
            oid, kind, ordinal, off, clen, ulen = record
            if kind == LOOSE:
                name = alternative_path(oid, header.alt[ordinal - 1]) if ordinal else object_path(oid)
                if name not in dropped:
                    ordinal = suffixes[ordinal - 1] if ordinal else 0
                    self._records.append(ShardRecord(oid, kind, ordinal, off, clen, ulen))
            elif ordinal not in gone:
                self._records.append(ShardRecord(oid, kind, packs[ordinal], off, clen, ulen))
        for push in header.pushes:
            if push.id not in state.expired and is_valid(push, known.time):
                dated = {**push.extra, COMMITTED: committed_time(push, known.time)}
                self._pushes.setdefault(push.id, replace(push, extra=dated))
        self._supersedes.add(ObjectId(known.id))
        self._supersedes.update(old for old in header.supersedes if old in listed)

    def encode(self) -> bytes:
        """The bytes of the shard."""
        return encode_shard(
            self._records,
            packs=tuple(self._packs),
            alt=tuple(self._suffixes),
            pushes=tuple(self._pushes.values()),
            supersedes=tuple(sorted(self._supersedes)),
        )


def understood(shard: Shard) -> bool:
    """Whether all of a shard is known to this version; one that is not stays as it is, so nothing in it gets lost."""
    return not shard.header.extra and all(record.kind in (RAW, ZSTD, LOOSE) for record in shard.records())


def current_ids(shards: Sequence[KnownShard]) -> tuple[ObjectId, ...]:
    """The ids of shards, sorted, as `index.list` has them."""
    return tuple(sorted(ObjectId(known.id) for known in shards))
