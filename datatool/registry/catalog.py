"""Everything that a registry offers at one commit, whoever keeps it: its readers as one."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import suppress
from difflib import get_close_matches
from functools import partial
from typing import Final

from msgspec import Struct

from datatool.cache.local import Cache
from datatool.errors import DatatoolError, PathNotFound, UnsafeInput, UrlNotFound, UsageError
from datatool.model.entry import DIRECTORY
from datatool.model.paths import PathRefused, check_escape, show_bytes
from datatool.progress import Task
from datatool.registry.missing import missing
from datatool.registry.native import SUFFIX
from datatool.registry.offer import Brought, Locates, Offer, Origin, Reader, Root
from datatool.registry.plain_git import GitReader
from datatool.registry.view import View

DEPTH: Final = 64
"""Directories in each other, at most, in what comes from another repository."""
LENGTH: Final = 4096
"""Bytes of a path, at most, in what comes from another repository."""
_FEW: Final = 4
"""Tracked directories whose lists are all worth bringing to find a path that was meant."""


class Selection(Struct, frozen=True, kw_only=True):
    """What one path of a registry stands for: a file, or a directory of `offers` (sorted, each path once).

    `hidden` are git-tracked files that only serve a tool, which were left out; `origin` is who keeps it, the first of
    several; `whole` its tracked artifact, where the path is exactly one.
    """

    path: bytes
    directory: bool
    offers: tuple[Offer, ...]
    hidden: tuple[bytes, ...]
    origin: Origin
    whole: Root | None = None

    def moved(self, path: bytes, to: bytes) -> bytes:
        """Where one of its paths is when the selection itself lies at `to`."""
        inside = path[len(self.path) :].lstrip(b"/")
        return to + b"/" + inside if inside else to


class Catalog:
    """One commit of a repository as its readers understand it, the first that knows a path having the word."""

    def __init__(self, view: View, readers: Sequence[Reader]) -> None:
        self.view = view
        self._git = GitReader(view)
        self._readers = [*readers, self._git]

    def roots(self, within: bytes = b"") -> list[Root]:
        """The tracked files and directories at, below or around a path, sorted."""
        self.view.look_around(within)
        found: dict[bytes, Root] = {}
        for reader in self._readers:
            for root in reader.roots(within):
                found.setdefault(root.path, root)
        return sorted(found.values(), key=lambda root: root.path)

    def offers(self, within: bytes = b"", *, data_only: bool = False) -> list[tuple[Reader, Offer]]:
        """Every file, link and empty directory at or below a path, sorted, with its reader."""
        self.view.look_around(within)
        found: dict[bytes, tuple[Reader, Offer]] = {}
        for reader in self._readers:
            if data_only and reader is self._git:
                continue
            for offer in reader.offers(within):
                found.setdefault(offer.path, (reader, offer))
        return [found[path] for path in sorted(found)]

    def first(self, path: bytes) -> tuple[Reader, Offer] | None:
        """What is at a path, or the first that lies below it, with its reader; None where there is nothing."""
        self.view.look_around(path)
        for reader in self._readers:
            for offer in reader.offers(path):
                return reader, offer
        return None

    def url(self, reader: Reader, offer: Offer) -> str:
        """Where the bytes of an offer lie as a file of their own. Raises UrlNotFound."""
        if isinstance(reader, Locates):
            return reader.url(offer)
        raise UrlNotFound(
            f"{show_bytes(offer.path)}: is kept by {offer.origin.value}: its bytes have no URL of their own",
            hint="datatool.open and datatool.path read it",
            path=os.fsdecode(offer.path),
        )

    def tracked(self, within: bytes = b"") -> Iterator[Offer]:
        """What git itself tracks at or below a path; files that stand for data kept elsewhere are among them."""
        return self._git.offers(within)

    def hidden(self, offer: Offer) -> bool:
        """Whether a path only serves one of the tools."""
        return offer.origin is Origin.GIT and any(reader.hidden(offer.path) for reader in self._readers)

    def select(self, path: bytes) -> Selection:
        """What a path stands for, to be copied from here. Raises PathNotFound, with the nearest name, and UnsafeInput
        for names that may not come from another repository."""
        offers = self.offers(path)
        if not offers and path.endswith(SUFFIX):
            return self.select(path[: -len(SUFFIX)])
        if len(offers) == 1 and offers[0][1].path == path and path.endswith(SUFFIX):
            whole = self._whole(path[: -len(SUFFIX)])
            if whole is not None:  # its pointer was named
                return self.select(path[: -len(SUFFIX)])
        whole = self._whole(path)
        if not offers:
            raise self.not_found(path)
        single = len(offers) == 1 and offers[0][1].path == path and offers[0][1].kind != DIRECTORY
        chosen: list[Offer] = []
        hidden: list[bytes] = []
        for _, offer in offers:
            if not single and self.hidden(offer):
                hidden.append(offer.path)
            else:
                _check(offer.path)
                chosen.append(offer)
        if not chosen:
            raise self.not_found(path)
        data = [offer.origin for offer in chosen if offer.origin is not Origin.GIT]
        return Selection(
            path=path,
            directory=not single,
            offers=tuple(chosen),
            hidden=tuple(hidden),
            origin=data[0] if data else Origin.GIT,
            whole=whole,
        )

    def _whole(self, path: bytes) -> Root | None:
        return next((root for root in self.roots(path) if root.path == path), None) if path else None

    def bring(self, offers: Sequence[Offer], cache: Cache, task: Task) -> Iterator[Brought]:
        """Have the bytes of offers in a cache, each through its own reader."""
        groups: dict[int, list[Offer]] = defaultdict(list)
        for offer in offers:
            groups[next(number for number, reader in enumerate(self._readers) if reader.owns(offer))].append(offer)
        for number, group in groups.items():
            yield from self._readers[number].bring(group, cache, task)

    def prepare(self, selections: Sequence[Selection]) -> None:
        """Have what git keeps of selections here, in one request."""
        self._git.prepare([offer for item in selections for offer in item.offers if offer.origin is Origin.GIT])

    def link_targets(self, offers: Sequence[Offer]) -> dict[bytes, bytes]:
        """The targets of git-tracked links, by path."""
        return self._git.links([offer for offer in offers if offer.origin is Origin.GIT])

    def not_found(self, path: bytes) -> PathNotFound:
        """The error for a path that a registry does not have, with the nearest that it has."""
        return missing(self.view, path, partial(self._names, path))

    def _names(self, path: bytes) -> set[str]:
        """What there is, for somebody who mistyped a path; of tracked directories, what is in the nearest."""
        names = {show_bytes(file.path) for file in self.view.files() if not self.hidden(_of(file.path))}
        roots = self.roots()
        names |= {show_bytes(root.path) for root in roots}
        for directory in _likely([root.path for root in roots if root.directory], path):
            with suppress(DatatoolError):  # the error is that the path is not there, not that a list is not either
                names |= {show_bytes(offer.path) for _, offer in self.offers(directory, data_only=True)}
        for name in list(names):
            names.update(name[:end] for end, letter in enumerate(name) if letter == "/")
        return names


def _likely(directories: Sequence[bytes], path: bytes) -> list[bytes]:
    """The directories to be looked into for a mistyped path: all of a few, else those whose names are near to its own,
    as each may cost a download."""
    if len(directories) <= _FEW:
        return list(directories)
    parts = path.split(b"/")
    by_name = {show_bytes(one): one for one in directories}
    above = [show_bytes(b"/".join(parts[:depth])) for depth in range(1, len(parts))]
    return list({by_name[name]: None for prefix in above for name in get_close_matches(prefix, by_name, n=1)})


def registry_path(text: str) -> bytes:
    """A path inside a registry as it was typed: from the repository's top. Raises UsageError.

    >>> registry_path("./music/songs/"), registry_path(".")
    (b'music/songs', b'')
    """
    if not text:
        raise UsageError("an empty path", hint="name a file or directory, or . for everything")
    parts = [
        part for part in os.fsencode(text).replace(os.fsencode(os.sep), b"/").split(b"/") if part not in (b"", b".")
    ]
    if b".." in parts:
        raise UsageError(f"{text}: leads out of the repository", hint="paths start at the repository's top")
    return b"/".join(parts)


def _check(path: bytes) -> None:
    try:
        check_escape(path)
    except PathRefused as error:
        raise UnsafeInput(f"{show_bytes(path)}: {error.reason}", path=os.fsdecode(path)) from error
    if len(path) > LENGTH or path.count(b"/") > DEPTH:
        raise UnsafeInput(
            f"{show_bytes(path)[:100]}…: deeper or longer than is taken from another repository", path=os.fsdecode(path)
        )


def _of(path: bytes) -> Offer:
    return Offer(path, "f", Origin.GIT)
