"""What a remote really has and can do: looked at, never inferred from its index."""

from __future__ import annotations

import secrets
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Final, NamedTuple

from datatool.errors import DatatoolError, RemoteDenied, RemoteError
from datatool.formats.index_list import decode_index_list
from datatool.formats.shard import LOOSE, Root
from datatool.model.oid import EMPTY, ObjectId
from datatool.remote.format_file import FORMAT_NAME
from datatool.remote.session import INDEX_LIST, Remote
from datatool.remote.state import Location, root_key
from datatool.store.objects import Wanted
from datatool.store.protocol import Leftover, NameMissing, NameTaken, Store

_PACK_END = 44
"""A pack goes on at least this far behind its last payload: nonce and trailer."""
_JOBS: Final = 8
_UNDER_WAY: Final = 600.0
"""Seconds for which what a check has written is that check's own."""


@dataclass(frozen=True, kw_only=True, slots=True)
class CheckStep:
    """One thing that was tried at a remote, whether it worked, and what was found."""

    name: str
    ok: bool
    detail: str
    hint: str | None = None
    """What to do where it did not work, as a store says it: `NAME` stands for the remote's name."""


class Lost(NamedTuple):
    """Names of the index that are not there, and names whose bytes can't be right because their size is wrong."""

    gone: frozenset[str]
    wrong: frozenset[str]


def check(store: Store) -> tuple[CheckStep, ...]:
    """Prove that a store can be written, read, listed and deleted from, with a small name of its own; one that is
    read only by nature, that a remote can be read from it.

    The steps come in the order they were tried; what can't be tried because an earlier one failed is left out. Who may
    not write is told what of a remote that is there can be read. What who may not delete has left behind is used by the
    next check, and deleted by the first that may.
    """
    data = secrets.token_bytes(1000)
    steps: list[CheckStep] = []

    def step(title: str, found: object, expected: object) -> None:
        ok = found == expected
        steps.append(CheckStep(name=title, ok=ok, detail="" if ok else f"found {found!r:.80}, not {expected!r:.80}"))

    if not store.capabilities.write:
        return tuple(_check_reading(store))
    left = _left_behind(store)
    name = left[0] if left else f"check/{secrets.token_hex(16)}"
    current = "write"
    try:
        store.put(name, data)
        step(current, True, True)
        current = "read"
        step(current, store.get(name) == data, True)
        current = "range"
        step(current, store.get(name, 100, 50) == data[100:150], True)
        current = "atomic publish"
        step(current, _replaced_at_once(store, name, data), True)
        if store.capabilities.list:
            current = "list"
            step(current, [item.size for item in store.list("check/") if item.name == name], [1000])
        current = "delete"
        store.delete_many([name, *left[1:]])
        step(current, _there(store, name), False)
    except NameMissing as missing:
        steps.append(CheckStep(name=current, ok=False, detail=str(missing)))
    except DatatoolError as error:
        stays = f"; {name} stays there" if current == "delete" else ""
        steps.append(CheckStep(name=current, ok=False, detail=error.message + stays, hint=error.hint))
        if current == "write" and isinstance(error, RemoteDenied):
            steps += _check_as_reader(store)
    return tuple(steps)


def leftovers(store: Store) -> tuple[tuple[Leftover, ...], CheckStep | None]:
    """The unfinished uploads, and a step that failed where it is not allowed to list them."""
    try:
        return tuple(store.leftovers()), None
    except RemoteDenied as denied:
        return (), CheckStep(name="unfinished uploads", ok=False, detail=denied.message, hint=denied.hint)


def _left_behind(store: Store) -> list[str]:
    """What earlier checks could not delete; a younger one may be under way."""
    if not (store.capabilities.list and store.capabilities.delete):
        return []
    try:
        found = list(store.list("check/"))
        now = store.server_time() if found else 0.0
    except DatatoolError:
        return []  # what is wrong shows in the steps
    return [item.name for item in found if item.time <= now - _UNDER_WAY]


def _check_as_reader(store: Store) -> Iterator[CheckStep]:
    if not _there(store, FORMAT_NAME, denied=True):
        return
    yield from _check_reading(store)
    if store.capabilities.list:
        try:
            found = any(item.name == FORMAT_NAME for item in store.list(FORMAT_NAME))
            yield CheckStep(name="list", ok=found, detail="" if found else f"{FORMAT_NAME} is not listed")
        except DatatoolError as error:
            yield CheckStep(name="list", ok=False, detail=error.message, hint=error.hint)


def _check_reading(store: Store) -> Iterator[CheckStep]:
    current = "read"
    try:
        data = store.get(FORMAT_NAME)
        yield CheckStep(name=current, ok=True, detail="read only")
        current = "range"
        right = store.get(FORMAT_NAME, 1, 5) == data[1:6]
        slow = "" if store.capabilities.ranges else "the whole is sent for any part"
        yield CheckStep(name=current, ok=right, detail=slow if right else "another part was sent than asked for")
        if not store.capabilities.list:
            current = "index.list"
            decode_index_list(store.get(INDEX_LIST))
            yield CheckStep(name=current, ok=True, detail="")
    except NameMissing as missing:
        yield CheckStep(name=current, ok=False, detail=_not_there(str(missing.args[0]), store))
    except DatatoolError as error:
        yield CheckStep(name=current, ok=False, detail=error.message, hint=error.hint)


