"""Data that another datatool project tracks: its pointers at one commit, and its objects.

Objects come from its own cache where it lies on this machine, else from the remotes that its configuration names at
that commit, or from the one that the user typed. They are never checked against anything but their ids.
"""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol

from datatool.cache.local import Cache
from datatool.config.keys import names
from datatool.errors import (
    DamageFound,
    DatatoolError,
    FormatError,
    PartlyDone,
    RemoteDenied,
    RemoteError,
    RemoteNotFound,
)
from datatool.formats.config_file import LIMIT, parse_config, split_key
from datatool.formats.pointer_file import is_pointer, parse_pointer
from datatool.formats.tree_object import is_root, parse_root, read_tree
from datatool.git.revision import POINTER_LIMIT, TreeFile
from datatool.model.entry import DIRECTORY, EXECUTABLE, FILE
from datatool.model.oid import ObjectId
from datatool.model.paths import PathRefused, check_escape, show_bytes
from datatool.model.pointer import ArtifactKind, Pointer
from datatool.progress import NOBODY, Task
from datatool.registry.access import Access
from datatool.registry.offer import Brought, Offer, Origin, Root
from datatool.registry.own_cache import open_own_cache
from datatool.registry.view import View
from datatool.remote.locate import object_url
from datatool.remote.session import Remote
from datatool.remote.source import RemoteSource
from datatool.store.objects import Absent, ObjectSource, Wanted
from datatool.store.transfer import transfer

SUFFIX: Final = b".dt"
FOLDER: Final = b".datatool"
CONFIG: Final = b".datatool/config.yaml"
_REGULAR: Final = (0o100644, 0o100755)
_SERVES: Final = frozenset({b".gitignore", b".gitattributes", b".gitmodules", b".datatoolignore"})
_CHUNK: Final = 65_536


class Followed(Protocol):
    """Another registry, at the commit that an import was taken from."""

    def copy(self, path: bytes, cache: Cache, task: Task) -> None:
        """Bring everything at a path into a cache, with the tree that it makes. Raises DatatoolError."""


Follow = Callable[[str, str | None, bytes], Followed]
"""Opens a repository as a pointer names it, at a commit; the last word is the directory of that pointer."""


@dataclass(frozen=True, kw_only=True, slots=True)
class _Artifact:
    path: bytes
    pointer: Pointer


