"""Imports of a DVC project: what came from another repository is had from there, when DVC stored it nowhere else.

That other project may itself have imported it, and so on; how far is bounded, and a circle is told.
"""

from __future__ import annotations

import os
import posixpath
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Final, Protocol

from datatool.cache.local import Cache
from datatool.errors import PathNotFound, UnsafeInput
from datatool.git.clones import local_directory
from datatool.model.paths import PathRefused, check_escape, show, show_bytes
from datatool.model.urls import without_secrets
from datatool.progress import Task
from datatool.registry.access import Access, host_of
from datatool.registry.dvc.pointers import Tracked
from datatool.registry.offer import Brought, Offer
from datatool.remote.reach import is_private

DEEPEST: Final = 8
"""Imports of imports that are followed."""


class Other(Protocol):
    """A repository at a commit, whoever keeps its data: git's files and all readers' together."""

    def offers(self, path: bytes) -> Iterable[Offer]:
        """Every file, link and empty directory at or below a path, sorted, git's own included."""

    def bring(self, offers: Sequence[Offer], cache: Cache, task: Task) -> Iterator[Brought]:
        """Have the bytes of its offers in a cache, as `Reader.bring` does."""


class OpenOther(Protocol):
    """Opens another repository."""

    def __call__(self, url: str, rev: str | None, *, base: Path | None, chain: tuple[str, ...]) -> Other:
        """The repository at a URL or path (relative ones from `base`) at a revision, None for its default branch.

        `chain` goes to the DvcReader of that repository: the imports that led there. Raises what finding and
        reading a repository raise.
        """


class Imports:
    """Follows the imports of one DVC project, each source opened once."""

    def __init__(self, access: Access, root: bytes, open_other: OpenOther | None, chain: tuple[str, ...]) -> None:
        self._access = access
        self._root = root
        self._open = open_other
        self._chain = chain
        self._others: dict[str, Other] = {}
        self._offers: dict[bytes, dict[bytes, tuple[Other, Offer]]] = {}

    def can_follow(self, tracked: Tracked) -> bool:
        """Whether there is a repository behind it, and a way to open one."""
        return self._open is not None and tracked.source is not None

    def offers(self, tracked: Tracked) -> dict[bytes, tuple[Other, Offer]]:
        """What the source has, under the paths that it has here. Raises UnsafeInput, and what opening raises."""
        if tracked.path not in self._offers:
            self._offers[tracked.path] = self._offered(tracked)
        return self._offers[tracked.path]

    def _offered(self, tracked: Tracked) -> dict[bytes, tuple[Other, Offer]]:
        source = tracked.source
        assert source is not None
        path = posixpath.normpath(source.path.encode("utf-8", "surrogateescape"))
        path = b"" if path == b"." else path
        try:
            if path:
                check_escape(path)
        except PathRefused as error:
            raise UnsafeInput(
                f"{show_bytes(tracked.pointer)}: it imports {show(source.path)}: {error.reason}",
                path=os.fsdecode(tracked.pointer),
            ) from None
        other = self._other(tracked, path)
        found = {}
        for offer in other.offers(path):
            rest = offer.path[len(path) :].lstrip(b"/") if path else offer.path
            here = tracked.path + b"/" + rest if rest else tracked.path
            found[here] = other, offer
        if not found:
            raise PathNotFound(
                f"{show_bytes(tracked.pointer)}: nothing lies at {show(source.path)} in "
                f"{show(without_secrets(source.url))}",
                path=os.fsdecode(tracked.pointer),
            )
        return found

    def _other(self, tracked: Tracked, path: bytes) -> Other:
        source = tracked.source
        assert source is not None and self._open is not None
        rev = source.commit or source.rev
        link = f"{source.url}@{rev or ''}:{os.fsdecode(path)}"
        shown = show(without_secrets(source.url))
        if link in self._chain:
            raise UnsafeInput(f"{show_bytes(tracked.pointer)}: imports of {shown} go in a circle", path=source.url)
        if len(self._chain) >= DEEPEST:
            raise UnsafeInput(
                f"{show_bytes(tracked.pointer)}: more than {DEEPEST} imports, one from another", path=source.url
            )
        base = self._base(tracked, source.url)
        self._require_allowed(tracked, source.url, base)
        key = f"{source.url}\0{rev}\0{base}\0{os.fsdecode(path)}"
        if key not in self._others:
            self._others[key] = self._open(source.url, rev, base=base, chain=(*self._chain, link))
        return self._others[key]

    def _base(self, tracked: Tracked, url: str) -> Path | None:
        """What a relative path starts from. DVC takes the directory that the user stood in, at import as at every
        later use (iterative/dvc#5875): the project's root most often, else the pointer's own directory."""
        local = self._access.repository.local
        if local is None:
            return None
        top = Path(os.path.abspath(local))
        root = top / os.fsdecode(self._root)
        beside = top / os.fsdecode(tracked.pointer.rpartition(b"/")[0])
        return beside if not (root / url).exists() and (beside / url).exists() else root

    def _require_allowed(self, tracked: Tracked, url: str, base: Path | None) -> None:
        """A repository that the user did not name by a path may lead to public ones only (formats §9)."""
        if self._access.own:
            return
        why = None
        host = host_of(url)
        if local_directory(url, base or Path(os.path.abspath(os.sep))) is not None or host is None:
            why = "a directory of this machine"
        elif host == host_of(self._access.repository.url):
            return
        elif "://" in url and url.partition("://")[0].lower() not in ("https", "ssh", "git+ssh"):
            why = f"the protocol {show(url.partition('://')[0])}://"
        elif is_private(host):
            why = "an address inside this network"
        if why is not None:
            shown = self._access.repository.shown
            raise UnsafeInput(
                f"{show_bytes(tracked.pointer)}: imported from {show(without_secrets(url))}, {why}, "
                "which another's repository may not name",
                hint=f"if you trust it: datatool registry add --trust NAME {shown}",
                path=url,
            )
