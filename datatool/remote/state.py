"""What a remote holds, worked out from its index shards and gc records (formats §5).

The union of all shards is commutative and idempotent and what gc dropped stays dropped, so the order in which
the records arrived does not matter. Everything in here is a hint: bytes are always checked against their id.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Final, NamedTuple

from msgspec import Struct

from datatool.formats.gc_record import Condemn, Drop
from datatool.formats.pack import RAW, ZSTD, object_path, pack_path
from datatool.formats.shard import LOOSE, PushRecord, Root, Shard, ShardRecord, shard_path
from datatool.model.oid import ObjectId

WINDOW: Final = 600.0
"""Seconds after the final check within which a push must be committed; a later record is void."""

RECORD_FRESH: Final = 7 * 86400.0
"""Seconds for which a push record spares its project another push of the same roots; gc condemns nothing younger."""

DAMAGED: Final = "damaged"
"""The reason of a condemn record that heals: somebody saw wrong bytes under these names."""

COMMITTED: Final = "committed"
"""The key of a push record carried into another shard: the server's date of the shard it was first in."""

_NAMES_NOTHING: Final[frozenset[str]] = frozenset()


class KnownShard(NamedTuple):
    """An index shard that was read: its id, the server's date of it, its size in bytes, its content."""

    id: str
    time: float
    size: int
    shard: Shard


class Location(NamedTuple):
    """Where an object's bytes lie in a remote: `clen` bytes at `off` of `name`; all of it, if `kind` is LOOSE."""

    name: str
    kind: int
    off: int
    clen: int
    ulen: int


class GcRecords(Struct, frozen=True, kw_only=True):
    """The gc records of a remote, by their id, and names an advisory list calls dropped."""

    condemned: Mapping[str, Condemn]
    dropped: Mapping[str, Drop]
    listed_dropped: frozenset[str] = _NAMES_NOTHING


NO_GC: Final = GcRecords(condemned={}, dropped={})


