"""What this machine remembers of remotes: their format files and the immutable records it downloaded.

    <top>/urls/<sha256 of the label>.json      the format file last read at that place
    <top>/<remote id>/{index,gc}/<name>        downloaded shards and gc records
    <top>/<remote id>/seen.json                their size, mtime and inode when their bytes were last right
    <top>/<remote id>/list-due                 there while a shard was written and `index.list` was not
    <top>/<remote id>/sent/<pack>.<size>       ends of packs that were sent and that no shard lists yet

All of it can be made again, so what can't be read or written is as if it were not there.
"""

from __future__ import annotations

import json
import mmap
import os
import re
from collections.abc import Iterable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final, NamedTuple

from datatool.errors import FormatError, LocalError
from datatool.formats.pack import PackRecord, parse_footer
from datatool.hashing import digest
from datatool.localfs.atomic import make_dirs, remove_file, write_file
from datatool.model.oid import ObjectId, parse_oid
from datatool.model.settings import Durability

_REMOTE_ID: Final = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.ASCII)
_LIST_DUE: Final = "list-due"
_BINARY: Final = getattr(os, "O_BINARY", 0) | getattr(os, "O_CLOEXEC", 0)


class FormatMemory:
    """The format files that were read, by the place they were read at."""

    def __init__(self, top: Path) -> None:
        self._top = top / "urls"

    def recall(self, label: str) -> bytes | None:
        """The bytes of the format file last seen at a place."""
        try:
            return self._path(label).read_bytes()
        except OSError:
            return None

    def remember(self, label: str, data: bytes) -> None:
        """Keep the bytes of a format file."""
        with suppress(LocalError, OSError):
            make_dirs(self._top, like=self._top)
            write_file(self._path(label), data, durability=Durability.NONE, like=self._top)

    def _path(self, label: str) -> Path:
        return self._top / f"{digest(label.encode(errors='surrogateescape'))}.json"


class SentPack(NamedTuple):
    """A pack that arrived at a remote, and what is in it."""

    id: ObjectId
    size: int
    records: Sequence[PackRecord]


class SentPacks:
    """The packs that one remote has and no shard lists yet: a push that goes on where another was killed lists them
    instead of sending their objects again."""

    def __init__(self, top: Path, remote_id: str) -> None:
        self._top = top / remote_id / "sent"

    def remember(self, pack: SentPack, footer: bytes | memoryview) -> None:
        """Keep what a pack has at its end: the list of its objects."""
        with suppress(LocalError, OSError):
            make_dirs(self._top, like=self._top)
            write_file(self._path(pack), bytes(footer), durability=Durability.NONE, like=self._top)

    def recall(self) -> list[SentPack]:
        """The packs that are remembered."""
        found = []
        for path in sorted(self._top.iterdir()) if self._top.is_dir() else []:
            with suppress(OSError, ValueError, FormatError):
                size = int(path.suffix[1:])
                found.append(SentPack(parse_oid(path.stem), size, parse_footer(path.read_bytes(), size)))
        return found

    def forget(self, packs: Iterable[SentPack]) -> None:
        """A shard lists them, or they can't be used."""
        for pack in packs:
            with suppress(LocalError, OSError):
                remove_file(self._path(pack))

    def _path(self, pack: SentPack) -> Path:
        return self._top / f"{pack.id}.{pack.size}"


class RecordMemory:
    """The downloaded shards and gc records of one remote: names such as `index/<64>.dti`."""

    def __init__(self, top: Path, remote_id: str) -> None:
        if not _REMOTE_ID.fullmatch(remote_id):
            raise ValueError(f"not the id of a remote: {remote_id!r:.80}")
        self._top = top / remote_id
        self._seen: dict[str, list[int]] = self._read_seen()
        self._changed = False

    def names(self, part: str) -> frozenset[str]:
        """The names of one part (`index/`, `gc/`) that are kept."""
        try:
            return frozenset(part + name for name in os.listdir(self._top / part) if len(name) > 64)
        except OSError:
            return frozenset()

    def load(self, name: str, expected: str) -> mmap.mmap | bytes | None:
        """The bytes of a kept record, if they are what `expected` (their sha256) says.

        They are hashed only when the file is no longer what it was when they were last right.
        """
        try:
            fd = os.open(self._top / name, os.O_RDONLY | _BINARY)
        except OSError:
            return None
        try:
            stat = os.fstat(fd)
            if stat.st_size == 0:
                return None
            data = mmap.mmap(fd, 0, access=mmap.ACCESS_READ)
        except (OSError, ValueError):
            return None
        finally:
            os.close(fd)
        row = [stat.st_size, stat.st_mtime_ns, stat.st_ino]
        if self._seen.get(name) != row:
            if digest(data) != expected:
                data.close()
                return None
            self._seen[name] = row
            self._changed = True
        return data

    def keep(self, name: str, data: bytes) -> None:
        """Keep a record whose bytes were just checked, or were just sent."""
        path = self._top / name
        with suppress(LocalError, OSError):
            make_dirs(path.parent, like=path.parent)
            write_file(path, data, durability=Durability.BATCH, like=path.parent)
            stat = os.stat(path)
            self._seen[name] = [stat.st_size, stat.st_mtime_ns, stat.st_ino]
            self._changed = True

    def forget(self, names: Iterable[str]) -> None:
        """Drop records that the remote no longer has."""
        for name in names:
            with suppress(LocalError, OSError):
                remove_file(self._top / name)
            self._changed |= self._seen.pop(name, None) is not None

    def save(self) -> None:
        """Write down which files were found right, if that changed."""
        if not self._changed:
            return
        self._changed = False
        with suppress(LocalError, OSError):
            make_dirs(self._top, like=self._top)
            data = json.dumps(self._seen, sort_keys=True).encode()
            write_file(self._top / "seen.json", data, durability=Durability.NONE, like=self._top)

    @property
    def list_is_due(self) -> bool:
        """Whether this machine wrote a shard and did not get to write `index.list` behind it."""
        return (self._top / _LIST_DUE).exists()

    def owe_list(self, due: bool) -> None:
        """Remember whether that is so."""
        with suppress(LocalError, OSError):
            if due:
                make_dirs(self._top, like=self._top)
                write_file(self._top / _LIST_DUE, b"", durability=Durability.NONE, like=self._top)
            else:
                remove_file(self._top / _LIST_DUE)

    def _read_seen(self) -> dict[str, list[int]]:
        try:
            found = json.loads((self._top / "seen.json").read_bytes())
        except (OSError, ValueError):
            return {}
        if not isinstance(found, dict):
            return {}
        return {name: row for name, row in found.items() if isinstance(row, list)}
