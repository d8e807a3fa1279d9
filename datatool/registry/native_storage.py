"""Where the bytes of a datatool project's artifacts are: its own cache where it lies on this machine, else the remotes
that its configuration names at the commit, or the one that the user typed, else the source of an import.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Final, Protocol

from msgspec import Struct

from datatool.cache.local import Cache
from datatool.config.keys import names
from datatool.errors import (
    DamageFound,
    DatatoolError,
    LocalError,
    PartlyDone,
    RemoteDenied,
    RemoteError,
    RemoteNotFound,
)
from datatool.formats.config_file import parse_config, split_key
from datatool.model.oid import ObjectId
from datatool.model.paths import show_bytes
from datatool.model.pointer import Pointer
from datatool.progress import Task
from datatool.registry.access import Access
from datatool.registry.own_cache import open_own_cache
from datatool.registry.view import View
from datatool.remote.locate import object_url
from datatool.remote.session import Remote
from datatool.remote.source import RemoteSource
from datatool.store.objects import Absent, ObjectSource, Wanted
from datatool.store.transfer import transfer

CONFIG: Final = b".datatool/config.yaml"
_CHUNK: Final = 65_536


class Followed(Protocol):
    """Another registry, at the commit that an import was taken from."""

    def copy(self, path: bytes, cache: Cache, task: Task) -> None:
        """Bring everything at a path into a cache, with the tree that it makes. Raises DatatoolError."""


Follow = Callable[[str, str | None, bytes], Followed]
"""Opens a repository as a pointer names it, at a commit; the last word is the directory of that pointer."""


class Artifact(Struct, frozen=True, kw_only=True):
    """What one pointer of the commit says, and where its data lies in the repository."""

    path: bytes
    pointer: Pointer


class NativeStorage:
    """Gets objects of the artifacts of one commit; they are never checked against anything but their ids."""

    def __init__(
        self, view: View, access: Access, *, memory_dir: Path, follow: Follow, config: Mapping[str, str] | None
    ) -> None:
        """See `NativeReader`."""
        self._view = view
        self._access = access
        self._memory_dir = memory_dir
        self._follow = follow
        self._now = config
        self._configs: dict[bytes, Mapping[str, str]] = {}
        self._sources: dict[tuple[bytes, str], RemoteSource] = {}
        self._opened: dict[tuple[bytes, str], tuple[Remote, str]] = {}
        self.own = open_own_cache(view)
        """The registry's own cache, where it lies on this machine."""

    def url(self, item: Artifact, oid: ObjectId, label: bytes) -> str:
        """Where an object lies as a file of its own, on the first remote that has it so."""
        failed: DatatoolError | None = None
        for name in self._remotes(item):
            try:
                remote, address = self._remote(item, name)
                return object_url(remote, address, oid, label=label)
            except DatatoolError as error:
                failed = failed or error
        assert failed is not None
        raise failed

    def have(self, item: Artifact, wanted: Sequence[Wanted], cache: Cache, task: Task) -> dict[ObjectId, DatatoolError]:
        """Bring what a cache lacks of an artifact's objects, from wherever it is; why the rest can't be had."""
        missing = cache.missing([want.oid for want in wanted]) if wanted else set()
        left = [want for want in wanted if want.oid in missing]
        here = len(wanted) - len(left)
        if here:
            task.advance(files=here, bytes=sum(want.size for want in wanted if want.oid not in missing))
        if left and self.own is not None:
            left = _moved(self.own, cache, left, task)
        failed: DatatoolError | None = None
        absent: list[Absent] = []
        label = ""
        try:
            names_to_ask = self._remotes(item) if left else []
        except RemoteNotFound as error:
            names_to_ask, failed = [], error
        for name in names_to_ask:
            try:
                source = self._source(item, name)
                label = f"its remote {name}" if name else "the remote that was named"
                absent = _absent_after(source, cache, left, task)
            except DatatoolError as error:
                failed = error
                continue
            failed = None
            left = [found.wanted for found in absent]
            if not left:
                break
        if left and item.pointer.source is not None and item.pointer.source.repo is not None:
            try:
                self._bring_from_source(item, cache, task)
            except DatatoolError as error:
                failed = failed or error
            missing = cache.missing([want.oid for want in left])
            left = [want for want in left if want.oid in missing]
        if not left:
            return {}
        if failed is not None:
            return dict.fromkeys((want.oid for want in left), failed)
        found_at_last = {found.wanted.oid: found for found in absent}
        return {want.oid: _absence(found_at_last.get(want.oid, Absent(want)), self._view, label) for want in left}

    def _bring_from_source(self, item: Artifact, cache: Cache, task: Task) -> None:
        """Have an import's objects here from where it was imported from, whole."""
        source = item.pointer.source
        assert source is not None and source.repo is not None
        other = self._follow(source.repo, source.commit, os.path.dirname(item.path))
        other.copy(os.fsencode(source.path or "."), cache, task)

    def _remotes(self, item: Artifact) -> list[str]:
        """The names of the remotes to ask, in order."""
        if self._access.given is not None:
            return [""]
        config = self._config(item.path)
        chosen = item.pointer.remote or config.get("remote")
        order = [*(names(config.get("read", "")) or ()), *([chosen] if chosen else [])]
        if not order:
            shown = self._view.repository.shown
            raise RemoteNotFound(
                f"{shown}: names no remote for {show_bytes(item.path)}",
                hint="--remote URL says where its data is",
                path=os.fsdecode(item.path),
            )
        return list(dict.fromkeys(order))

    def _source(self, item: Artifact, name: str) -> RemoteSource:
        key = (self._project_of(item.path), name)
        if key not in self._sources:
            remote, _ = self._remote(item, name)
            self._sources[key] = RemoteSource(remote, jobs=self._access.jobs)
        return self._sources[key]

    def _remote(self, item: Artifact, name: str) -> tuple[Remote, str]:
        """One of the remotes, open, and the address that others may know it by."""
        top = self._project_of(item.path)
        key = (top, name)
        if key not in self._opened:
            config = self._config(item.path)
            settings = {
                split_key(flat)[2]: value
                for flat, value in config.items()
                if flat.startswith("remotes.") and split_key(flat)[1:2] == (name,)
            }
            if self._access.given is None and "url" not in settings:
                raise RemoteNotFound(f"{self._view.repository.shown}: its configuration has no remote {name}")
            local = self._view.repository.local
            root = local / os.fsdecode(top) if local is not None else self._memory_dir
            if self._access.given is not None:
                root = Path.cwd()
            store = self._access.store(name, settings, root=root)
            remote = Remote(store, memory_dir=self._memory_dir, project=config.get("project", ""), name=name)
            remote.open()
            if remote.format is None:
                raise PartlyDone(
                    f"{show_bytes(item.path)}: {remote.label} is no datatool remote, or nothing was ever pushed there",
                    hint="whoever has the data runs datatool push; --remote URL reads it from elsewhere",
                    path=os.fsdecode(item.path),
                )
            self._opened[key] = remote, self._access.address(settings, root=root)
        return self._opened[key]

    def _project_of(self, path: bytes) -> bytes:
        """The directory of the project that an artifact belongs to: the nearest one with a configuration."""
        if self._now is not None:
            return b""
        parts = path.split(b"/")[:-1]
        tops = [b"/".join(parts[:depth]) for depth in range(len(parts), -1, -1)]
        found = self._view.find([below(top, CONFIG) for top in tops])
        return next((top for top in tops if below(top, CONFIG) in found), b"")

    def _config(self, path: bytes) -> Mapping[str, str]:
        if self._now is not None:
            return self._now
        top = self._project_of(path)
        if top not in self._configs:
            text = self._view.text(below(top, CONFIG))
            self._configs[top] = {} if text is None else parse_config(text, name=os.fsdecode(below(top, CONFIG)))
        return self._configs[top]


