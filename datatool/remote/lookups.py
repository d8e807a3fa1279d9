"""The look-ups of a remote: empty names that lead from a fingerprint to run records (formats §5)."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

from datatool.model.oid import ObjectId, parse_oid
from datatool.store.protocol import Store


def write_lookups(store: Store, names: Sequence[str], *, jobs: int) -> None:
    """Write look-ups, several at a time; one that is there already is the same. Raises RemoteError."""
    if len(names) < 2:
        for name in names:
            store.put(name, b"")
        return
    with ThreadPoolExecutor(max_workers=jobs, thread_name_prefix="look-ups") as pool:
        for _ in pool.map(lambda name: store.put(name, b""), names):
            pass


class Lookup(NamedTuple):
    """What lies in a look-up's directory: the ids of records, and names that are no ids."""

    runs: list[ObjectId]
    strange: list[str]


def read_lookup(store: Store, directory: str) -> Lookup:
    """What a look-up's directory names: one request, none where the store can't list. Raises RemoteError."""
    found = Lookup([], [])
    for item in store.list(f"{directory}/") if store.capabilities.list else ():
        name = item.name.rpartition("/")[2]
        try:
            found.runs.append(parse_oid(name))
        except ValueError:
            found.strange.append(name)
    return found
