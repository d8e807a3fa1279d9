"""Whether all of an artifact's version is in the cache: remembered, as long as the cache looks as it did then."""

from __future__ import annotations

from itertools import islice

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


def cached_part(cache: Cache, pointer: Pointer, within: bytes) -> int:
    """How many files the cache has at a path in a directory's version, or below it; 0 where it lacks one of them, or
    where there is none."""
    if pointer.oid is None or pointer.kind is ArtifactKind.FILE:
        return 0
    count = 0
    try:
        entries = read_tree(pointer.oid, cache.load, within=within)
        while some := list(islice(entries, _BATCH)):
            if cache.missing([entry.oid for entry in some if entry.oid is not None]):
                return 0
            count += len(some)
    except (KeyError, FormatError):
        return 0
    return count


def has_list(cache: Cache, oid: ObjectId) -> bool:
    """Whether the cache has what lists a directory's version: a tree's root and pages."""
    try:
        return not cache.missing(part_ids(oid, cache.load))
    except (KeyError, FormatError):
        return False