def _moved(source: ObjectSource, cache: Cache, wanted: Sequence[Wanted], task: Task) -> list[Wanted]:
    """What is still missing after a source gave what it has."""
    return [found.wanted for found in _absent_after(source, cache, wanted, task)]


def _absent_after(source: ObjectSource, cache: Cache, wanted: Sequence[Wanted], task: Task) -> list[Absent]:
    absent: list[Absent] = []
    for start in range(0, len(wanted), _CHUNK):
        with cache.writer() as writer:
            absent += transfer(source, writer, wanted[start : start + _CHUNK], progress_task=task).absent
    return absent


def _absence(absent: Absent, view: View, where: str) -> DatatoolError:
    want = absent.wanted
    path = os.fsdecode(want.label)
    what = f"{show_bytes(want.label)}: object {want.oid[:12]}…"
    place = where or "any place that is known"
    if isinstance(absent.refused, LocalError):
        return absent.refused
    if absent.refused is not None and not absent.damaged:
        kind = RemoteDenied if isinstance(absent.refused, RemoteDenied) else RemoteError
        return kind(f"{what} can't be read on {place}: {absent.refused.message}", hint=absent.refused.hint, path=path)
    if absent.damaged:
        return DamageFound(
            f"{what} is damaged at {place}; nothing wrong was kept",
            hint=f"whoever has the data of {view.repository.shown} runs datatool push, which heals it",
            path=path,
        )
    return PartlyDone(
        f"{what} is not on {place}",
        hint=f"whoever has the data of {view.repository.shown} runs datatool push; then run this again",
        path=path,
    )


def below(top: bytes, name: bytes) -> bytes:
    """A path inside a directory of the repository; `b""` is its top."""
    return top + b"/" + name if top else name
