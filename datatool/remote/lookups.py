"""The look-ups of a remote: empty names that lead from a fingerprint to run records (formats §5)."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

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


def read_lookup(store: Store, directory: str) -> list[ObjectId]:
    """The ids of the records that a look-up's directory names: one request, none where the store can't list. Raises
    RemoteError."""
    if not store.capabilities.list:
        return []
    found: list[ObjectId] = []
    for item in store.list(f"{directory}/"):
        with suppress(ValueError):
            found.append(parse_oid(item.name.rpartition("/")[2]))
    return found
