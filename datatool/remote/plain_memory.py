"""What this machine brought from a URL before: which content a file had when its place told that mark of it.

So an update reads only the files whose mark is another one. All of it may be lost, or be wrong about what the cache
still has: what it says of an object that is not there counts for nothing.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Final, NamedTuple

from msgspec import Struct

from datatool.cache.local import Cache
from datatool.errors import LocalError
from datatool.hashing import digest
from datatool.localfs.atomic import make_dirs, write_file
from datatool.model.oid import ObjectId, parse_oid
from datatool.model.settings import Durability
from datatool.remote.plain import PlainFile

_MAGIC: Final = {"datatool": "url-memory", "version": 1}
_LARGEST: Final = 512 << 20


class Kept(NamedTuple):
    """What a file was: its object and that one's size in bytes."""

    oid: ObjectId
    size: int


class UrlMemory(Struct, frozen=True):
    """Marks and objects of the files at one URL, in a file of their own below `directory`."""

    directory: Path
    url: str

    @property
    def path(self) -> Path:
        """The file."""
        return self.directory / f"{digest(self.url.encode(errors='surrogateescape'))}.json"

    def known(self, files: Iterable[PlainFile], cache: Cache) -> dict[bytes, Kept]:
        """The content of those files whose marks are remembered and whose objects the cache has, by path."""
        kept = self._read()
        if not kept:
            return {}
        found: dict[bytes, Kept] = {}
        for file in files:
            mark, held = kept.get(file.path, (None, None))
            if held is not None and mark is not None and mark == file.mark and file.size in (None, held.size):
                found[file.path] = held
        missing = cache.missing({held.oid for held in found.values()})
        return {path: held for path, held in found.items() if held.oid not in missing}

    def keep(self, files: Iterable[PlainFile], here: Mapping[bytes, Kept]) -> None:
        """Remember what is here of the files that are there now. That it can't be written is no failure."""
        lines = [json.dumps(_MAGIC)]
        for file in files:
            held = here.get(file.path)
            if held is not None and file.mark is not None:
                path = file.path.decode("utf-8", "surrogateescape")
                lines.append(json.dumps([path, file.mark, held.oid, held.size]))
        try:
            make_dirs(self.directory, like=self.directory.parent)
            write_file(self.path, "\n".join([*lines, ""]).encode("ascii"), durability=Durability.NONE)
        except LocalError:
            return

    def _read(self) -> dict[bytes, tuple[str, Kept]]:
        try:
            if self.path.stat().st_size > _LARGEST:
                return {}
            lines = self.path.read_bytes().splitlines()
            if not lines or json.loads(lines[0]) != _MAGIC:
                return {}
            found: dict[bytes, tuple[str, Kept]] = {}
            for line in lines[1:]:
                path, mark, oid, size = json.loads(line)
                raw = path.encode("utf-8", "surrogateescape")
                found[raw] = (str(mark), Kept(parse_oid(oid), int(size)))
            return found
        except (OSError, ValueError, TypeError, AttributeError):
            return {}
