"""Which objects of a cache are needed, and what for: everything that the projects that use it can still name."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Final, TypeVar

from datatool.cache.gc import Keep
from datatool.cache.local import Cache
from datatool.cache.packs import read_list
from datatool.errors import DamageFound, FormatError, NewerFormat
from datatool.formats.pack import MAGIC as PACK_MAGIC
from datatool.formats.pointer_file import is_pointer, parse_pointer
from datatool.formats.tree_object import is_root, parse_page, parse_root
from datatool.model.oid import ObjectId, parse_oid
from datatool.model.paths import show
from datatool.model.pointer import ArtifactKind

T = TypeVar("T")
_LISTING: Final = b"dt-tree "
_ID: Final = re.compile(rb"(?<![0-9a-zA-Z])[0-9a-f]{64}(?![0-9a-zA-Z])")


class NeededObjects:
    """Collects what is needed: `found` has each object and the first reason that was given; `runs` are the records that
    pointers name."""

    def __init__(self, cache: Cache) -> None:
        self._cache = cache
        self.found: dict[ObjectId, Keep] = {}
        self.runs: set[ObjectId] = set()
        self._walked: set[ObjectId] = set()
        self._unread: set[ObjectId] = set()

    def pointer(self, text: bytes, why: Keep) -> None:
        """What the bytes of a file named `*.dt` name. Of one that doesn't read (a conflict, a later version) whatever
        looks like an id. Raises NewerFormat for a tree of a later version."""
        try:
            pointer = parse_pointer(text, name="pointer") if is_pointer(text) else None
        except FormatError:
            pointer = None
        if pointer is None:
            for word in _ID.findall(text):
                self.version(parse_oid(word.decode()), None, why)
                self.runs.add(parse_oid(word.decode()))
            return
        if pointer.oid is not None:
            self.version(pointer.oid, pointer.kind, why)
        if pointer.source is not None and pointer.source.run is not None:
            with suppress(ValueError):
                self.runs.add(parse_oid(pointer.source.run))

    def version(self, oid: ObjectId, kind: ArtifactKind | None, why: Keep) -> None:
        """A version of an artifact, with all that it consists of; `kind` is None where nobody says."""
        self.found.setdefault(oid, why)
        if kind is not ArtifactKind.FILE and oid not in self._walked and (kind is not None or self._is_listing(oid)):
            self._tree(oid, why)

    def refuse_damage(self) -> None:
        """Raises DamageFound where a list of what is needed was damaged: nobody knows what it named."""
        for path, oid in _set_aside(self._cache) if self._unread else ():
            listed = read_list(path)
            lost = {oid} if listed is None else {record.oid for record in listed.records}
            if not lost.isdisjoint(self._unread) or (listed is None and _starts_as_pack(path)):
                raise DamageFound(
                    f"{show(str(path))}: is what is left of a list of files, so nobody knows which objects are needed",
                    hint="datatool fetch --all-commits brings it from a remote; where none has it, delete this file",
                )

    def _is_listing(self, oid: ObjectId) -> bool:
        try:
            with self._cache.reader(oid) as file:
                return file.read(len(_LISTING)) == _LISTING
        except KeyError:
            return False

    def _tree(self, oid: ObjectId, why: Keep) -> None:
        data = self._load(oid)
        if data is None:
            return
        if not is_root(data):
            self._page(data, why)
            return
        for page in _parsed(parse_root, data):
            self.found.setdefault(page.oid, why)
            listing = self._load(page.oid) if page.oid not in self._walked else None
            if listing is not None:
                self._page(listing, why)

    def _page(self, data: bytes, why: Keep) -> None:
        for entry in _parsed(parse_page, data):
            if entry.oid is not None:
                self.found.setdefault(entry.oid, why)

    def _load(self, oid: ObjectId) -> bytes | None:
        self._walked.add(oid)
        try:
            return self._cache.load(oid)
        except KeyError:
            self._unread.add(oid)
            return None


def _parsed(parse: Callable[[bytes], list[T]], data: bytes) -> list[T]:
    """What a list names; nothing if it is none, whoever says so."""
    try:
        return parse(data)
    except NewerFormat:
        raise
    except FormatError:
        return []


def _set_aside(cache: Cache) -> Iterator[tuple[Path, ObjectId]]:
    """The files with wrong bytes, each with the id that it had as an object or a pack."""
    top = cache.top / "corrupt"
    for name in sorted(os.listdir(top)) if top.is_dir() else ():
        with suppress(ValueError):
            yield top / name, parse_oid(name.partition(".")[0])


def _starts_as_pack(path: Path) -> bool:
    with open(path, "rb") as file:
        return file.read(len(PACK_MAGIC)) == PACK_MAGIC
