"""Where a push sends its objects: small ones into packs, big ones under a name of their own.

Reading, hashing and packing go on in the caller's thread while earlier packs travel. What has arrived is written
into an interim shard from time to time, so that a push that is killed resumes where it was.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Collection, Sequence
from functools import partial
from typing import Final, NamedTuple

from datatool.errors import LocalError, ReadFailed, RemoteError
from datatool.formats.pack import MAX_PACK, PackBuilder, object_path, pack_path
from datatool.formats.shard import PushRecord
from datatool.localfs.atomic import new_temp, remove_file
from datatool.model.oid import EMPTY, ObjectId
from datatool.progress import Spared, Task, bytes_of
from datatool.remote.compaction import Contents
from datatool.remote.memory import SentPack, SentPacks
from datatool.remote.session import Remote
from datatool.remote.state import KnownShard, alternative_path
from datatool.remote.uploads import Uploads
from datatool.store.objects import Large, TooLarge, Wanted, WholePack, Withheld, of_this_size
from datatool.store.protocol import Advance, NameMissing, WrongBytes
from datatool.store.transfer import too_large

INTERIM_PACKS: Final = 8
INTERIM_SECONDS: Final = 30.0
INTERIM_OBJECTS: Final = 400_000
_IN_FLIGHT: Final = 64 << 20
"""Payload held by uploads; with what is being packed it stays near 96 MiB."""
_LARGE_COST: Final = 16 << 20
"""What copying one large file may hold."""
_LARGEST_PACKED: Final = 16 << 20
"""Whatever a remote asks for, larger objects are not packed."""


class Stopped(BaseException):
    """The push was interrupted while this file was on its way: an interruption for the store, too, which keeps what it
    could go on with."""


class _SentLoose(NamedTuple):
    """`suffix` is empty for the base name; `sent` counts bytes, 0 when it was there already."""

    oid: ObjectId
    suffix: str
    size: int
    sent: int

    @property
    def name(self) -> str:
        return alternative_path(self.oid, self.suffix) if self.suffix else object_path(self.oid)


class UploadSink:
    """Sends objects to a remote and keeps the records of what arrived until a shard has them."""

    def __init__(self, remote: Remote, *, jobs: int, compress: bool, pack: bool) -> None:
        """`pack` off sends every object by itself."""
        assert remote.format is not None
        self.objects = 0
        self.bytes = 0
        self.wrong: list[Wanted] = []
        """Large objects whose bytes turned out wrong while they were sent."""
        self.unreadable: list[Wanted] = []
        """Objects that could not be read while they were sent, or are too large to be written where they go."""
        self.withheld: dict[ObjectId, RemoteError | LocalError] = {}
        """Of those, what the source did not let read, and what was too large, and why."""
        self.unpacked: list[Wanted] = []
        """Objects in packs that turned out wrong while they were sent as they are: to be sent one by one."""
        self.lost: set[str] = set()
        """Names of the index that are not there, or hold wrong bytes: they don't count until sent again."""
        self.avoid: set[str] = set()
        """Names under which wrong bytes lie: never used again."""
        self.adopted: set[ObjectId] = set()
        """Objects in packs that an earlier push sent and did not get to list: for the figures only."""
        self._remote = remote
        self._sent_packs = SentPacks(remote.memory_dir, remote.format.id)
        self._store = remote.store
        self._compress = compress
        self._pack = pack
        self._fresh = remote.made
        self.loose_min = min(remote.format.loose_min, _LARGEST_PACKED)
        """Objects of so many bytes, and larger ones, are not packed."""
        self._target = min(remote.format.pack_target, MAX_PACK // 2)
        self.takes_packs = pack and not compress
        """Whether packs that were made elsewhere may be sent."""
        self.pack_sizes = range(self._target // 2, min(2 * self._target, MAX_PACK) + 1)
        """Those of such packs, in bytes: with smaller ones there would be more of them than of new ones."""
        self._uploads = Uploads(jobs, _IN_FLIGHT)
        self._builders: dict[bool, PackBuilder] = {}
        self._packs: list[SentPack] = []
        self._loose: list[_SentLoose] = []
        self._taken: set[ObjectId] = set()
        self._task: Task | None = None
        self._stopped = False
        self._last_shard = remote.boottime()

    def adopt(self) -> None:
        """Take over the packs that a push of this machine sent and did not get to list, as far as they are there."""
        listed = {pack for known in self._remote.state.shards.values() for pack in known.shard.header.packs}
        for pack in self._sent_packs.recall():
            if pack.id in listed or not self._is_there(pack):
                self._sent_packs.forget([pack])
                continue
            oids = [record.oid for record in pack.records]
            self._packs.append(pack)
            self._taken.update(oids)
            self.adopted.update(oids)

    def _is_there(self, pack: SentPack) -> bool:
        name, state = pack_path(pack.id), self._remote.state
        if name in state.condemned or name in state.dropped:
            return False
        return any(found.name == name and found.size == pack.size for found in self._store.list(name))

    # Taking objects

    def put(self, wanted: Wanted, data: bytes | memoryview, task: Task | None = None) -> None:
        """Take a small object whose bytes were checked."""
        oid = wanted.oid
        taken = self._taken
        if oid in taken or oid == EMPTY:
            return
        self._task = task
        taken.add(oid)
        self.objects += 1
        size = len(data)
        if size >= self.loose_min or not self._pack:
            self._uploads.submit(size, partial(self._send_small, wanted, data), partial(self._small_sent, wanted))
            self._publish_if_due()
            return
        metadata = wanted.metadata
        builder = self._builders.get(metadata)
        if builder is None:
            builder = self._builders[metadata] = PackBuilder(metadata=metadata, compress=self._compress)
        builder.add(oid, data)
        if builder.size >= self._target:
            self._send_pack(metadata)
            self._publish_if_due()

    def put_large(self, large: Large, task: Task | None = None) -> None:
        """Take a large object: it is hashed while it is sent, later; if its bytes are wrong then, it is in `wrong`."""
        oid = large.wanted.oid
        if oid in self._taken:
            return
        self._taken.add(oid)
        self.objects += 1
        heard = self._stoppable(None if task is None else bytes_of(task))
        done = partial(self._large_sent, large.wanted, task)
        self._uploads.submit(_LARGE_COST, partial(self._send_large, large, heard), done)
        self._publish_if_due()

    def may_send(self, pack: WholePack) -> bool:
        """Whether a pack may have its own name: one that was condemned, or lost, is never used again."""
        name, state = pack_path(pack.id), self._remote.state
        known = state.condemned, state.dropped, self.lost, self.avoid
        return not any(name in names for names in known) and self._taken.isdisjoint(r.oid for r in pack.records)

    def put_pack(self, pack: WholePack, wanted: list[Wanted], task: Task | None = None) -> None:
        """Take a pack as it is, with all that is in it: its bytes are hashed once, while they are sent. If they are
        wrong then, what is `wanted` of it is in `unpacked`."""
        self._task = task
        self._taken.update(record.oid for record in pack.records)
        self.objects += len(pack.records)
        self._uploads.submit(pack.size, partial(self._send_whole, pack), partial(self._whole_sent, wanted))
        self._publish_if_due()

    def finish(self) -> None:
        """Send what is still being packed, and wait until everything has arrived."""
        for metadata in sorted(self._builders):
            self._send_pack(metadata)
        self._uploads.drain()

    def close(self) -> None:
        """Let go of the threads."""
        self._uploads.close()

    def rescue(self) -> None:
        """The push is interrupted: publish what has arrived, so that the next one need not send it again. A large file
        under way is broken off, and gone on with next time."""
        self._stopped = True
        self._uploads.abandon()
        if self.pending:
            self.publish()

    def _stoppable(self, advance: Advance | None) -> Advance:
        def heard(count: int) -> None:
            if self._stopped:
                raise Stopped
            if advance is not None:
                advance(count)

        return heard

    # What has arrived

    @property
    def pending(self) -> bool:
        """Whether anything arrived that no shard has yet."""
        return bool(self._packs or self._loose)

    def holds(self, oids: Collection[ObjectId]) -> set[ObjectId]:
        """Those of many objects that were taken and that no shard has yet."""
        return self._taken.intersection(oids) if self._taken else set()

    def forget(self, names: Collection[str]) -> None:
        """These names were condemned meanwhile: what was sent under them has to be sent again."""
        if not names:
            return
        packs = [pack for pack in self._packs if pack_path(pack.id) in names]
        loose = [item for item in self._loose if item.name in names]
        self._packs = [pack for pack in self._packs if pack not in packs]
        self._loose = [item for item in self._loose if item not in loose]
        self._taken.difference_update(record.oid for pack in packs for record in pack.records)
        self._taken.difference_update(item.oid for item in loose)

    def publish(self, *, pushes: Sequence[PushRecord] = (), supersedes: Sequence[KnownShard] = ()) -> str:
        """Write a shard: all that arrived, these push records, the union of older shards it replaces; its name."""
        contents = Contents()
        state = self._remote.state
        for known in supersedes:
            contents.supersede(known, state, listed=state.shards)
        for pack in self._packs:
            contents.add_pack(pack.id, pack.records)
        for item in self._loose:
            contents.add_loose(item.oid, item.size, item.suffix)
        for record in pushes:
            contents.add_push(record)
        data = contents.encode()
        name = self._remote.publish_shard(data)
        self.bytes += len(data)
        self._taken.difference_update(record.oid for pack in self._packs for record in pack.records)
        self._taken.difference_update(item.oid for item in self._loose)
        self._sent_packs.forget(self._packs)
        self._packs.clear()
        self._loose.clear()
        self._last_shard = self._remote.boottime()
        return name

    def _publish_if_due(self) -> None:
        self._uploads.collect()
        if (
            len(self._packs) >= INTERIM_PACKS
            or sum(len(pack.records) for pack in self._packs) + len(self._loose) >= INTERIM_OBJECTS
            or (self.pending and self._remote.boottime() - self._last_shard >= INTERIM_SECONDS)
        ):
            self.publish()

    # Packs

    def _send_pack(self, metadata: bool) -> None:
        builder = self._builders.pop(metadata, None)
        if builder is not None:
            done = partial(self._pack_sent, metadata)
            self._uploads.submit(builder.size, partial(self._build_and_send, builder), done)

    def _build_and_send(self, builder: PackBuilder) -> SentPack:
        whole: list[bytes] = []
        built = builder.build(whole.append, piece=MAX_PACK)
        self._store.put(pack_path(built.id), whole.pop())
        sent = SentPack(built.id, built.size, built.records)
        self._sent_packs.remember(sent, built.footer)
        return sent

    def _send_whole(self, pack: WholePack) -> SentPack | None:
        """The pack, or None if it could not be read, or is not what its name says."""
        try:
            self._store.put_file(pack_path(pack.id), pack.path, pack.id, advance=self._stoppable(None))
        except (WrongBytes, ReadFailed, FileNotFoundError, NameMissing):
            return None
        sent = SentPack(pack.id, pack.size, pack.records)
        self._sent_packs.remember(sent, pack.footer)
        return sent

    def _whole_sent(self, wanted: list[Wanted], pack: SentPack | None) -> None:
        if pack is not None:
            self._pack_sent(False, pack)
            return
        self._taken.difference_update(item.oid for item in wanted)
        self.objects -= len(wanted)
        self.unpacked += wanted

    def _pack_sent(self, metadata: bool, pack: SentPack) -> None:
        self._packs.append(pack)
        self.bytes += pack.size
        if self._task is not None:
            files = 0 if metadata else len(pack.records)
            self._task.advance(bytes=sum(record.ulen for record in pack.records), files=files)

    # Loose objects

    def _suffix(self, oid: ObjectId) -> str:
        """Nothing, or the ending of another name where the base name was condemned: that is never used again."""
        name = object_path(oid)
        state = self._remote.state
        if name in state.condemned or name in state.dropped or name in self.avoid:
            return secrets.token_hex(4)
        return ""

    def _there(self, item: _SentLoose) -> bool:
        """Whether the object is there already, left by a push that was killed: the right name with the right size."""
        if self._fresh or item.suffix or item.name in self.lost:
            return False
        return any(found.name == item.name and found.size == item.size for found in self._store.list(item.name))

    def _send_small(self, wanted: Wanted, data: bytes | memoryview) -> _SentLoose | list[Wanted]:
        """What was sent, or else the list that the object belongs on."""
        item = _SentLoose(wanted.oid, self._suffix(wanted.oid), len(data), len(data))
        if len(data) >= self.loose_min and self._there(item):
            return item._replace(sent=0)
        try:
            with of_this_size(item.name):
                self._store.put(item.name, bytes(data))
        except TooLarge:
            return self._too_large(wanted)
        return item

    def _send_large(self, large: Large, advance: Advance | None) -> _SentLoose | list[Wanted]:
        """What was sent, or else the list that the object belongs on."""
        oid, size = large.wanted.oid, large.wanted.size
        item = _SentLoose(oid, self._suffix(oid), size, size)
        if self._there(item):
            if advance is not None:
                advance(Spared(size))
            return item._replace(sent=0)
        try:
            with of_this_size(item.name):
                if large.path is not None:
                    self._store.put_file(item.name, large.path, oid, advance=advance)
                else:
                    self._send_copy(item.name, large, advance)
        except WrongBytes:
            return self.wrong
        except (ReadFailed, FileNotFoundError, NameMissing):
            return self.unreadable
        except Withheld as held:
            self.withheld[oid] = held.cause
            return self.unreadable
        except TooLarge:
            return self._too_large(large.wanted)
        return item

    def _too_large(self, wanted: Wanted) -> list[Wanted]:
        self.withheld[wanted.oid] = too_large(wanted)
        return self.unreadable

    def _send_copy(self, name: str, large: Large, advance: Advance | None) -> None:
        """From a source without local files, such as another remote: through a temporary file."""
        fd, path = new_temp(self._remote.scratch())
        try:
            try:
                large.copy_to(fd, 0, None)
            finally:
                os.close(fd)
            self._store.put_file(name, path, large.wanted.oid, advance=advance)
        finally:
            remove_file(path)

    def _large_sent(self, wanted: Wanted, task: Task | None, item: _SentLoose | list[Wanted]) -> None:
        if self._loose_sent(wanted, item) and task is not None and not wanted.metadata:
            task.advance(files=1)

    def _small_sent(self, wanted: Wanted, item: _SentLoose | list[Wanted]) -> None:
        sent = self._loose_sent(wanted, item)
        if sent is not None and self._task is not None:
            self._task.advance(bytes=sent.size if sent.sent else Spared(sent.size), files=0 if wanted.metadata else 1)

    def _loose_sent(self, wanted: Wanted, item: _SentLoose | list[Wanted]) -> _SentLoose | None:
        """Note what was sent; None for an object that was not, which goes on its list."""
        if isinstance(item, list):
            self._taken.discard(wanted.oid)
            self.objects -= 1
            item.append(wanted)
            return None
        self._loose.append(item)
        self.lost.discard(item.name)
        self.bytes += item.sent
        return item
