"""Saving objects into the cache: many small ones as packs, the others as files of their own."""

from __future__ import annotations

import errno
import os
import queue
import stat
import sys
import threading
import time
from collections.abc import Callable, Collection
from contextlib import AbstractContextManager, nullcontext, suppress
from functools import partial
from pathlib import Path
from typing import NamedTuple, Protocol

from datatool.cache.packs import Packs
from datatool.cache.shards import ShardWriter
from datatool.cache.trust import Trust
from datatool.errors import LocalError, RemoteError
from datatool.formats.pack import TARGET, BuiltPack, PackBuilder, object_path, pack_path
from datatool.formats.shard import ShardRecord
from datatool.hashing import copy_and_hash
from datatool.localfs.atomic import local_error, make_dirs, write_all
from datatool.localfs.batch import Batch, Published
from datatool.localfs.leases import POSSIBLE as LEASES_POSSIBLE
from datatool.localfs.leases import Lease, Rights, unseal
from datatool.localfs.links import hardlinks_safe
from datatool.localfs.mounts import on_own_disk
from datatool.localfs.partial import open_partial
from datatool.model.oid import EMPTY, ObjectId
from datatool.model.settings import Durability
from datatool.progress import Spared, Task, bytes_of
from datatool.store.objects import Large, Wanted, of_this_size
from datatool.store.protocol import AHEAD, Advance, Kept, NameMissing, WrongBytes, noting
from datatool.threads import started

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
_MOST_ADOPTED = 1 << 16
"""Files that are adopted together, since none is to become read-only of an `add` that fails: about 100 MB of memory."""
_READ_ONLY = 0o444
_TEMPORARY = b"tmp"


class _Pending(NamedTuple):
    oid: ObjectId
    data: bytes
    metadata: bool


class _Sealed(NamedTuple):
    temp: bytes
    target: bytes
    rights: Rights


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
        self._on_adopted = on_adopted if learns else None
        self._adoptions: Batch | None = None
        self._sealed: list[_Sealed] = []
        self._waiting: set[ObjectId] = set()
        """What is adopted, or lies beside it, and has no name yet."""
        self._shards = ShardWriter(top, trust if learns else None, durability)
        self._loose = Batch(
            top, durability=durability, like=top, on_published=self._learn if learns else None, whole_names=True
        )
        self._small: list[_Pending] = []
        self._builders: dict[bool, PackBuilder] = {}
        self._packed: set[ObjectId] = set()
        self._background: _PackThread | None = None
        self._written: list[_Written] = []

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
        """Whether files of the workspace are adopted at all: on Linux, on a disk of this machine's own."""
        if self._on_adopted is not None and not (
            LEASES_POSSIBLE and hardlinks_safe(self._top) and on_own_disk(self._top)
        ):
            self._on_adopted = None
        return self._on_adopted is not None

    def adopts(self, found: os.stat_result) -> bool:
        """Whether a file of the workspace is one to `adopt`: large enough to lie loose here, on the same filesystem,
        this user's own and under one name only, not executable, and with a time that will show whether it is written
        to."""
        return (
            found.st_size >= PACKED_BELOW
            and self.adopting
            and stat.S_ISREG(found.st_mode)
            and not found.st_mode & 0o111
            and found.st_nlink == 1
            and found.st_uid == os.geteuid()
            and found.st_mtime_ns < time.time_ns()
            and found.st_dev == os.stat(self._top).st_dev
        )

    def lacks(self, oid: ObjectId) -> bool:
        """Whether an object is neither here nor taken."""
        return oid not in self._waiting and bool(self._missing((oid,)))

    def has_right(self, oid: ObjectId) -> bool:
        """Whether an object is taken, or here with its own bytes; wrong ones are set aside."""
        return oid in self._waiting or self._is_right(oid)

    def adopt(self, lease: Lease, oid: ObjectId, *, tag: object) -> bool:
        """Let an object that is lacking be a file of the workspace itself, whose id was found while the lease held: it
        becomes read-only, and with all others it gets a second name here at the end, which `on_adopted` hears of with
        the `tag`; it is given back its mode if there is another end.

        False, and nothing has changed, if somebody is about to write to it, or the filesystem can't do it. Raises
        LocalError.
        """
        if self._adoptions is None:
            self._adoptions = Batch(
                self._top,
                durability=self._durability,
                like=self._top,
                on_published=self._learn_adopted,
                max_files=_MOST_ADOPTED,
                max_bytes=sys.maxsize,
                whole_names=True,
            )
        batch = self._adoptions
        fd = os.dup(lease.fd)
        temp = batch.adopt(_TEMPORARY, fd)
        if temp is None:
            self._on_adopted = None  # nor will it be with the next one, as where two places are mounted of one disk
            return False
        try:
            if not _sealed(lease):
                batch.discard(temp, fd=fd)
                return False
            target = self._target(oid)
            self._sealed.append(_Sealed(temp, target, lease.rights))
            size = os.fstat(fd).st_size
            batch.add(temp, target, fd=fd, mode=_READ_ONLY, size=size, replace=False, tag=tag)
            self._waiting.add(oid)
        except BaseException:
            lease.unseal()
            raise
        return True

    def _learn_adopted(self, published: list[Published]) -> None:
        self._learn(published)
        if self._on_adopted is not None:
            self._on_adopted(published)

    def finish(self) -> None:
        """Make everything taken durable and readable."""
        try:
            self._finish_small()
            self._loose.flush()
            if self._adoptions is not None:
                self._adoptions.flush()
                self._sealed.clear()
            self._waiting.clear()
            for metadata in sorted(self._builders):
                self._hand_over(metadata)
            if self._background is not None:
                self._written += self._background.finish()
                self._background = None
            self._publish()
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
        if self.adopting:
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
            self._background = _PackThread(self._top, self._durability)
        self._background.write(builder)

    def _publish(self) -> None:
        """Make the packs written so far readable: one shard that names their objects."""
        if not self._written:
            return
        records: list[ShardRecord] = []
        names: list[ObjectId] = []
        for built, found in self._written:
            ordinal = len(names)
            names.append(built.id)
            records += [
                ShardRecord(oid, kind, ordinal, off, clen, ulen) for oid, kind, off, clen, ulen in built.records
            ]
            if self._learns:
                self._trust.learn_many([(pack_path(built.id), found)])
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
        sealed, self._sealed = self._sealed, []
        top = os.fsencode(self._top)
        for item in sealed:
            with suppress(OSError):  # it is published, and has that name no longer
                target = os.path.join(top, item.target)
                unseal(os.path.join(top, item.temp), item.rights, unless=target)
        if self._adoptions is not None:
            self._adoptions.close()
        self._loose.close()


