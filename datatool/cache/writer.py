"""Saving objects into the cache: many small ones as packs, the others as files of their own."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Collection
from contextlib import AbstractContextManager, nullcontext, suppress
from pathlib import Path
from typing import NamedTuple, Protocol

from datatool.cache.adoption import Adoption
from datatool.cache.pack_thread import PackThread, WrittenPack
from datatool.cache.packs import Packs
from datatool.cache.shards import ShardWriter
from datatool.cache.trust import Trust
from datatool.errors import LocalError, RemoteError
from datatool.formats.pack import TARGET, PackBuilder, object_path, pack_path
from datatool.formats.shard import ShardRecord
from datatool.hashing import copy_and_hash
from datatool.localfs.atomic import local_error, make_dirs, write_all
from datatool.localfs.batch import Batch, Published
from datatool.localfs.leases import Lease
from datatool.localfs.partial import open_partial
from datatool.model.oid import EMPTY, ObjectId
from datatool.model.settings import Durability
from datatool.progress import Spared, Task, bytes_of
from datatool.store.objects import Large, Wanted, of_this_size
from datatool.store.protocol import AHEAD, Advance, Kept, NameMissing, WrongBytes, noting

PACKED_BELOW = 64 << 10
"""Objects below this many bytes may share a pack; larger ones stay linkable files (formats §4)."""
PACK_FROM = 256
"""From this many small objects in one go they are packed: fewer are not worth a pack (formats §4)."""
RESUMED_FROM = 16 << 20
"""A download from this many bytes on is gone on with where it was broken off."""
PACKS_PER_SHARD = 8
"""A kill costs at most this many packs: then a shard makes what there is readable."""
MERGE_ABOVE = 32
"""More shards than this are merged into one (formats §4)."""
_BIGGEST_MERGED = 8 << 20
_READ_ONLY = 0o444
_TEMPORARY = b"tmp"


class _Pending(NamedTuple):
    oid: ObjectId
    data: bytes
    metadata: bool


class Follower(Protocol):
    """Makes copies of its own of large objects while these arrive."""

    def following(self, wanted: Wanted, file: int, have: int) -> AbstractContextManager[int]:
        """For as long as an object is written into an open file, of which `have` bytes are there: gives what to say
        instead of `have` to whoever writes, so that it is heard of here. The object is whole, with the bytes of its id,
        when the block ends without an exception. Raises nothing of its own."""


class CacheWriter:
    """Takes objects and publishes them, in batches; everything taken is there once `finish` returns.

    Leaving the `with` block without an error finishes, and so does leaving it because a remote broke off: what was
    taken is whole, and need not be fetched again. With another error, what was taken since the last batch is dropped.
    """

    def __init__(
        self,
        top: Path,
        trust: Trust,
        packs: Packs,
        missing: Callable[[Collection[ObjectId]], set[ObjectId]],
        is_right: Callable[[ObjectId], bool],
        durability: Durability,
        *,
        learns: bool = True,
        follower: Follower | None = None,
        on_adopted: Callable[[list[Published]], None] | None = None,
    ) -> None:
        """`missing` tells which of some ids the cache lacks; `is_right` whether the bytes of one that is there are its
        own, and sets wrong ones aside. What is not synced must not be trusted after a power cut:
        then it `learns` nothing, and whoever reads an object first checks it. The `follower` hears of large objects
        that arrive. Where somebody hears of it (`on_adopted`), files of the workspace are adopted: see `adopt`."""
        self._top = top
        self._trust = trust
        self._packs = packs
        self._missing = missing
        self._is_right = is_right
        self._durability = durability
        self._learns = learns
        self._follower = follower
        self._on_adopted = on_adopted
        self._adoption: Adoption | None = None
        if on_adopted is not None and learns:
            self._adoption = Adoption(top, PACKED_BELOW, durability, self._learn_adopted)
        self._waiting: set[ObjectId] = set()
        """What has no name yet, where files are adopted."""
        self._shards = ShardWriter(top, trust if learns else None, durability)
        self._loose = Batch(
            top, durability=durability, like=top, on_published=self._learn if learns else None, whole_names=True
        )
        self._small: list[_Pending] = []
        self._builders: dict[bool, PackBuilder] = {}
        self._packed: set[ObjectId] = set()
        self._background: PackThread | None = None
        self._written: list[WrittenPack] = []

    def __enter__(self) -> CacheWriter:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        try:
            if kind is None:
                self.finish()
            elif issubclass(kind, RemoteError):
                with suppress(LocalError, OSError):  # the first error is the one to tell
                    self.finish()
            else:
                self._give_up()
        finally:
            self._close()

    # Taking objects

    def put(self, wanted: Wanted, data: bytes | memoryview, task: Task | None = None) -> None:
        """Take an object whose bytes were checked."""
        if task is not None:
            task.advance(bytes=len(data), files=0 if wanted.metadata else 1)
        if wanted.oid == EMPTY:
            return
        if len(data) < PACKED_BELOW:
            self._small.append(_Pending(wanted.oid, bytes(data), wanted.metadata))
            if len(self._small) >= PACK_FROM:
                self._pack_small()
        elif self._missing((wanted.oid,)):
            with of_this_size(self._top):
                self._put_loose(wanted.oid, data)

    def put_large(self, large: Large, task: Task | None = None) -> None:
        """Take a large object, checking it while it is copied; `WrongBytes` and TooLarge leave nothing behind."""
        if self._missing((large.wanted.oid,)):
            with of_this_size(self._top):
                self._copy_large(large, None if task is None else bytes_of(task))
        if task is not None and not large.wanted.metadata:
            task.advance(files=1)

    def _copy_large(self, large: Large, advance: Advance | None) -> None:
        oid = large.wanted.oid
        if large.path is None and large.wanted.size >= RESUMED_FROM and self._put_partial(large, advance):
            return
        fd, temp = self._loose.open_temp(_TEMPORARY)
        try:
            if large.path is None:
                self._copy_to(large, fd, 0, advance)
            else:
                source = os.open(large.path, os.O_RDONLY | getattr(os, "O_BINARY", 0) | getattr(os, "O_CLOEXEC", 0))
                try:
                    size = os.fstat(source).st_size
                    with self._followed(large.wanted, fd, 0) as heard:
                        if copy_and_hash(source, fd, size, advance=noting(heard, 0, advance)) != oid:
                            raise WrongBytes(oid)
                finally:
                    os.close(source)
        except BaseException as error:
            self._loose.discard(temp, fd=fd)
            raise self._translated(error, large.wanted.size) from error
        size = os.fstat(fd).st_size
        self._take_loose(temp, oid, fd, size)

    def _put_partial(self, large: Large, advance: Advance | None) -> bool:
        """Take a large object by way of a file that is kept if the connection, or this process, breaks off."""
        oid = large.wanted.oid
        make_dirs(self._top / "tmp", like=self._top)
        partial = open_partial(self._top / "tmp", oid)
        if partial is None:
            return False
        have = Kept.of(partial.noted(), least=max(0, partial.size - AHEAD), note=partial.note)
        if have and advance is not None:
            advance(Spared(have))
        try:
            self._copy_to(large, partial.fd, have, advance)
        except (WrongBytes, NameMissing):
            partial.discard()
            raise
        except BaseException as error:
            partial.keep()
            raise self._translated(error, large.wanted.size) from error
        fd, name = partial.take()
        size = os.fstat(fd).st_size
        temp = _TEMPORARY + b"/" + name
        self._take_loose(temp, oid, fd, size)
        return True

    def _copy_to(self, large: Large, fd: int, have: int, advance: Advance | None) -> None:
        with self._followed(large.wanted, fd, have) as heard:
            large.copy_to(fd, heard, advance)

    def _followed(self, wanted: Wanted, fd: int, have: int) -> AbstractContextManager[int]:
        return nullcontext(have) if self._follower is None else self._follower.following(wanted, fd, have)

    def save(self, source: int, size: int, *, advance: Callable[[int], None] | None = None) -> ObjectId:
        """Copy an open file of unknown id into the cache, hashing the copy; `advance` hears of bytes done."""
        return self.receive(lambda fd: copy_and_hash(source, fd, size, advance=advance), size)

    def receive(self, fill: Callable[[int], ObjectId], size: int) -> ObjectId:
        """Take an object of unknown id: `fill` writes it into an open file, and tells the id of what it wrote. `size`
        is how large it should become, for messages; what `fill` raises leaves nothing behind. An object of that id
        whose bytes are wrong is set aside for it."""
        fd, temp = self._loose.open_temp(_TEMPORARY)
        try:
            oid = fill(fd)
            size = os.fstat(fd).st_size
        except BaseException as error:
            self._loose.discard(temp, fd=fd)
            raise self._translated(error, size) from error
        if self._missing((oid,)) or not self._is_right(oid):
            self._take_loose(temp, oid, fd, size)
        else:
            self._loose.discard(temp, fd=fd)
        return oid

    # Adopting files of the workspace

    @property
    def adopting(self) -> bool:
        """Whether files of the workspace are adopted at all."""
        return self._adoption is not None

    def adopts(self, found: os.stat_result) -> bool:
        """Whether a file of the workspace is one to `adopt`."""
        return self._adoption is not None and self._adoption.fits(found)

    def lacks(self, oid: ObjectId) -> bool:
        """Whether an object is neither here nor taken."""
        return oid not in self._waiting and bool(self._missing((oid,)))

    def has_right(self, oid: ObjectId) -> bool:
        """Whether an object is taken, or here with its own bytes; wrong ones are set aside."""
        return oid in self._waiting or self._is_right(oid)

    def adopt(self, lease: Lease, oid: ObjectId, *, tag: object) -> bool:
        """Let an object that is lacking be a file of the workspace itself, whose id was found while the lease held: it
        becomes read-only, and at the end it has a second name here, which `on_adopted` hears of with the `tag`; or it
        is writable again. False where it has to be copied; nothing has changed then. Raises LocalError."""
        taken = self._adoption is not None and self._adoption.take(lease, oid, tag=tag)
        if taken:
            self._waiting.add(oid)
        return taken

    def _learn_adopted(self, published: list[Published]) -> None:
        self._learn(published)
        if self._on_adopted is not None:
            self._on_adopted(published)

    def finish(self) -> None:
        """Make everything taken durable and readable."""
        try:
            self._finish_small()
            self._loose.flush()
            for metadata in sorted(self._builders):
                self._hand_over(metadata)
            if self._background is not None:
                self._written += self._background.finish()
                self._background = None
            self._publish()
            if self._adoption is not None:  # last, as nobody's file is to be read-only where anything fails before
                self._adoption.flush()
            self._waiting.clear()
        except BaseException:
            self._give_up()
            raise
        if len(self._packs.shards) > MERGE_ABOVE:
            self._merge_shards()

    # Loose objects

    def _target(self, oid: ObjectId) -> bytes:
        return object_path(oid).encode()

    def _put_loose(self, oid: ObjectId, data: bytes | memoryview) -> None:
        """All temporary files lie in `tmp/`, so that what a kill leaves is found without a walk."""
        fd, temp = self._loose.open_temp(_TEMPORARY)
        try:
            write_all(fd, data)
        except BaseException as error:
            self._loose.discard(temp, fd=fd)
            if isinstance(error, OSError):
                raise local_error(error, self._top, len(data)) from error
            raise
        self._take_loose(temp, oid, fd, len(data))

    def _take_loose(self, temp: bytes, oid: ObjectId, fd: int, size: int) -> None:
        self._loose.add(temp, self._target(oid), fd=fd, mode=_READ_ONLY, size=size, replace=False)
        if self._adoption is not None:
            self._waiting.add(oid)

    def _translated(self, error: BaseException, size: int) -> BaseException:
        """A full disk as such; whatever else went wrong as it is."""
        if isinstance(error, OSError) and error.errno in (errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC)):
            return local_error(error, self._top, size)
        return error

    def _learn(self, published: list[Published]) -> None:
        self._trust.learn_many((os.fsdecode(item.target), item.stat) for item in published if item.stat is not None)

    # Packs

    def _pack_small(self) -> None:
        fresh = self._fresh_small()
        for oid, data, metadata in fresh:
            builder = self._builders.get(metadata)
            if builder is None:
                builder = self._builders[metadata] = PackBuilder(metadata=metadata)
            builder.add(oid, data)
            if builder.size >= TARGET:
                self._hand_over(metadata)
        if self._background is not None:
            self._written += self._background.done()
            if len(self._written) >= PACKS_PER_SHARD:
                self._publish()

    def _fresh_small(self) -> list[_Pending]:
        missing = self._missing([item.oid for item in self._small if item.oid not in self._packed])
        fresh = []
        for item in self._small:
            if item.oid in missing and item.oid not in self._packed:
                self._packed.add(item.oid)
                fresh.append(item)
        self._small = []
        return fresh

    def _finish_small(self) -> None:
        if self._builders or self._written or self._background:
            self._pack_small()
            return
        for oid, data, _ in self._fresh_small():
            self._put_loose(oid, data)

    def _hand_over(self, metadata: bool) -> None:
        builder = self._builders.pop(metadata)
        if self._background is None:
            self._background = PackThread(self._top, self._durability)
        self._background.write(builder)

    def _publish(self) -> None:
        """Make the packs written so far readable: one shard that names their objects."""
        if not self._written:
            return
        records: list[ShardRecord] = []
        names: list[ObjectId] = []
        for built, stat in self._written:
            ordinal = len(names)
            names.append(built.id)
            records += [
                ShardRecord(oid, kind, ordinal, off, clen, ulen) for oid, kind, off, clen, ulen in built.records
            ]
            if self._learns:
                self._trust.learn_many([(pack_path(built.id), stat)])
        self._written = []
        self._shards.write(records, names)
        self._packs.refresh()

    def _merge_shards(self) -> None:
        small = [name for name, shard in self._packs.shards.items() if shard.size <= _BIGGEST_MERGED]
        if len(small) > 1:
            self._shards.rewrite(self._packs, small)

    def _give_up(self) -> None:
        background, self._background = self._background, None
        if background is not None:
            background.stop()
        self._close()

    def _close(self) -> None:
        try:
            if self._adoption is not None:
                self._adoption.close()
        finally:
            self._loose.close()
