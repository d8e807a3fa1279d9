"""Whether all of an artifact's version is in the cache: remembered, as long as the cache looks as it did then."""

from __future__ import annotations

from datatool.cache.local import Cache
from datatool.errors import FormatError
from datatool.formats.tree_object import part_ids, read_tree
from datatool.index.state import State
from datatool.model.oid import ObjectId
from datatool.model.pointer import ArtifactKind, Pointer

_BATCH = 8192


def is_cached(cache: Cache, state: State, pointer: Pointer, *, stamp: bytes | None = None) -> bool:
    """Whether the cache has everything of the version that a pointer names. `stamp` is the cache's, if just taken."""
    oid = pointer.oid
    if oid is None:
        return False
    if pointer.kind is ArtifactKind.FILE:
        return cache.has(oid)
    now = stamp if stamp is not None else cache.stamp()
    if state.complete(oid) == now:
        return True
    try:
        if cache.missing(list(part_ids(oid, cache.load))):
            return False
        wanted: list[ObjectId] = []
        for entry in read_tree(oid, cache.load):
            if entry.oid is not None:
                wanted.append(entry.oid)
                if len(wanted) >= _BATCH:
                    if cache.missing(wanted):
                        return False
                    wanted = []
        if cache.missing(wanted):
            return False
    except (KeyError, FormatError):
        return False
    state.set_complete(oid, now)
    return True


def has_list(cache: Cache, oid: ObjectId) -> bool:
    """Whether the cache has what lists a directory's version: a tree's root and pages."""
    try:
        return not cache.missing(part_ids(oid, cache.load))
    except (KeyError, FormatError):
        return False