def _not_there(name: str, store: Store) -> str:
    return f"there is no {name} at {store.label}; is that its address, and was anything pushed to what it shows?"


def status(remote: Remote, roots: Iterable[Root]) -> frozenset[ObjectId]:
    """The oids of those roots that a live push record lists: pushed whole, and not expired since."""
    live = remote.state.live_roots()
    return frozenset(root.oid for root in roots if root_key(root) in live)


def present(remote: Remote, wanted: Sequence[Wanted]) -> frozenset[ObjectId]:
    """The oids of wanted objects that are missing: no name that the index has for them is really there, but for those
    that somebody found damaged."""
    oids = {item.oid for item in wanted if item.oid != EMPTY}
    damaged = remote.state.damaged
    places = {
        oid: [place for place in found if place.name not in damaged]
        for oid, found in remote.state.locations(oids).items()
    }
    if not places:
        return frozenset(oids)
    if not remote.store.capabilities.list:
        ends = _ends((place.name, _end(place)) for found in places.values() for place in found)
        there = _asked_for(remote.store, ends)
        return frozenset(oid for oid in oids if not any(place.name in there for place in places.get(oid, ())))
    sizes = _sizes(remote.store, (place.name for found in places.values() for place in found))
    return frozenset(oid for oid in oids if not any(_fits(place, sizes) for place in places.get(oid, ())))


def lost_names(remote: Remote) -> Lost:
    """Compare everything that the index names with what is listed: two listings, however much there is."""
    ends = _ends(
        (name, record.ulen if record.kind == LOOSE else record.off + record.clen)
        for name, _, record in remote.state.names()
    )
    if not ends:
        return Lost(frozenset(), frozenset())
    sizes = _sizes(remote.store, ends)
    gone = frozenset(name for name in ends if name not in sizes)
    wrong = frozenset(
        name for name, end in ends.items() if name not in gone and not _size_right(name, end, sizes[name])
    )
    return Lost(gone, wrong - remote.state.condemned)


def _replaced_at_once(store: Store, name: str, data: bytes) -> bool:
    """Whether a name has its old or its new bytes, whole, after it was replaced; and, where the store says so, whether
    it can be kept from being replaced."""
    store.put(name, data[::-1])
    if store.get(name) != data[::-1]:
        return False
    if store.capabilities.conditional:
        try:
            store.put(name, data, exclusive=True)
        except NameTaken:
            return store.get(name) == data[::-1]
        return False
    store.put(name, data)
    return store.get(name) == data


def _there(store: Store, name: str, *, denied: bool = False) -> bool:
    """Whether a name is there; `denied` is the answer where that must not be known."""
    try:
        store.get(name, 0, 1)
    except NameMissing:
        return False
    except RemoteDenied:
        if not denied:
            raise
    return True


def _sizes(store: Store, names: Iterable[str] | Collection[str]) -> dict[str, int]:
    """The sizes of what is there, of the parts of the store that the names lie in."""
    if not store.capabilities.list:
        raise RemoteError(f"{store.label}: can't list, so it can't be looked at what is there")
    parts = {name.partition("/")[0] for name in names}
    return {item.name: item.size for part in sorted(parts) for item in store.list(f"{part}/")}


def _asked_for(store: Store, ends: Mapping[str, int]) -> frozenset[str]:
    """Those names that are there with the right size, one request each: where nothing can be listed, the last byte
    that must be there is asked for, and the one behind it."""

    def there(name: str) -> bool:
        least = ends[name] + (_PACK_END if name.startswith("packs/") else 0)
        start = max(0, least - 1) if store.capabilities.ranges else 0
        try:
            found = len(store.get(name, start, 2))
        except NameMissing:
            return False
        if not store.capabilities.ranges:
            return found > 0  # to learn more would cost all of it
        return found > 0 if name.startswith("packs/") else found == least - start

    with ThreadPoolExecutor(max_workers=_JOBS, thread_name_prefix="look") as pool:
        return frozenset(name for name, found in zip(ends, pool.map(there, ends), strict=True) if found)


def _ends(found: Iterable[tuple[str, int]]) -> dict[str, int]:
    """For each name, how far its records reach."""
    ends: dict[str, int] = {}
    for name, end in found:
        if end > ends.get(name, -1):
            ends[name] = end
    return ends


def _end(place: Location) -> int:
    return place.ulen if place.kind == LOOSE else place.off + place.clen


def _fits(place: Location, sizes: dict[str, int]) -> bool:
    size = sizes.get(place.name)
    return size is not None and _size_right(place.name, _end(place), size)


def _size_right(name: str, end: int, size: int) -> bool:
    return size >= end + _PACK_END if name.startswith("packs/") else size == end