def _sealed(lease: Lease) -> bool:
    try:
        return lease.seal()
    except OSError:  # whose mode nobody may change
        return False


class _Written(NamedTuple):
    built: BuiltPack
    found: os.stat_result


class _PackThread:
    """Builds, hashes and writes packs behind the thread that reads files; at most two wait in memory."""

    def __init__(self, top: Path, durability: Durability) -> None:
        self._top = top
        self._durability = durability
        self._todo: queue.Queue[PackBuilder | None] = queue.Queue(maxsize=1)
        self._done: list[_Written] = []
        self._error: BaseException | None = None
        self._stopped = False
        self._thread = threading.Thread(target=self._run, name="packs", daemon=True)
        self._beside = started(self._thread)

    def write(self, builder: PackBuilder) -> None:
        """Hand a pack over; waits while another one waits."""
        self._raise()
        if self._beside:
            self._todo.put(builder)
        else:
            self._done.append(self._write(builder))

    def done(self) -> list[_Written]:
        """The packs that are on disk, each once."""
        self._raise()
        done, self._done = self._done, []
        return done

    def finish(self) -> list[_Written]:
        """Wait for the last pack; all that are on disk and not yet given by `done`."""
        self._end()
        return self.done()

    def stop(self) -> None:
        """Give up what waits; a pack being written is finished, and belongs to no shard."""
        self._stopped = True
        self._end()

    def _end(self) -> None:
        if self._beside:
            self._todo.put(None)
            self._thread.join()

    def _raise(self) -> None:
        if self._error is not None:
            raise self._error

    def _run(self) -> None:
        while (builder := self._todo.get()) is not None:
            if self._error is not None or self._stopped:
                continue
            try:
                written = self._write(builder)
                self._done.append(written)  # looked up only now: `done` may have taken the list meanwhile
            except BaseException as error:  # noqa: BLE001 - handed to the thread that waits for the packs
                self._error = error

    def _write(self, builder: PackBuilder) -> _Written:
        with Batch(self._top, durability=self._durability, like=self._top, whole_names=True) as batch:
            fd, temp = batch.open_temp(_TEMPORARY)
            try:
                built = builder.build(partial(write_all, fd))
            except BaseException as error:
                batch.discard(temp, fd=fd)
                raise (local_error(error, self._top, builder.size) if isinstance(error, OSError) else error) from error
            target = pack_path(built.id)
            batch.add(temp, target.encode(), fd=fd, mode=_READ_ONLY, size=built.size, replace=False)
        return _Written(built, os.lstat(self._top / target))
