"""The cache: every object this machine has, loose or in packs, used only while it can be trusted."""

from __future__ import annotations

import errno
import io
import os
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from datatool.cache.packs import Packs, read_list
from datatool.cache.shards import ShardWriter
from datatool.cache.trash import Trash
from datatool.cache.trust import Memory, Trust
from datatool.cache.writer import CacheWriter, Follower
from datatool.errors import FormatError, LocalError, NewerFormat, PathNotFound
from datatool.formats.pack import object_path
from datatool.formats.remote_format import CacheFormat, decode_cache_format, encode_cache_format
from datatool.formats.shard import ShardRecord
from datatool.formats.tree_object import BEGINNING, begins_tree
from datatool.hashing import digest, hash_fd
from datatool.localfs.atomic import local_error, make_dirs, rename, sweep_temps, write_file
from datatool.localfs.batch import Published
from datatool.localfs.copying import clone_or_copy
from datatool.localfs.partial import sweep_partials
from datatool.model.oid import EMPTY, ObjectId
from datatool.model.settings import Durability, LinkMethod
from datatool.store.objects import Absent, Large, Small, Wanted, WholePack
from datatool.store.protocol import Advance

SMALL = 8 << 20
"""Objects up to this many bytes are handed over in memory; larger ones are copied file to file."""

_MANY = 64
"""From this many objects on, one look at which directories there are is worth it: many caches have packs only."""

_BINARY = getattr(os, "O_BINARY", 0) | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_NOFOLLOW", 0)