class RemoteState:
    """The effective state of a remote at one moment; it never changes, `Remote.refresh` makes a new one."""

    __slots__ = ("condemned", "current", "damaged", "damaged_shards", "dropped", "expired", "gc_ids", "live", "shards")

    def __init__(self, shards: Iterable[KnownShard] = (), gc: GcRecords = NO_GC) -> None:
        self.shards: dict[str, KnownShard] = {known.id: known for known in shards}
        """Every shard that was read, by id."""
        superseded = {old for known in self.shards.values() for old in known.shard.header.supersedes}
        self.current: tuple[KnownShard, ...] = tuple(
            sorted((known for known in self.shards.values() if known.id not in superseded), key=_newest_first)
        )
        """The shards that no other replaces, newest first."""
        self.condemned = frozenset(name for record in gc.condemned.values() for name in record.names)
        """Names that gc, or somebody who found damage, condemned: still readable, no longer counted on."""
        self.dropped = gc.listed_dropped.union(*(record.names for record in gc.dropped.values()))
        """Names that are deleted, or are about to be."""
        damaged = frozenset(
            name for record in gc.condemned.values() if record.reason == DAMAGED for name in record.names
        )
        self.damaged = frozenset(name for name in damaged - self.dropped if not name.startswith("index/"))
        """Names of packs and objects condemned for wrong bytes and not yet dropped."""
        self.damaged_shards = tuple(known for known in self.current if shard_path(known.id) in damaged)
        """Shards that somebody could not read, and that this machine has."""
        self.expired = frozenset(push for record in gc.dropped.values() for push in record.expired)
        """Ids of push records that no longer count."""
        self.gc_ids = frozenset(gc.condemned) | frozenset(gc.dropped)
        """Which gc records this state knows of."""
        self.live: dict[str, PushRecord] = {
            record.id: record
            for known in self.current
            for record in known.shard.header.pushes
            if record.id not in self.expired and is_valid(record, known.time)
        }
        """The push records that count, by id."""

    def pushed_roots(self, project: str, *, now: float) -> frozenset[tuple[str, ObjectId]]:
        """The (kind, oid) of the roots that this project pushed in the last seven days.

        Another project's record never counts: its gc may expire it at any moment.
        """
        return frozenset(
            (root.kind, root.oid)
            for record in self.live.values()
            if record.project == project and now - record.time < RECORD_FRESH
            for root in record.roots
        )

    def live_roots(self) -> frozenset[tuple[str, ObjectId]]:
        """The (kind, oid) of every root in a live record, whoever pushed it and when."""
        return frozenset((root.kind, root.oid) for record in self.live.values() for root in record.roots)

    def usable(self, oids: Collection[ObjectId], *, without: Collection[str] = ()) -> set[ObjectId]:
        """Those of many objects that need not be sent: they lie under a name that is neither condemned nor
        dropped nor in `without`."""
        blocked = self.condemned | self.dropped
        blocked = blocked.union(without) if without else blocked
        loose_blocked = any(name.startswith("objects/") for name in blocked)
        found: set[ObjectId] = set()
        rest: Collection[ObjectId] = oids
        for known in self.current:
            if not rest:
                break
            hits = known.shard.find_many(rest)
            if not hits:
                continue
            packs = known.shard.header.packs
            bad = {n for n, pack in enumerate(packs) if pack_path(pack) in blocked} if blocked else set()
            if bad or loose_blocked:
                found.update(
                    oid
                    for oid, records in hits.items()
                    if any(
                        (name := _name(known.shard, record)) is not None and name not in blocked for record in records
                    )
                )
            else:
                found.update(hits)
            rest = [oid for oid in rest if oid not in found]
        return found

    def locations(self, oids: Collection[ObjectId]) -> dict[ObjectId, list[Location]]:
        """Every place that each of many objects can be read from, names that nobody condemned first."""
        places: dict[ObjectId, list[Location]] = {}
        dropped, condemned = self.dropped, self.condemned
        for known in self.current:
            names = [pack_path(pack) for pack in known.shard.header.packs]
            for oid, records in known.shard.find_many(oids).items():
                for record in records:
                    name = names[record.ordinal] if _in_pack(record.kind) else _name(known.shard, record)
                    if name is not None and name not in dropped:
                        place = Location(name, record.kind, record.off, record.clen, record.ulen)
                        places.setdefault(oid, []).append(place)
        if condemned:
            for found in places.values():
                found.sort(key=lambda place: place.name in condemned)
        return places

    def names(self) -> Iterator[tuple[str, ObjectId, ShardRecord]]:
        """Every readable (name, object, record) of the index, for those who compare it with what is really there."""
        for known in self.current:
            for record in known.shard.records():
                name = _name(known.shard, record)
                if name is not None and name not in self.dropped:
                    yield name, record.oid, record

    def still_covers(self, earlier: RemoteState) -> bool:
        """Whether nothing that was usable in an earlier state can have stopped being so: no new gc record, and no
        shard gone that another does not replace."""
        if self.gc_ids != earlier.gc_ids:
            return False
        replaced = {old for known in self.shards.values() for old in known.shard.header.supersedes}
        return all(known.id in self.shards or known.id in replaced for known in earlier.current)


def is_valid(record: PushRecord, shard_time: float) -> bool:
    """Whether a push was committed within the window after its final check, by the server's dates alone."""
    committed = record.extra.get(COMMITTED, shard_time)
    if isinstance(committed, bool) or not isinstance(committed, int | float):
        return False
    return committed - record.checked <= WINDOW


def committed_time(record: PushRecord, shard_time: float) -> float:
    """The server's date of the shard that a record was first in."""
    committed = record.extra.get(COMMITTED, shard_time)
    return float(committed) if isinstance(committed, int | float) else shard_time


def root_key(root: Root) -> tuple[str, ObjectId]:
    """What tells one root from another."""
    return root.kind, root.oid


def alternative_path(oid: ObjectId, suffix: str) -> str:
    """Another name for a loose object, where the base name was condemned."""
    return f"{object_path(oid)}.{suffix}"


def _newest_first(known: KnownShard) -> tuple[float, str]:
    return -known.time, known.id


def _in_pack(kind: int) -> bool:
    return kind in (RAW, ZSTD)


def _name(shard: Shard, record: ShardRecord) -> str | None:
    """The name that a record points to; None for a kind that this version can't read."""
    header = shard.header
    if _in_pack(record.kind):
        return pack_path(header.packs[record.ordinal])
    if record.kind == LOOSE:
        if record.ordinal == 0:
            return object_path(record.oid)
        return alternative_path(record.oid, header.alt[record.ordinal - 1])
    return None
