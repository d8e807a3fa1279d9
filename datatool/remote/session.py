"""One remote while it is used: its format, the records read from it, what they add up to.

Reading is two listings and whatever records this machine has not seen yet. The order matters: shards first,
gc records last, so that what gc decided while the shards were read is known (formats §5).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

from datatool.errors import (
    DamageFound,
    FormatError,
    NewerFormat,
    NotARemote,
    RemoteDenied,
    RemoteError,
)
from datatool.formats.gc_record import Condemn, Drop
from datatool.formats.index_list import IndexList, decode_index_list, encode_index_list
from datatool.formats.remote_format import RemoteFormat
from datatool.formats.shard import Shard, shard_path
from datatool.hashing import digest
from datatool.localfs.atomic import make_dirs
from datatool.model.oid import ObjectId
from datatool.remote.format_file import FORMAT_NAME, FormatFile, RemoteGone
from datatool.remote.memory import RecordMemory
from datatool.remote.records import id_of, is_record, parse_gc, parse_shard, read_records
from datatool.remote.state import GcRecords, KnownShard, RemoteState
from datatool.store.protocol import Listed, NameMissing, Store

INDEX_LIST: Final = "index.list"
_READ_TRIES: Final = 20
_BATCH: Final = 16
_NONE: Final[Mapping[str, Listed]] = {}
_LIST_TRIES: Final = 2
"""How often an `index.list` is read that names shards which are not there, before they are left out."""


def boottime() -> float:
    """Seconds by a clock that goes on while the machine sleeps."""
    clock = getattr(time, "CLOCK_BOOTTIME", None)
    return time.monotonic() if clock is None else time.clock_gettime(clock)


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
        self.restored: tuple[str, ...] = ()
        """What was damaged or gone, and was written again."""
        self._now = now
        self._afresh = False
        """Whether shards are to be read from the remote though this machine has them."""
        self.memory_dir = memory_dir
        self._file = FormatFile(store, memory_dir)
        self._just_read = False
        """Whether the format file was read since the last refresh: then it need not be looked at again."""
        self._remembered = False
        """Whether the format is only remembered: this process has not read it."""
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
        return self._file.seen

    @property
    def made(self) -> bool:
        """Whether this process made it, so that nothing can be there from before."""
        return self._file.made

    # Opening

    def open(self, *, create: bool = False, again: bool = False, afresh: bool = False) -> None:
        """Read the remote. One that does not exist yet is made with `create`, else it reads as empty; one that this
        machine has seen there and that is gone is made again only with `again` too. `afresh` reads the format file
        and every shard again; with `create`, a lost format file is restored.

        Raises NotARemote, NewerFormat, RemoteDenied, RemoteUnreachable.
        """
        self._afresh = afresh
        known = self._file.recall()
        if known is None:
            if self._read_format(create=create):
                self.refresh()
            return
        self._use(known)
        self._remembered = True
        try:
            if afresh:
                self._read_format_anew(repair=create)
            self.refresh()
        except RemoteGone:
            if not (create and again):
                raise
            self._read_format(create=True)
            self.refresh()

    def confirm(self) -> None:
        """Before anything is sent: read the format file if it is only remembered, as others could not read what is
        pushed without it. A lost one is restored; if another remote lies there by now, that one is used.

        Raises NotARemote, NewerFormat, RemoteGone.
        """
        if not self._remembered:
            return
        before = self.format
        self._read_format_anew(repair=True)
        self._just_read = False
        if before is None or self.format is None or before.id != self.format.id:
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
            self._use(self._file.read())
        except NameMissing:
            if not create:
                self.format = None
                self._require_no_index()
                return False
            self._use(self._file.make())
        self._just_read = True
        return True

    def _require_no_index(self) -> None:
        """Where there is no format file, and index shards are: a remote that lost it, not one that never was."""
        if self.store.capabilities.list and self.list_index():
            raise self._file.lost()

    def _read_format_anew(self, *, repair: bool) -> None:
        """Read the format file of a remote that this machine knows. One that is gone or garbage is written again with
        `repair`, if what else is there proves to be that remote: shards' names hold a nonce."""
        assert self._records is not None
        try:
            self._use(self._file.read())
        except (NameMissing, NotARemote) as error:
            missing = isinstance(error, NameMissing)
            if not self.store.capabilities.list or not self._records.names("index/") & self.list_index().keys():
                raise (self._file.gone() if missing else error) from None
            if not repair:
                raise (self._file.lost() if missing else error) from None
            self._file.restore()
            self.restored += (FORMAT_NAME,)
        self._just_read, self._remembered = True, False

    def settle(self) -> None:
        """Before a first push is committed: another one may have written its own format file meanwhile, where no
        conditional write exists. The last one wins for both; the time to see it is that of the upload."""
        if self._file.unsettled:
            self._use(self._file.read())
            self._just_read = True

    def _use(self, found: RemoteFormat) -> None:
        if self.format is None or self.format.id != found.id or self._records is None:
            self._records = RecordMemory(self.memory_dir, found.id)
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
        if not just_read and self._was_replaced(records, index) and self._reread_format(index):
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
        self._afresh = False
        self._fold()
        return True

    def _was_replaced(self, records: RecordMemory, index: dict[str, Listed]) -> bool:
        """Whether another remote may lie at this place now: a shard that was seen is gone, or there is none at all."""
        return not index or any(name not in index for name in records.names("index/"))

    def _reread_format(self, index: Mapping[str, Listed] = _NONE) -> bool:
        """Whether it is another remote than before; `index` is what is listed of it now."""
        before = self.format
        try:
            self._use(self._file.read())
        except NameMissing:
            raise (self._file.lost() if index else self._file.gone()) from None
        self._remembered = False
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
        self._afresh = False
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
            if name in self._loaded or self._afresh:
                continue
            kept = records.load(name, id_of(name))
            if kept is not None and index[name].size in (0, len(kept)):  # else what lies there is damaged
                self._loaded[name] = Shard(kept)
        unseen = sorted((item for name, item in index.items() if name not in self._loaded), key=lambda item: -item.time)
        while unseen:
            superseded = self._superseded()
            unseen = [item for item in unseen if id_of(item.name) not in superseded]
            batch, unseen = unseen[:_BATCH], unseen[_BATCH:]
            for name, data in read_records(self.store, batch, gone):
                shard = parse_shard(name, data)
                if shard is None:
                    bad.append(name)
                else:
                    records.keep(name, data)
                    self._loaded[name] = shard
        superseded = self._superseded()
        self.damaged_records = tuple(name for name in bad if id_of(name) not in superseded)
        return tuple(gone)

    def _superseded(self) -> set[ObjectId]:
        return {old for shard in self._loaded.values() for old in shard.header.supersedes}

    def kept_shard(self, name: str) -> KnownShard | None:
        """A shard as this machine has it from before, whatever lies under its name by now."""
        kept = None if self._records is None else self._records.load(name, id_of(name))
        if kept is None or name not in self.listed:
            return None
        shard = Shard(kept)
        return KnownShard(id_of(name), self.listed[name].time, shard.size, shard)

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
        directory = self.memory_dir / "tmp"
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
