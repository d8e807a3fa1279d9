"""One remote while it is used: its format, the records read from it, what they add up to.

Reading is two listings and whatever records this machine has not seen yet. The order matters: shards first,
gc records last, so that what gc decided while the shards were read is known (formats §5).
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Final

from datatool.errors import (
    DamageFound,
    FormatError,
    NewerFormat,
    NotARemote,
    RemoteDenied,
    RemoteError,
    RemoteUnreachable,
)
from datatool.formats.gc_record import Condemn, Drop
from datatool.formats.index_list import IndexList, decode_index_list, encode_index_list
from datatool.formats.remote_format import RemoteFormat, decode_remote_format, encode_remote_format
from datatool.formats.shard import Shard, shard_path
from datatool.hashing import digest
from datatool.localfs.atomic import make_dirs
from datatool.remote.memory import FormatMemory, RecordMemory
from datatool.remote.records import id_of, is_record, parse_gc, parse_shard, read_records
from datatool.remote.state import GcRecords, KnownShard, RemoteState
from datatool.store.protocol import Listed, NameMissing, NameTaken, Store

FORMAT_NAME: Final = "datatool-remote.json"
INDEX_LIST: Final = "index.list"
_READ_TRIES: Final = 20
_BATCH: Final = 16
_LIST_TRIES: Final = 2
"""How often an `index.list` is read that names shards which are not there, before they are left out."""


def boottime() -> float:
    """Seconds by a clock that goes on while the machine sleeps."""
    clock = getattr(time, "CLOCK_BOOTTIME", None)
    return time.monotonic() if clock is None else time.clock_gettime(clock)


class _Gone(RemoteUnreachable):
    """A remote that this machine has used is no longer at its place."""


class Remote:
    """A remote of one project. `open` reads it; nothing is asked before.

    `memory_dir` keeps what was downloaded; `now` is this machine's wall clock (used only to judge that a record
    is young), `boottime` one that runs during sleep.
    """

    def __init__(
        self,
        store: Store,
        *,
        memory_dir: Path,
        project: str,
        name: str,
        now: Callable[[], float] = time.time,
        boottime: Callable[[], float] = boottime,
    ) -> None:
        self.store = store
        self.project = project
        self.name = name
        self.boottime = boottime
        self.state = RemoteState()
        self.format: RemoteFormat | None = None
        """None while the remote does not exist yet."""
        self.damaged_records: tuple[str, ...] = ()
        """Shards and gc records whose bytes are not what their names say, or that are named and not there; they are
        left out of the state."""
        self.listed: dict[str, Listed] = {}
        """The last listing of `index/` and `gc/`, by name."""
        self._now = now
        self.made = False
        """Whether this process made it, so that nothing can be there from before."""
        self._unsettled = False
        self._memory_dir = memory_dir
        self._formats = FormatMemory(memory_dir)
        self._just_read = False
        """Whether the format file was read since the last refresh: then it need not be looked at again."""
        self._records: RecordMemory | None = None
        self._loaded: dict[str, Shard] = {}
        self._gc: dict[str, Condemn | Drop] = {}

    @property
    def label(self) -> str:
        """What to call it in messages."""
        return self.store.label

    @property
    def seen(self) -> bool:
        """Whether this machine ever saw a remote at this place."""
        return self._formats.recall(self.label) is not None

    # Opening

    def open(self, *, create: bool = False, again: bool = False) -> None:
        """Read the remote. One that does not exist yet is made with `create`, else it reads as empty; one that this
        machine has seen there and that is gone is made again only with `again` too.

        Raises NotARemote, NewerFormat, RemoteDenied, RemoteUnreachable.
        """
        known = self._formats.recall(self.label)
        if known is not None:
            self._use(known)
            try:
                self.refresh()
            except _Gone:
                if not (create and again):
                    raise
                self._read_format(create=True)
                self.refresh()
        elif self._read_format(create=create):
            self.refresh()

    def now(self) -> float:
        """The time by which the age of records is judged: never earlier than the newest date that the server gave."""
        return max(self._now(), max((item.time for item in self.listed.values()), default=0.0))

    def require_writable(self) -> None:
        """Raise RemoteDenied unless this version may push here, DamageFound when gc's word can't be read."""
        if not self.store.capabilities.write:
            raise RemoteDenied(
                f"{self.label}: read only, nothing can be pushed there",
                hint="push with -r NAME to the remote that it is a copy of",
                path=self.label,
            )
        if self.format is not None and self.format.features_write:
            wanted = ", ".join(self.format.features_write)
            raise RemoteDenied(
                f"{self.label}: pushing needs a newer datatool (the remote uses: {wanted})",
                hint="update datatool; reading works",
            )
        bad = [name for name in self.damaged_records if name.startswith("gc/")]
        if bad:
            raise DamageFound(
                f"{self.label}: {bad[0]} is damaged, so it is not known what may be counted on; nothing was pushed",
                hint="restore that file from a backup of the remote, or push to another remote",
            )

    def _read_format(self, *, create: bool) -> bool:
        """Use the format file that is there, or make one; False if there is none."""
        try:
            data = self.store.get(FORMAT_NAME)
        except NameMissing:
            if not create:
                self.format = None
                return False
            data = self._make_format()
        self._use(data)
        self._formats.remember(self.label, data)
        self._just_read = True
        return True

    def _make_format(self) -> bytes:
        if not self.store.capabilities.write:
            raise RemoteDenied(f"{self.label}: read only, no remote can be made there", path=self.label)
        data = encode_remote_format(RemoteFormat(id=str(uuid.uuid4())))
        if self.store.capabilities.conditional:
            try:
                self.store.put(FORMAT_NAME, data, exclusive=True)
            except NameTaken:
                return self.store.get(FORMAT_NAME)
            self.made = True
            return data
        self.store.put(FORMAT_NAME, data)
        self.made = True
        self._unsettled = True
        return data

    def settle(self) -> None:
        """Before a first push is committed: another one may have written its own format file meanwhile, where no
        conditional write exists. The last one wins for both; the time to see it is that of the upload."""
        if self._unsettled:
            data = self.store.get(FORMAT_NAME)
            self._use(data)
            self._formats.remember(self.label, data)
            self._unsettled = False
            self._just_read = True

    def _use(self, data: bytes) -> None:
        try:
            found = decode_remote_format(data)
        except NewerFormat as error:
            raise NewerFormat(f"{self.label}: {error}", hint=error.hint) from error
        except FormatError as error:
            raise NotARemote(
                f"{self.label}: what lies there is no datatool remote ({error})", hint="check the remote's URL"
            ) from error
        if found.features_read:
            wanted = ", ".join(found.features_read)
            raise NewerFormat(f"{self.label}: needs a newer datatool (the remote uses: {wanted})")
        if self.format is None or self.format.id != found.id or self._records is None:
            self._records = RecordMemory(self._memory_dir, found.id)
            self._loaded.clear()
            self._gc.clear()
        self.format = found

    # Reading

    def refresh(self) -> None:
        """Read what is new in the remote: two requests when nothing is."""
        for _ in range(_READ_TRIES):
            if self._refresh():
                return
        raise RemoteError(f"{self.label}: its index kept changing while it was read", hint="try again")

    def _refresh(self) -> bool:
        records = self._records
        assert records is not None
        if not self.store.capabilities.list:
            return self._refresh_without_list(records)
        index = {item.name: item for item in self.store.list("index/") if is_record(item.name, "index/", (".dti",))}
        just_read, self._just_read = self._just_read, False
        if not just_read and self._was_replaced(records, index) and self._reread_format():
            return False
        if self._load_shards(records, index):
            return False  # superseded shards were deleted between the listing and the read
        gc = {item.name: item for item in self.store.list("gc/") if is_record(item.name, "gc/", (".condemn", ".drop"))}
        if self._load_gc(records, gc):
            return False
        gone = (records.names("index/") - index.keys()) | (records.names("gc/") - gc.keys())
        records.forget(gone)
        records.save()
        self.listed = {**index, **gc}
        self._fold()
        return True

    def _was_replaced(self, records: RecordMemory, index: dict[str, Listed]) -> bool:
        """Whether another remote may lie at this place now: a shard that was seen is gone, or there is none at all."""
        return not index or any(name not in index for name in records.names("index/"))

    def _reread_format(self) -> bool:
        """Whether it is another remote than before."""
        before = self.format
        try:
            data = self.store.get(FORMAT_NAME)
        except NameMissing:
            raise _Gone(
                f"{self.label}: there is no remote any more; is it mounted? this machine has used one there",
                hint="mount it and try again; if it was deleted on purpose, datatool push --force makes it anew"
                if self.store.capabilities.write
                else "check the remote's URL",
            ) from None
        self._use(data)
        self._formats.remember(self.label, data)
        return before is None or self.format is None or before.id != self.format.id

    def _refresh_without_list(self, records: RecordMemory) -> bool:
        """Read what `index.list` names: it has no dates, so every push record counts as made in time."""
        for _ in range(_LIST_TRIES):
            found = self._index_list()
            index = {shard_path(oid): Listed(shard_path(oid), 0, 0.0) for oid in found.shards} if found else {}
            if found is None or (self._was_replaced(records, index) and self._reread_format()):
                return False
            gone = self._load_shards(records, index)
            dropped = frozenset(found.dropped)
            if not gone:
                break  # else it was older than what it names: another one may be there by now
        self.damaged_records += gone
        records.forget(records.names("index/") - index.keys())
        records.save()
        self.listed = index
        self._fold(dropped)
        return True

    def _index_list(self) -> IndexList | None:
        """What `index.list` says; None where another remote lies there than before."""
        try:
            return decode_index_list(self.store.get(INDEX_LIST))
        except NameMissing:
            if self._reread_format():
                return None
            raise RemoteError(
                f"{self.label}: has no {INDEX_LIST}, which reading needs where nothing can be listed",
                hint=f"whoever can push there sets remotes.NAME.index_list to true and runs datatool push --verify; "
                f"whoever copies the remote copies {INDEX_LIST} last",
            ) from None
        except NewerFormat as error:
            raise NewerFormat(f"{self.label}: {error}", hint=error.hint) from error
        except FormatError as error:
            raise NotARemote(
                f"{self.label}: its {INDEX_LIST} is none ({error})",
                hint="check the remote's URL, and whether the network asks you to log in first",
            ) from error

    def _load_shards(self, records: RecordMemory, index: dict[str, Listed]) -> tuple[str, ...]:
        """Read the shards of a listing that are not known yet; the names of those that are not there any more."""
        for name in [name for name in self._loaded if name not in index]:
            del self._loaded[name]
        bad: list[str] = []
        gone: list[str] = []
        for name in index:
            if name not in self._loaded and (kept := records.load(name, id_of(name))) is not None:
                self._loaded[name] = Shard(kept)
        unseen = sorted((item for name, item in index.items() if name not in self._loaded), key=lambda item: -item.time)
        while unseen:
            superseded = {old for shard in self._loaded.values() for old in shard.header.supersedes}
            unseen = [item for item in unseen if id_of(item.name) not in superseded]
            batch, unseen = unseen[:_BATCH], unseen[_BATCH:]
            for name, data in read_records(self.store, batch, gone):
                shard = parse_shard(name, data)
                if shard is None:
                    bad.append(name)
                else:
                    records.keep(name, data)
                    self._loaded[name] = shard
        self.damaged_records = tuple(bad)
        return tuple(gone)

    def _load_gc(self, records: RecordMemory, gc: dict[str, Listed]) -> bool:
        """Read the gc records of a listing that are not known yet; whether some are not there any more."""
        for name in [name for name in self._gc if name not in gc]:
            del self._gc[name]
        unseen: list[Listed] = []
        for name, item in gc.items():
            if name in self._gc:
                continue
            kept = records.load(name, id_of(name))
            if kept is None:
                unseen.append(item)
            else:
                self._gc[name] = parse_gc(name, bytes(kept))
        gone: list[str] = []
        for name, data in read_records(self.store, unseen, gone):
            if digest(data) != id_of(name):
                self.damaged_records += (name,)
                continue
            try:
                self._gc[name] = parse_gc(name, data)
            except NewerFormat:
                raise
            except FormatError:
                self.damaged_records += (name,)
                continue
            records.keep(name, data)
        return bool(gone)

    def _fold(self, listed_dropped: frozenset[str] = frozenset()) -> None:
        shards = (
            KnownShard(id_of(name), self.listed[name].time, self.listed[name].size, shard)
            for name, shard in self._loaded.items()
        )
        gc = GcRecords(
            condemned={name: record for name, record in self._gc.items() if isinstance(record, Condemn)},
            dropped={name: record for name, record in self._gc.items() if isinstance(record, Drop)},
            listed_dropped=listed_dropped,
        )
        self.state = RemoteState(shards, gc)

    # Writing

    def scratch(self) -> Path:
        """A directory of this machine for temporary files."""
        directory = self._memory_dir / "tmp"
        make_dirs(directory, like=directory)
        return directory

    def publish_shard(self, data: bytes) -> str:
        """Send an index shard, and count what it says from now on; its name."""
        name = shard_path(digest(data))
        assert self._records is not None
        self._records.owe_list(True)
        self.store.put(name, data)
        self._records.keep(name, data)
        self._records.save()
        self._loaded[name] = Shard(data)
        self.listed[name] = Listed(name, len(data), self.now())  # its true date comes with the next listing
        self._fold()
        return name

    @property
    def list_is_due(self) -> bool:
        """Whether a push of this machine ended between its shard and `index.list`, in which others look for it."""
        return self._records is not None and self._records.list_is_due

    def publish_list(self, value: IndexList) -> None:
        """Send `index.list`."""
        self.store.put(INDEX_LIST, encode_index_list(value))
        if self._records is not None:
            self._records.owe_list(False)

    def list_index(self) -> dict[str, Listed]:
        """The index shards that are there now, by name: one request."""
        return {item.name: item for item in self.store.list("index/") if is_record(item.name, "index/", (".dti",))}