class NativeReader:
    """Reads the pointers of one commit; `cache` is where lists of directories, and what is brought, are kept."""

    def __init__(
        self,
        view: View,
        access: Access,
        cache: Cache,
        *,
        memory_dir: Path,
        follow: Follow,
        config: Mapping[str, str] | None = None,
    ) -> None:
        """`memory_dir` keeps what is known of remotes; `follow` opens the registry that an import came from; `config`
        are settings by flat key to use instead of what the commit says: remotes move, and for this user's own project
        it is known where they are now."""
        self._view = view
        self._access = access
        self._cache = cache
        self._memory_dir = memory_dir
        self._follow = follow
        self._found: dict[bytes, list[_Artifact | Root]] = {}
        self._configs: dict[bytes, Mapping[str, str]] = {}
        self._now = config
        self._sources: dict[tuple[bytes, str], RemoteSource] = {}
        self._opened: dict[tuple[bytes, str], tuple[Remote, str]] = {}
        self._own = open_own_cache(view)

    # What there is

    def roots(self, within: bytes) -> Iterator[Root]:
        """The artifacts at, below or around a path."""
        for item in self._artifacts(within):
            if isinstance(item, Root):
                yield item
                continue
            pointer = item.pointer
            yield Root(
                path=item.path,
                directory=pointer.kind is ArtifactKind.DIRECTORY,
                origin=Origin.DATATOOL,
                size=pointer.size,
                files=pointer.files,
                oid=pointer.oid,
                executable=pointer.executable,
            )

    def pointer(self, path: bytes) -> Pointer | None:
        """What the pointer of the artifact at exactly this path says."""
        found = (item for item in self._artifacts(path) if isinstance(item, _Artifact) and item.path == path)
        return next((item.pointer for item in found), None)

    def offers(self, within: bytes) -> Iterator[Offer]:
        """Every data file, link and empty directory at or below a path."""
        artifacts = [item for item in self._artifacts(within) if isinstance(item, _Artifact)]
        problems = self._bring_lists(artifacts)
        for item in self._artifacts(within):
            if isinstance(item, Root):
                yield Offer(item.path, FILE, Origin.DATATOOL, problem=item.problem)
            elif item.path in problems:
                error = problems[item.path]
                yield _untold(item, error.message)._replace(error=error)
            else:
                yield from self._of_artifact(item, within)

    def _of_artifact(self, item: _Artifact, within: bytes) -> Iterator[Offer]:
        pointer = item.pointer
        if pointer.oid is None:
            yield _untold(item, "was imported without its data")
        elif pointer.kind is ArtifactKind.FILE:
            if len(within) <= len(item.path):
                kind = EXECUTABLE if pointer.executable else FILE
                yield Offer(item.path, kind, Origin.DATATOOL, size=pointer.size, oid=pointer.oid, handle=item)
        else:
            inside = within[len(item.path) + 1 :] if len(within) > len(item.path) else b""
            prefix = item.path + b"/"
            origin = Origin.DATATOOL
            try:
                if not pointer.files and not inside and not any(True for _ in read_tree(pointer.oid, self._load)):
                    yield Offer(item.path, DIRECTORY, Origin.DATATOOL, handle=item)
                for entry in read_tree(pointer.oid, self._load, within=inside):
                    size = entry.size if entry.kind != DIRECTORY else None
                    yield Offer(prefix + entry.path, entry.kind, origin, size, entry.oid, entry.target, None, item)
            except KeyError as error:
                yield _untold(item, f"its list is not to be had (object {error.args[0][:12]}…)")
            except FormatError as error:
                yield _untold(item, error.message)

    def hidden(self, path: bytes) -> bool:
        """Pointers, ignore lines and datatool's own folder."""
        parts = path.split(b"/")
        return parts[-1].endswith(SUFFIX) or parts[-1] in _SERVES or FOLDER in parts

    def _artifacts(self, within: bytes) -> list[_Artifact | Root]:
        if within not in self._found and b"" in self._found:
            self._found[within] = [item for item in self._found[b""] if _touches(item.path, within)]
        if within not in self._found:
            files = self._pointer_files(within)
            texts = self._view.read([*files, *self._configs_above(within)], limit=LIMIT)
            found: list[_Artifact | Root] = []
            tops: list[bytes] = []
            for file in files:
                text = texts.get(file.path)
                path = file.path[: -len(SUFFIX)]
                if (
                    text is None
                    or len(text) > POINTER_LIMIT
                    or not is_pointer(text)
                    or any(path.startswith(top) for top in tops[-1:])
                ):
                    continue
                try:
                    check_escape(path)
                    found.append(_Artifact(path=path, pointer=parse_pointer(text, name=os.fsdecode(file.path))))
                    tops.append(path + b"/")
                except PathRefused as error:
                    found.append(_broken(path, error.reason))
                except FormatError as error:
                    found.append(_broken(path, error.message))
            self._found[within] = found
        return self._found[within]

    def _configs_above(self, within: bytes) -> list[TreeFile]:
        """Configurations that may be needed soon: they come with the pointers, in one request."""
        parts = within.split(b"/") if within else []
        tops = [b"/".join(parts[:depth]) for depth in range(len(parts) + 1)]
        return list(self._view.find([_below(top, CONFIG) for top in tops]).values())

    def _pointer_files(self, within: bytes) -> list[TreeFile]:
        """The files that may be pointers of what is at, around or below a path."""
        parts = within.split(b"/") if within else []
        around = [b"/".join(parts[:depth]) + SUFFIX for depth in range(1, len(parts) + 1)]
        found = self._view.find([*around, within])
        direct = [found[path] for path in around if path in found and found[path].mode in _REGULAR]
        texts = self._view.read([*direct, *self._configs_above(within)], limit=LIMIT) if direct else {}
        if direct and is_pointer(texts.get(direct[0].path, b"")):
            return direct[:1]  # nothing inside an artifact is a pointer
        if within and within not in found:
            return direct
        below = (file for file in self._view.files(within) if file.path.endswith(SUFFIX) and file.mode in _REGULAR)
        return sorted({*direct, *below}, key=lambda file: file.path)

    # Where its bytes are

    def owns(self, offer: Offer) -> bool:
        """Whether an offer came from here."""
        return isinstance(offer.handle, _Artifact)

    def bring(self, offers: Sequence[Offer], cache: Cache, task: Task) -> Iterator[Brought]:
        """Have the objects of offers in a cache."""
        groups: dict[bytes, list[Offer]] = defaultdict(list)
        for offer in offers:
            assert isinstance(offer.handle, _Artifact)
            groups[offer.handle.path].append(offer)
        for group in groups.values():
            item = group[0].handle
            assert isinstance(item, _Artifact)
            wanted = {offer.oid: Wanted(offer.oid, offer.size or 0, offer.path) for offer in group if offer.oid}
            errors = self._have(item, list(wanted.values()), cache, task)
            for offer in group:
                if offer.oid is not None:
                    yield offer, errors.get(offer.oid, offer.oid)

    def url(self, offer: Offer) -> str:
        """Where the bytes of an offer lie as a file of their own, on the first remote that has them so."""
        item = offer.handle
        assert isinstance(item, _Artifact) and offer.oid is not None
        failed: DatatoolError | None = None
        for name in self._remotes(item):
            try:
                remote, address = self._remote(item, name)
                return object_url(remote, address, offer.oid, label=offer.path)
            except DatatoolError as error:
                failed = failed or error
        assert failed is not None
        raise failed

    def _bring_lists(self, artifacts: Sequence[_Artifact]) -> dict[bytes, DatatoolError]:
        """Have the lists of directories; why some can't be had, by artifact."""
        problems: dict[bytes, DatatoolError] = {}
        for item in artifacts:
            oid = item.pointer.oid
            if item.pointer.kind is not ArtifactKind.DIRECTORY or oid is None:
                continue
            try:
                self._have_list(item, [oid])
                data = self._load(oid)
                if is_root(data):
                    self._have_list(item, [page.oid for page in parse_root(data)])
            except KeyError:
                problems[item.path] = PartlyDone("its list is not to be had")
            except DatatoolError as error:
                problems[item.path] = error
        return problems

    def _have_list(self, item: _Artifact, oids: Sequence[ObjectId]) -> None:
        lacking = [oid for oid in self._cache.missing(oids) if self._own is None or not self._own.has_list(oid)]
        errors = self._have(item, [Wanted(oid, 0, item.path, True) for oid in lacking], self._cache, NOBODY)
        for error in errors.values():
            raise error

    def _load(self, oid: ObjectId) -> bytes:
        """A list, from this user's cache or the registry's own."""
        try:
            return self._cache.load(oid)
        except KeyError:
            if self._own is None:
                raise
            return self._own.load(oid)

    def _have(
        self, item: _Artifact, wanted: Sequence[Wanted], cache: Cache, task: Task
    ) -> dict[ObjectId, DatatoolError]:
        """Bring what a cache lacks of an artifact's objects, from wherever it is; why the rest can't be had."""
        missing = cache.missing([want.oid for want in wanted]) if wanted else set()
        left = [want for want in wanted if want.oid in missing]
        here = len(wanted) - len(left)
        if here:
            task.advance(files=here, bytes=sum(want.size for want in wanted if want.oid not in missing))
        if left and self._own is not None:
            left = _moved(self._own, cache, left, task)
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

    def _bring_from_source(self, item: _Artifact, cache: Cache, task: Task) -> None:
        """Have an import's objects here from where it was imported from, whole."""
        source = item.pointer.source
        assert source is not None and source.repo is not None
        other = self._follow(source.repo, source.commit, os.path.dirname(item.path))
        other.copy(os.fsencode(source.path or "."), cache, task)

    def _remotes(self, item: _Artifact) -> list[str]:
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

    def _source(self, item: _Artifact, name: str) -> RemoteSource:
        key = (self._project_of(item.path), name)
        if key not in self._sources:
            remote, _ = self._remote(item, name)
            self._sources[key] = RemoteSource(remote, jobs=self._access.jobs)
        return self._sources[key]

    def _remote(self, item: _Artifact, name: str) -> tuple[Remote, str]:
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
        found = self._view.find([_below(top, CONFIG) for top in tops])
        return next((top for top in tops if _below(top, CONFIG) in found), b"")

    def _config(self, path: bytes) -> Mapping[str, str]:
        if self._now is not None:
            return self._now
        top = self._project_of(path)
        if top not in self._configs:
            text = self._view.text(_below(top, CONFIG))
            self._configs[top] = {} if text is None else parse_config(text, name=os.fsdecode(_below(top, CONFIG)))
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


def _untold(item: _Artifact, why: str) -> Offer:
    kind = DIRECTORY if item.pointer.kind is ArtifactKind.DIRECTORY else FILE
    return Offer(
        item.path, kind, Origin.DATATOOL, size=item.pointer.size, oid=item.pointer.oid, problem=why, handle=item
    )


def _touches(path: bytes, within: bytes) -> bool:
    """Whether a path is at, below or around another."""
    return path == within or path.startswith(within + b"/") or within.startswith(path + b"/")


def _broken(path: bytes, why: str) -> Root:
    return Root(path=path, directory=False, origin=Origin.DATATOOL, problem=why)


def _below(top: bytes, name: bytes) -> bytes:
    return top + b"/" + name if top else name
