"""From a selection of a registry to objects in a cache and the tree that they make."""

from __future__ import annotations

import os
from collections.abc import Sequence

from msgspec import Struct

from datatool.cache.local import Cache
from datatool.errors import DatatoolError, PartlyDone
from datatool.model.entry import DIRECTORY, SYMLINK, Entry
from datatool.model.oid import ObjectId
from datatool.model.paths import show_bytes
from datatool.progress import Task
from datatool.registry.catalog import Catalog, Selection
from datatool.registry.missing import is_link
from datatool.registry.offer import Offer
from datatool.registry.saving import save_tree


class Copied(Struct, frozen=True, kw_only=True):
    """What was brought of a selection: `oid` is a file's object, or the tree of all that could be had; `failed` is why
    the rest could not, by its path in the registry."""

    directory: bool
    oid: ObjectId
    size: int
    files: int
    executable: bool
    failed: tuple[tuple[bytes, DatatoolError], ...] = ()


def copy_selection(catalog: Catalog, chosen: Selection, cache: Cache, task: Task) -> Copied:
    """Bring the bytes of a selection into a cache, and save the tree that they make.

    Raises what costs all of it: UnsafeInput for names and links that could do harm, RemoteError and its kin, and the
    one error of a single file.
    """
    failed: list[tuple[bytes, DatatoolError]] = [
        (offer.path, _problem(offer)) for offer in chosen.offers if offer.problem is not None
    ]
    sound = [offer for offer in chosen.offers if offer.problem is None]
    files = [offer for offer in sound if offer.kind not in (SYMLINK, DIRECTORY)]
    here: dict[bytes, ObjectId] = {}
    for offer, outcome in catalog.bring(files, cache, task):
        if isinstance(outcome, DatatoolError):
            failed.append((offer.path, outcome))
        else:
            here[offer.path] = outcome
    if failed and not here:
        raise failed[0][1]
    return _made(catalog, chosen, cache, sound, here, failed)


def _problem(offer: Offer) -> DatatoolError:
    shown = f"{show_bytes(offer.path)}: "
    problem = offer.problem or ""
    text = problem if problem.startswith(shown) else shown + problem
    if offer.error is None:
        return PartlyDone(text, path=os.fsdecode(offer.path))
    offer.error.message = text
    return offer.error


def known(offer: Offer) -> bool:
    """Whether a registry tells all that a tree says of an offer, without its bytes."""
    return offer.problem is None and (offer.kind in (SYMLINK, DIRECTORY) or None not in (offer.oid, offer.size))


def copy_known(catalog: Catalog, chosen: Selection, cache: Cache) -> Copied:
    """What `copy_selection` would give where every offer is `known`: only the tree is saved."""
    here = {offer.path: offer.oid for offer in chosen.offers if offer.oid is not None}
    return _made(catalog, chosen, cache, chosen.offers, here, [])


def _made(
    catalog: Catalog,
    chosen: Selection,
    cache: Cache,
    sound: Sequence[Offer],
    here: dict[bytes, ObjectId],
    failed: list[tuple[bytes, DatatoolError]],
) -> Copied:
    files = [offer for offer in sound if offer.kind not in (SYMLINK, DIRECTORY)]
    sizes = _sizes(cache, [offer for offer in files if offer.size is None and offer.path in here], here)
    if not chosen.directory:
        offer = chosen.offers[0]
        if failed:
            raise failed[0][1]
        if offer.path not in here:
            target = offer.target if offer.target is not None else catalog.link_targets([offer])[offer.path]
            raise is_link(offer.path, target)
        size = sizes.get(offer.path, offer.size or 0)
        return Copied(directory=False, oid=here[offer.path], size=size, files=1, executable=offer.kind == "x")
    return _tree(catalog, chosen, cache, sound, here, sizes, failed)


def _tree(
    catalog: Catalog,
    chosen: Selection,
    cache: Cache,
    sound: Sequence[Offer],
    here: dict[bytes, ObjectId],
    sizes: dict[bytes, int],
    failed: list[tuple[bytes, DatatoolError]],
) -> Copied:
    targets = catalog.link_targets(sound)
    skip = len(chosen.path) + 1 if chosen.path else 0
    entries: list[Entry] = []
    for offer in sound:
        path = offer.path[skip:]
        if offer.kind == SYMLINK:
            target = offer.target if offer.target is not None else targets[offer.path]
            entries.append(Entry(SYMLINK, path, None, len(target), target))
        elif offer.kind == DIRECTORY:
            if path:
                entries.append(Entry(DIRECTORY, path, None, 0))
        elif offer.path in here:
            size = sizes.get(offer.path, offer.size or 0)
            entries.append(Entry(offer.kind, path, here[offer.path], size))
    summary = save_tree(entries, cache, where=catalog.view.repository.shown, path=chosen.path)
    return Copied(
        directory=True,
        oid=summary.oid,
        size=summary.size,
        files=summary.files,
        executable=False,
        failed=tuple(failed),
    )


def _sizes(cache: Cache, offers: Sequence[Offer], here: dict[bytes, ObjectId]) -> dict[bytes, int]:
    """The sizes of files that only their bytes tell."""
    by_oid = {here[offer.path]: offer for offer in offers}
    sizes = cache.sizes(list(by_oid))
    return {offer.path: sizes[here[offer.path]] for offer in offers}
