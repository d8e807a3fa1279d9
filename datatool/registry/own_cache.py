"""The cache of another project on this machine: a place to read objects from, and never to change."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence

from datatool.cache.local import Cache
from datatool.errors import FormatError
from datatool.formats.config_file import parse_config
from datatool.hashing import digest
from datatool.index.state import State
from datatool.model.oid import ObjectId
from datatool.registry.view import View
from datatool.store.objects import Absent, Large, Small, Wanted


class OwnCache:
    """The registry's own cache, on this machine: only read."""

    def __init__(self, cache: Cache) -> None:
        self._cache = cache
        self._wrong: set[ObjectId] = set()
        self._lists: dict[ObjectId, bytes] = {}

    def has_list(self, oid: ObjectId) -> bool:
        """Whether a list is there, and right."""
        try:
            self.load(oid)
        except KeyError:
            return False
        return True

    def load(self, oid: ObjectId) -> bytes:
        """A list. Raises KeyError."""
        if oid not in self._lists:
            for item in self._cache.read([Wanted(oid, 0, b"", True)]) if oid not in self._wrong else ():
                if isinstance(item, Small) and digest(item.data) == oid:
                    self._lists[oid] = bytes(item.data)
                    break
            else:
                self._wrong.add(oid)
                raise KeyError(oid)
        return self._lists[oid]

    def read(self, wanted: Sequence[Wanted]) -> Iterator[Small | Large | Absent]:
        """Each wanted object as it lies there, unchecked."""
        wrong = [want for want in wanted if want.oid in self._wrong]
        yield from (Absent(want) for want in wrong)
        yield from self._cache.read([want for want in wanted if want.oid not in self._wrong])

    def reject(self, wanted: Wanted) -> None:
        """What was given was wrong: it is left where it is, and never given again."""
        self._wrong.add(wanted.oid)


def open_own_cache(view: View) -> OwnCache | None:
    """The cache of a registry that lies on this machine, linked work trees included; None where there is none."""
    if view.repository.local is None:
        return None
    common = view.repository.git_dir
    pointer = common / "commondir"  # a linked work tree's
    if pointer.is_file():
        common = (common / pointer.read_text(encoding="utf-8").strip()).resolve()
    local = common / "datatool"
    top = local / "cache"
    try:
        config = parse_config((local / "config.yaml").read_bytes(), name="config.yaml")
    except (OSError, FormatError):
        config = {}
    if "cache.dir" in config:
        top = view.repository.local / os.path.expanduser(config["cache.dir"])
    if not (top / "FORMAT").is_file():
        return None
    try:
        return OwnCache(Cache(top, State(None), foreign=True))
    except FormatError:
        return None