class Cache:
    """The object store at `top`; nothing is created before something is saved."""

    def __init__(
        self,
        top: Path,
        memory: Memory,
        *,
        durability: Durability = Durability.BATCH,
        user: str = "",
        foreign: bool = False,
    ) -> None:
        """`memory` remembers what was verified; `user` names this work tree to others who share the cache; in a
        `foreign` one nothing is ever moved: it is another project's, and only read."""
        self.top = top
        self.durability = durability
        self._user = user
        self._swept = False
        self._follower: Follower | None = None
        self._foreign = foreign
        self._check_format()
        self.trust = Trust(memory)
        self.packs = Packs(top, self.trust)
        self.trash = Trash(top)

    # Questions

    def has(self, oid: ObjectId) -> bool:
        """Whether an object is there (not whether its bytes are still right)."""
        loose = os.path.join(self.top, object_path(oid))  # no Path: this is asked many times for one call of a stage
        there = oid == EMPTY or os.path.exists(loose) or self.packs.find(oid) is not None
        return there or bool(self._bring_back({oid}))

    def missing(self, oids: Collection[ObjectId]) -> set[ObjectId]:
        """Those of many objects that are not there."""
        left = {oid for oid in oids if oid != EMPTY} - self.packs.find_many(oids).keys()
        objects = os.path.join(self.top, "objects")
        absent: set[ObjectId] = set()
        if len(left) >= _MANY:
            parts = _names(objects)
            absent = {oid for oid in left if oid[:2] not in parts}
        absent |= {oid for oid in left - absent if not os.path.exists(f"{objects}/{oid[:2]}/{oid[2:]}")}
        return absent - self._bring_back(absent) if absent else absent

    def sizes(self, oids: Collection[ObjectId]) -> dict[ObjectId, int]:
        """The sizes in bytes of objects that are there; those that are not are left out."""
        packed = self.packs.find_many(oids)
        found: dict[ObjectId, int] = {}
        left: set[ObjectId] = set()
        for oid in oids:
            if oid == EMPTY:
                found[oid] = 0
            elif oid in packed:
                found[oid] = packed[oid].ulen
            else:
                try:
                    found[oid] = os.lstat(self.loose_path(oid)).st_size
                except OSError:
                    left.add(oid)
        back = self._bring_back(left) if left else ()
        return found | self.sizes(back) if back else found

    def stamp(self) -> bytes:
        """Changes whenever an object comes or goes: the times of the directories that name objects."""
        times: list[int] = []
        for part in ("objects", "packs", "index"):
            try:
                top = os.path.join(self.top, part)
                times.append(os.lstat(top).st_mtime_ns)
                with os.scandir(top) as found:
                    times += [
                        entry.stat().st_mtime_ns
                        for entry in sorted(found, key=lambda e: e.name)
                        if len(entry.name) == 2
                    ]
            except FileNotFoundError:
                times.append(0)
        return b"%d " * len(times) % tuple(times)

    def linkable(self, oid: ObjectId) -> Path | None:
        """The file of an object that lies loose and can be trusted, to be linked into a workspace."""
        path = self.loose_path(oid)
        if self.trust.holds(object_path(oid), path):
            return path
        if not os.path.exists(path) and (self.packs.find(oid) or not self._bring_back({oid})):
            return None
        return None if isinstance(self._read_loose(Wanted(oid, 0, b""), checked=True), Absent) else path

    def loose_path(self, oid: ObjectId) -> Path:
        """Where an object lies, or would lie, as a file of its own."""
        return self.top / object_path(oid)

    def refresh(self) -> None:
        """Look again what other commands have added or taken away, for one who keeps a cache open."""
        self.packs.refresh()

    def settle(self) -> None:
        """Let other commands see what was learnt, and keep nobody waiting, for one who keeps a cache open."""
        self.trust.settle()

    # Reading

    def load(self, oid: ObjectId) -> bytes:
        """A small object's bytes, checked; KeyError if it isn't there, or was damaged and is now set aside."""
        if oid == EMPTY:
            return b""
        for item in self.checked([Wanted(oid, 0, b"", True)]):
            if isinstance(item, Small):
                return bytes(item.data)
            if isinstance(item, Large):
                assert item.path is not None
                return item.path.read_bytes()
        raise KeyError(oid)

    def reader(self, oid: ObjectId) -> io.FileIO | io.BytesIO:
        """An object to be read piece by piece, checked by the trust rule: its own file, or its bytes if it lies in a
        pack. KeyError if it isn't there, or was damaged and is now set aside."""
        path = self.linkable(oid)
        if path is None:
            return io.BytesIO(self.load(oid))
        try:
            return io.FileIO(os.open(path, os.O_RDONLY | _BINARY))
        except OSError as error:
            raise KeyError(oid) from error

    @property
    def has_runs(self) -> bool:
        """Whether records of runs are, or were, kept here."""
        return (self.top / "runs").is_dir()

    def is_list(self, oid: ObjectId) -> bool:
        """Whether an object lists a directory, by how it begins. KeyError if it isn't there."""
        with self.reader(oid) as file:
            return begins_tree(file.read(BEGINNING))

    def read(self, wanted: Sequence[Wanted]) -> Iterator[Small | Large | Absent]:
        """The objects as they lie here, unchecked: for those who hash what they move."""
        return self._read(wanted, checked=False)

    def checked(self, wanted: Sequence[Wanted]) -> Iterator[Small | Large | Absent]:
        """The objects, in that order, by the trust rule: what changed since it was verified is hashed again, and set
        aside if wrong."""
        return self._read(wanted, checked=True)

    def _read(self, wanted: Sequence[Wanted], *, checked: bool) -> Iterator[Small | Large | Absent]:
        places = self.packs.find_many([item.oid for item in wanted])
        trusted = (
            {pack: self.packs.trusted(pack) for pack in {place.pack for place in places.values()}} if checked else {}
        )
        in_order = [places.get(item.oid) for item in wanted]
        for item, place, data in zip(wanted, in_order, self.packs.read_all(in_order), strict=True):
            if data is not None and place is not None and trusted.get(place.pack, not checked):
                yield Small(item, data)
                continue
            if item.oid == EMPTY:
                yield Small(item, b"")
                continue
            if place is None:
                found = self._read_loose(item, checked)
            else:
                found = self._read_packed(item, data)
            if isinstance(found, Absent) and not found.damaged and self._bring_back({item.oid}):
                data = self.packs.read_if_there(self.packs.find(item.oid))
                found = self._read_loose(item, True) if data is None else self._read_packed(item, data)
            yield found

    def _read_packed(self, item: Wanted, data: bytes | memoryview | None) -> Small | Large | Absent:
        """An object by what its pack gave, which is not trusted, or gave nothing."""
        damaged = False
        if data is not None:
            if digest(data) == item.oid:
                return Small(item, data)
            damaged = True
            self.reject(item)
        # Its pack was set aside, here or by another process: what was good in it has another place now.
        other = self.packs.find(item.oid)
        data = self.packs.read_if_there(other)
        if data is not None and digest(data) == item.oid:
            return Small(item, data)
        found = self._read_loose(item, checked=True)
        if not isinstance(found, Absent):
            return found
        denied = found.refused if other is None else found.refused or _denied(self.packs.path(other.pack))
        return Absent(item, damaged=damaged or found.damaged, refused=denied)

    def _read_loose(self, item: Wanted, checked: bool) -> Small | Large | Absent:
        path = self.loose_path(item.oid)
        try:
            fd = os.open(path, os.O_RDONLY | _BINARY)
        except OSError:
            return Absent(item, refused=_denied(path))
        try:
            stat = os.fstat(fd)
            if checked and not self.trust.holds(object_path(item.oid), path):
                if hash_fd(fd, stat.st_size) != item.oid:
                    self.reject(item)
                    return Absent(item, damaged=True)
                self.trust.learn(object_path(item.oid), stat)
                os.lseek(fd, 0, os.SEEK_SET)
            if stat.st_size > SMALL:
                return Large(item, path, _copier(path))
            return Small(item, _read_all(fd, stat.st_size))
        finally:
            os.close(fd)

    def whole_packs(self, wanted: Collection[ObjectId], *, sizes: range, below: int) -> Iterator[WholePack]:
        """Packs that may go to a remote as they are: see `PackSource`."""
        return self.packs.whole(wanted, sizes=sizes, below=below)

    def is_right(self, oid: ObjectId) -> bool:
        """Whether an object is there with its own bytes, by the trust rule; wrong ones are set aside."""
        if self.packs.find(oid) is None:
            return oid == EMPTY or self.linkable(oid) is not None
        return not any(isinstance(found, Absent) for found in self.checked([Wanted(oid, 0, b"")]))

    # The trash

    def _bring_back(self, oids: Collection[ObjectId]) -> set[ObjectId]:
        """Of objects that are not there those that gc had put into the trash: they are there again."""
        back: set[ObjectId] = set()
        if self._foreign:
            return back
        for oid, path in self.trash.find_objects(oids).items():
            with suppress(LocalError):  # nobody may write here
                make_dirs(self.loose_path(oid).parent, like=self.top)
                with suppress(PathNotFound):  # another process brought it back just now
                    rename(path, self.loose_path(oid))
                if os.path.exists(self.loose_path(oid)):
                    back.add(oid)
        left = {oid for oid in oids if oid not in back}
        for pack, path in self.trash.find_packs(left).items() if left else ():
            with suppress(LocalError):
                back |= left & self._bring_back_pack(pack, path)
        return back

    def _bring_back_pack(self, pack: ObjectId, path: Path) -> set[ObjectId]:
        held = self.trash.packed(path)
        make_dirs(self.packs.path(pack).parent, like=self.top)
        with suppress(PathNotFound):
            rename(path, self.packs.path(pack))
        self.adopt(pack)
        return {oid for oid in held if self.packs.find(oid) is not None}

    def adopt(self, pack: ObjectId) -> None:
        """Make readable what is in a pack that no shard names: it came back from the trash, or whoever wrote it was
        killed before its shard. Raises LocalError."""
        self.packs.refresh()
        listed = read_list(self.packs.path(pack))
        if listed is None or any(pack in shard.header.packs for shard in self.packs.shards.values()):
            return
        records = [ShardRecord(oid, kind, 0, off, clen, ulen) for oid, kind, off, clen, ulen in listed.records]
        make_dirs(self.top / "tmp", like=self.top)
        ShardWriter(self.top, self.trust, self.durability).write(records, [pack])
        self.packs.refresh()

    # Damage

    def reject(self, wanted: Wanted) -> None:
        """An object's bytes are wrong: move them to `corrupt/`, never delete; the rest of its pack is kept."""
        oid = wanted.oid
        path = self.loose_path(oid)
        place = self.packs.find(oid)
        if place is not None:
            self._set_pack_aside(place.pack)
        elif os.path.lexists(path):
            self._to_corrupt(path, oid)

    def _set_pack_aside(self, pack: ObjectId) -> None:
        good: list[tuple[ObjectId, bytes]] = []
        for oid, place in self.packs.in_pack(pack):
            data = bytes(self.packs.read(place))
            if digest(data) == oid:
                good.append((oid, data))
        path = self.packs.path(pack)
        self.packs.forget(pack)
        self._to_corrupt(path, pack)
        with self.writer() as writer:
            for oid, data in good:
                writer.put(Wanted(oid, len(data), b""), data)

    def _to_corrupt(self, path: Path, oid: ObjectId) -> None:
        corrupt = self.top / "corrupt"
        make_dirs(corrupt, like=self.top)
        with suppress(PathNotFound):  # another process set it aside just now
            rename(path, corrupt / f"{oid}.{os.urandom(4).hex()}")

    # Writing

    def writer(
        self,
        *,
        synced: bool = True,
        again: bool = False,
        follower: Follower | None = None,
        on_adopted: Callable[[list[Published]], None] | None = None,
    ) -> CacheWriter:
        """Something to save objects through; what it took is there when it is finished, and on disk if `synced`: else
        the caller sees to that. With `again` what is there already gets a second place. A `follower` hears of large
        objects that arrive, `on_adopted` of files of the workspace that became objects."""
        self._prepare()
        follower = follower or self._follower
        durability = self.durability if synced else Durability.NONE
        missing = set[ObjectId] if again else self.missing
        return CacheWriter(
            self.top,
            self.trust,
            self.packs,
            missing,
            self.is_right,
            durability,
            learns=synced,
            follower=follower,
            on_adopted=on_adopted,
        )

    @contextmanager
    def followed_by(self, follower: Follower | None) -> Iterator[None]:
        """While the block lasts, a follower hears of large objects that arrive through any writer, or nobody does."""
        before, self._follower = self._follower, follower
        try:
            yield
        finally:
            self._follower = before

    def keep(self, objects: Iterable[tuple[ObjectId, bytes]], *, synced: bool = True) -> None:
        """Save a few small objects whose ids are known, such as tree pages."""
        with self.writer(synced=synced) as writer:
            for oid, data in objects:
                writer.put(Wanted(oid, len(data), b"", True), data)

    def _prepare(self) -> None:
        self.packs.refresh()  # what is not saved because it is here already must be here now, not a day ago
        if not self._swept:  # once for one who keeps a cache open, and writes one small object after the other
            for part in ("", "tmp", "users"):
                sweep_temps(self.top / part)
            sweep_partials(self.top / "tmp")
            self._swept = True
        if not os.path.exists(os.path.join(self.top, "FORMAT")):
            make_dirs(self.top, like=self.top.parent)
            data = encode_cache_format(CacheFormat())
            write_file(self.top / "FORMAT", data, durability=self.durability, like=self.top)
        self.register()

    def register(self) -> None:
        """Tell others who share this cache that this work tree uses it, so that no cleaning takes its objects."""
        if self._user and os.path.exists(self.top / "FORMAT"):
            path = self.top / "users" / f"{digest(self._user.encode(errors='surrogateescape'))}.json"
            if not path.exists():
                make_dirs(path.parent, like=self.top)
                data = self._user.encode(errors="surrogateescape")
                write_file(path, data, durability=self.durability, like=self.top)

    def _check_format(self) -> None:
        try:
            data = (self.top / "FORMAT").read_bytes()
        except (FileNotFoundError, NotADirectoryError):
            return
        except OSError as error:
            raise FormatError(f"{self.top / 'FORMAT'}: can't be read: {error.strerror}") from error
        try:
            decode_cache_format(data)
        except NewerFormat as error:
            raise NewerFormat(
                f"{self.top}: this cache was written by a newer datatool", hint="update datatool", path=str(self.top)
            ) from error
        except FormatError as error:
            place = str(self.top / "FORMAT")
            raise FormatError(
                f"{self.top}/{error.message}", hint="move that file away: datatool writes it anew", path=place
            ) from error


def _denied(path: Path) -> LocalError | None:
    """What to tell of a file of the cache that this user may not read; None for one that is not there."""
    if not os.path.exists(path) or os.access(path, os.R_OK):
        return None
    return local_error(PermissionError(errno.EACCES, os.strerror(errno.EACCES)), path)


def _names(directory: str) -> set[str]:
    try:
        return set(os.listdir(directory))
    except FileNotFoundError:
        return set()


def _read_all(fd: int, size: int) -> bytes:
    data = os.read(fd, size + 1)
    while len(data) < size:
        more = os.read(fd, size - len(data))
        if not more:
            break
        data += more
    return data


def _copier(path: Path) -> Callable[[int, int, Advance | None], None]:
    def copy_to(fd: int, have: int, advance: Advance | None) -> None:
        source = os.open(path, os.O_RDONLY | _BINARY)
        try:
            size = os.fstat(source).st_size
            clone_or_copy(source, fd, size, (LinkMethod.REFLINK, LinkMethod.COPY), advance=advance)
        finally:
            os.close(source)

    return copy_to
