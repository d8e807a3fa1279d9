"""Saying that bytes in a remote are wrong, so that whoever has the right ones sends them again.

Nothing is overwritten: a condemn record names what is bad. It stays readable (the rest of a pack may be good), but
no push counts on it any more, and the next one that has the bytes publishes them under a new name (formats §5).
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence

from datatool.errors import RemoteDenied
from datatool.formats.gc_record import Condemn, encode_condemn
from datatool.formats.shard import LOOSE, shard_path
from datatool.hashing import digest
from datatool.localfs.atomic import new_temp, remove_file
from datatool.remote.compaction import Contents, understood
from datatool.remote.records import parse_shard
from datatool.remote.session import Remote
from datatool.remote.source import LARGE, Suspect, read_place
from datatool.remote.state import DAMAGED, Location
from datatool.store.objects import Wanted
from datatool.store.protocol import NameMissing, WrongBytes


def report_damage(remote: Remote, suspects: Sequence[Suspect]) -> tuple[str, ...]:
    """Look again at what a fetch found missing or wrong, index shards among it, and condemn what still is; the names
    condemned.

    Bytes may have been changed on their way, so nothing is condemned that reads well the second time. Where this
    machine may not write, nothing happens.
    """
    if not remote.store.capabilities.write:
        return ()
    bad = sorted({place.name for wanted, place, twice in suspects if twice or not _reads_well(remote, wanted, place)})
    bad += damaged_shards(remote)
    try:
        return condemn_damaged(remote, bad)
    except RemoteDenied:
        return ()


def condemn_damaged(remote: Remote, names: Iterable[str]) -> tuple[str, ...]:
    """Publish that the bytes under these names (`packs/…`, `objects/…`) are wrong or gone; those not yet known as bad.

    Nothing is written for names that are condemned already. Raises RemoteDenied where nothing may be written.
    """
    new = tuple(sorted(frozenset(names) - remote.state.condemned - remote.state.dropped))
    if new:
        remote.require_writable()
        record = Condemn(nonce=os.urandom(16).hex(), project=remote.project, reason=DAMAGED, names=new)
        data = encode_condemn(record)
        remote.store.put(f"gc/{digest(data)}.condemn", data)
        remote.refresh()
    return new


def damaged_shards(remote: Remote) -> list[str]:
    """The names of index shards that could not be read when the remote was, and can't be when they are asked again."""
    names = (name for name in remote.damaged_records if name.startswith("index/"))
    return [name for name in names if name not in remote.state.condemned and not _is_shard(remote, name)]


def repair_index(remote: Remote) -> tuple[str, ...]:
    """Publish once more what damaged shards say of which this machine has a good copy; their names.

    They are superseded, as in compaction: nothing is overwritten, and nobody reads them any more.
    """
    state = remote.state
    hurt = list(state.damaged_shards)
    hurt += [known for name in damaged_shards(remote) if (known := remote.kept_shard(name)) is not None]
    hurt = [known for known in hurt if understood(known.shard)]
    for known in hurt:
        contents = Contents()
        contents.supersede(known, state, listed=state.shards)
        remote.publish_shard(contents.encode())
    return tuple(shard_path(known.id) for known in hurt)


def _is_shard(remote: Remote, name: str) -> bool:
    try:
        return parse_shard(name, remote.store.get(name)) is not None
    except NameMissing:
        return False


def _reads_well(remote: Remote, wanted: Wanted, place: Location) -> bool:
    if place.kind == LOOSE and place.ulen >= LARGE:
        return _copies_well(remote, wanted, place)
    found = read_place(remote, wanted, place)
    return found is not None and digest(found) == wanted.oid


def _copies_well(remote: Remote, wanted: Wanted, place: Location) -> bool:
    fd, path = new_temp(remote.scratch())
    try:
        remote.store.get_file(place.name, fd, wanted.oid, wanted.size or place.ulen)
    except (NameMissing, WrongBytes):
        return False
    finally:
        os.close(fd)
        remove_file(path)
    return True
