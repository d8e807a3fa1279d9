"""The trash of a cache: what gc took out of use, and anybody may want after all.

    trash/objects/<batch>/<oid>
    trash/packs/<batch>/<pack id>.pack

Whoever looks for an object and doesn't find it looks here, and moves it back. So what was counted on while gc was at
work is not lost; and a batch is as old as the last change to its directory, by the clock of its own filesystem.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Final, NamedTuple

from datatool.cache.packs import read_list
from datatool.localfs.atomic import make_dirs, remove_dir_if_empty, remove_file, rename
from datatool.model.oid import ObjectId, parse_oid

QUARANTINE: Final = 24 * 3600 * 1_000_000_000
"""Nanoseconds that something lies in the trash at least before it is deleted."""
_OBJECTS, _PACKS = "objects", "packs"
_SUFFIX = ".pack"


class Thrown(NamedTuple):
    """Something in the trash, when its batch was last changed, and what it holds: itself, or what is in the pack."""

    path: Path
    mtime_ns: int
    size: int
    oids: Collection[ObjectId]


class Trash:
    """The trash of the cache at `top`; use one for one command, as it puts all that it takes into one batch."""

    def __init__(self, top: Path) -> None:
        self._top = top / "trash"
        self._like = top
        self._batch = os.urandom(8).hex()
        self._packed: dict[Path, frozenset[ObjectId]] = {}

    def take_object(self, path: Path, oid: ObjectId) -> None:
        """Move an object here. Raises PathNotFound where it has gone, LocalError."""
        self._take(path, _OBJECTS, oid)

    def take_pack(self, path: Path, pack: ObjectId) -> None:
        """Move a pack here. Raises PathNotFound where it has gone, LocalError."""
        self._take(path, _PACKS, f"{pack}{_SUFFIX}")

    def find_objects(self, oids: Collection[ObjectId]) -> dict[ObjectId, Path]:
        """Where each of some objects lies here as a file of its own; the others are left out."""
        batches = self._batches(_OBJECTS)
        return {oid: path for batch in batches for oid in oids if os.path.exists(path := batch / oid)}

    def find_packs(self, oids: Collection[ObjectId]) -> dict[ObjectId, Path]:
        """The packs that lie here and hold any of some objects."""
        found: dict[ObjectId, Path] = {}
        for batch in self._batches(_PACKS):
            for name in _names(batch):
                pack = _pack_id(name)
                if pack is not None and not self.packed(batch / name).isdisjoint(oids):
                    found[pack] = batch / name
        return found

    def packed(self, path: Path) -> frozenset[ObjectId]:
        """What is in a pack here; nothing if its list can't be read."""
        if path not in self._packed:
            listed = read_list(path)
            self._packed[path] = frozenset(record.oid for record in (listed.records if listed is not None else ()))
        return self._packed[path]

    def everything(self) -> Iterator[Thrown]:
        """All that lies here."""
        for kind in (_OBJECTS, _PACKS):
            for batch in self._batches(kind):
                yield from self._in_batch(batch, packs=kind == _PACKS)

    def delete(self, thrown: Thrown) -> None:
        """Delete something for good; no error if somebody wanted it back just now. Raises LocalError."""
        remove_file(thrown.path)

    def tidy(self) -> None:
        """Delete batches that are empty."""
        for kind in (_OBJECTS, _PACKS):
            for batch in self._batches(kind):
                remove_dir_if_empty(batch)

    def _batches(self, kind: str) -> list[Path]:
        top = os.path.join(self._top, kind)
        return [Path(top, name) for name in _names(top)]

    def _take(self, path: Path, kind: str, name: str) -> None:
        batch = self._top / kind / self._batch
        make_dirs(batch, like=self._like)
        rename(path, batch / name)

    def _in_batch(self, batch: Path, *, packs: bool) -> Iterator[Thrown]:
        try:
            changed = os.lstat(batch).st_mtime_ns
        except FileNotFoundError:
            return
        for name in _names(batch):
            path = batch / name
            oids: Collection[ObjectId] = self.packed(path) if packs else _ids([name])
            if not oids:  # another's file, or a pack whose list is damaged: nobody knows what that holds
                continue
            try:
                yield Thrown(path, changed, os.lstat(path).st_size, oids)
            except FileNotFoundError:
                continue


def _names(directory: Path | str) -> list[str]:
    try:
        return sorted(os.listdir(directory))
    except (FileNotFoundError, NotADirectoryError):
        return []


def _pack_id(name: str) -> ObjectId | None:
    found = _ids([name.removesuffix(_SUFFIX)])
    return found[0] if found and name.endswith(_SUFFIX) else None


def _ids(names: Collection[str]) -> list[ObjectId]:
    found = []
    for name in names:
        try:
            found.append(parse_oid(name))
        except ValueError:
            continue
    return found
