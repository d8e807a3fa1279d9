"""What a DVC project offers at a commit, and how its bytes come here: the reader for `Origin.DVC`."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

from msgspec.structs import replace

from datatool.cache.local import Cache
from datatool.errors import DatatoolError, FormatError, UrlNotFound
from datatool.formats.dvc_file import DvcOut, Md5
from datatool.formats.dvc_listing import LISTING_LIMIT, Listed, check_paths, parse_listing
from datatool.localfs.atomic import make_dirs
from datatool.model.entry import DIRECTORY, EXECUTABLE, FILE
from datatool.model.oid import ObjectId
from datatool.model.paths import show_bytes
from datatool.progress import Task
from datatool.registry.access import Access
from datatool.registry.dvc.bring import Bringing, Followed, Stored
from datatool.registry.dvc.imports import Imports, OpenOther
from datatool.registry.dvc.levels import dvc_directory, read_levels
from datatool.registry.dvc.memory import Known, Md5Memory
from datatool.registry.dvc.pointers import Pointers, Tracked
from datatool.registry.dvc.roots import SERVING, is_within
from datatool.registry.dvc.settings import DvcSettings
from datatool.registry.dvc.storage import Large, Place, Storage
from datatool.registry.offer import Brought, Offer, Origin, Root
from datatool.registry.view import View


class DvcReader:
    """Understands the DVC project at `root` (raw bytes, `b""` the repository's top) of one commit.

    reader = DvcReader(view, b"", access, cache=cache, memory=Md5Memory(path), environ=os.environ)
    offers = list(reader.offers(b"music"))
    """

    def __init__(
        self,
        view: View,
        root: bytes,
        access: Access,
        *,
        cache: Cache,
        memory: Md5Memory,
        environ: Mapping[str, str],
        open_other: OpenOther | None = None,
        chain: tuple[str, ...] = (),
    ) -> None:
        """`cache` keeps the lists of directories; `memory` which object has which md5; `environ` says where this user's
        DVC configuration lies. `open_other` opens the repositories that imports came from, and `chain` is what it was
        given when this one was opened by it."""
        self._view = view
        self.root = root
        """Where the project lies in the repository."""
        self._access = access
        self._cache = cache
        self._memory = memory
        self._environ = environ
        self._registry = os.fspath(access.repository.git_dir)
        self._pointers = Pointers(view, root)
        self._imports = Imports(access, root, open_other, chain)
        self._storage: Storage | None = None
        self._lists: dict[Md5, list[Listed] | bytes | DatatoolError] = {}

    # What is offered

    def roots(self, within: bytes) -> Iterator[Root]:
        """The tracked files and directories at, below or around a path."""
        found = self._pointers.find(within)
        single = [item.out.md5 for item in found if item.out is not None and item.out.md5 is not None]
        known = self._memory.known(self._registry, [md5 for md5 in single if not md5.directory])
        for item in found:
            out = item.out or DvcOut(path="")
            object_ = known.get(out.md5) if out.md5 is not None else None
            yield Root(
                path=item.path,
                directory=item.directory,
                origin=Origin.DVC,
                size=out.size if object_ is None else object_.size,
                files=out.files if out.listed is None else len(out.listed),
                oid=None if object_ is None else object_.oid,
                executable=out.executable,
                problem=item.problem,
            )

    def offers(self, within: bytes) -> Iterator[Offer]:
        """Every data file and empty directory at or below a path, sorted."""
        found: list[Offer] = []
        pointers = self._pointers.find(within)
        try:
            self._bring_lists(pointers)
        except FormatError as error:  # the configuration does not read: nothing can be fetched
            yield from (self._problem(tracked, error) for tracked in pointers)
            return
        for tracked in pointers:
            found += self._offered(tracked, within)
        found.sort(key=lambda offer: (offer.path, offer.problem is not None))
        for before, offer in zip([None, *found], found, strict=False):
            if before is None or before.path != offer.path:
                yield offer

    def hidden(self, path: bytes) -> bool:
        """Whether a git-tracked file only serves DVC here: a pointer, a lock, its configuration, ignore lines."""
        if not is_within(path, self.root):
            return False
        names = path[len(self.root) :].lstrip(b"/").split(b"/")
        if b".dvc" in names[:-1] or names[-1] in SERVING:
            return True
        return self._pointers.is_pointer(path)

    def owns(self, offer: Offer) -> bool:
        """Whether an offer came from here: a repository may have several projects of DVC's."""
        return isinstance(offer.handle, Stored | Followed) and offer.handle.owner is self

    def url(self, offer: Offer) -> str:
        """Where the bytes of an offer lie as a file of their own."""
        if isinstance(offer.handle, Stored):
            return self._store().url(offer.handle.place)
        raise UrlNotFound(
            f"{show_bytes(offer.path)}: was imported from another repository, which has its data",
            hint="datatool.open and datatool.path read it",
            path=os.fsdecode(offer.path),
        )

    def bring(self, offers: Sequence[Offer], cache: Cache, task: Task) -> Iterator[Brought]:
        """Have the bytes of this reader's offers in a cache, each checked by its md5."""
        return self._bringing().bring(offers, cache, task)

    def lacking(self, offers: Sequence[Offer], cache: Cache) -> dict[bytes, DatatoolError]:
        """Why some of this reader's offers could not be brought into a cache from the project's storage, by path; no
        bytes are read, so that damage is not seen."""
        found: dict[bytes, DatatoolError] = {}
        missing = cache.missing([offer.oid for offer in offers if offer.oid is not None])
        for offer in offers:
            if isinstance(offer.handle, Stored) and (offer.oid is None or offer.oid in missing):
                try:
                    self._store().require(offer.handle.place)
                except DatatoolError as error:
                    found[offer.path] = error
        return found

    # One tracked thing

    def _offered(self, tracked: Tracked, within: bytes) -> Iterator[Offer]:
        out = tracked.out
        try:
            if tracked.problem is not None or out is None:
                yield self._problem(tracked, tracked.error or tracked.problem or "DVC says nothing of it")
            elif out.listed is not None:
                yield from self._listed(tracked, out, within)
            elif out.md5 is None:
                yield from self._imported(tracked, within)
            elif out.md5.directory:
                yield from self._directory(tracked, out.md5, within)
            elif is_within(tracked.path, within):
                yield from self._files(tracked, [(tracked.path, out.md5, out.size, out.executable)])
        except DatatoolError as error:
            yield self._problem(tracked, error)

    def _directory(self, tracked: Tracked, md5: Md5, within: bytes) -> Iterator[Offer]:
        try:
            entries = self._list(tracked, md5)
        except FormatError:
            raise
        except DatatoolError:
            if not self._imports.can_follow(tracked):
                raise
            yield from self._imported(tracked, within)
            return
        if not entries and is_within(tracked.path, within):
            yield Offer(path=tracked.path, kind=DIRECTORY, origin=Origin.DVC)
        files = ((tracked.path + b"/" + path, digits) for path, digits in entries)
        yield from self._files(
            tracked,
            [
                (path, Md5(digits=digits, legacy=md5.legacy), None, False)
                for path, digits in files
                if is_within(path, within)
            ],
        )

    def _listed(self, tracked: Tracked, out: DvcOut, within: bytes) -> Iterator[Offer]:
        """A directory whose list stands in its pointer, its files stored by name in a remote that keeps versions."""
        assert out.listed is not None
        listed = sorted((file.path.encode("utf-8", "surrogateescape"), file) for file in out.listed)
        check_paths((path for path, _ in listed), name=os.fsdecode(tracked.path))
        if not listed and is_within(tracked.path, within):
            yield Offer(path=tracked.path, kind=DIRECTORY, origin=Origin.DVC)
        for inner, file in listed:
            path = tracked.path + b"/" + inner
            if is_within(path, within):
                one = replace(out, version=file.version)
                rows = [(path, file.md5, file.size, file.executable)]
                yield from self._files(replace(tracked, out=one), rows)

    def _imported(self, tracked: Tracked, within: bytes) -> Iterator[Offer]:
        if not self._imports.can_follow(tracked):
            yield self._problem(tracked, "an import whose content was never recorded")
            return
        for path, (other, offer) in self._imports.offers(tracked).items():
            if is_within(path, within):
                handle = Followed(owner=self, other=other, offer=offer)
                yield offer._replace(path=path, origin=Origin.DVC, handle=handle)

    def _files(self, tracked: Tracked, rows: Sequence[tuple[bytes, Md5, int | None, bool]]) -> Iterator[Offer]:
        known = self._memory.known(self._registry, [md5 for _, md5, _, _ in rows])
        for path, md5, size, executable in rows:
            object_ = known.get(md5)
            yield Offer(
                path=path,
                kind=EXECUTABLE if executable else FILE,
                origin=Origin.DVC,
                size=size if object_ is None else object_.size,
                oid=None if object_ is None else object_.oid,
                handle=Stored(owner=self, place=self._place(tracked, path, md5, size), tracked=tracked),
                ident=f"md5:{md5.digits}",
            )

    def _place(self, tracked: Tracked, path: bytes, md5: Md5, size: int | None) -> Place:
        out = tracked.out
        assert out is not None
        if out.version is None:
            return Place(md5=md5, remote=out.remote, label=path, size=size)
        name = path[len(self.root) :].lstrip(b"/")
        return Place(
            md5=md5,
            remote=out.version.remote,
            label=path,
            size=size,
            versioned=name.decode("utf-8", "surrogateescape"),
            version=out.version.id,
        )

    def _problem(self, tracked: Tracked, problem: str | DatatoolError) -> Offer:
        error = problem if isinstance(problem, DatatoolError) else None
        text = problem.message if isinstance(problem, DatatoolError) else problem
        return Offer(path=tracked.path, kind=DIRECTORY, origin=Origin.DVC, problem=text, error=error)

    # Lists of directories

    def _list(self, tracked: Tracked, md5: Md5) -> list[Listed]:
        """The list of a directory. Raises DatatoolError."""
        if md5 not in self._lists:
            self._bring_lists([tracked])
        data = self._lists[md5]
        if isinstance(data, DatatoolError):
            raise data
        if isinstance(data, bytes):
            data = self._lists[md5] = parse_listing(data, name=os.fsdecode(tracked.path))
        return data

    def _bring_lists(self, found: Sequence[Tracked]) -> None:
        """Have the lists of directories here: from our cache, else from their storage, several at a time, and then
        kept."""
        wanted = {
            item.out.md5: Place(md5=item.out.md5, remote=item.out.remote, label=item.path)
            for item in found
            if item.problem is None and item.out is not None and item.out.md5 is not None and item.out.listed is None
        }
        todo = [place for md5, place in wanted.items() if md5.directory and md5 not in self._lists]
        known = self._memory.known(self._registry, [place.md5 for place in todo])
        for md5, object_ in known.items():
            try:
                self._lists[md5] = self._cache.load(object_.oid)
            except KeyError:
                continue
        todo = [place for place in todo if place.md5 not in self._lists]
        if not todo:
            return
        fresh: list[tuple[Md5, ObjectId, bytes]] = []
        storage = self._store()
        with ThreadPoolExecutor(max_workers=max(1, self._access.jobs), thread_name_prefix="dvc-lists") as pool:
            for place, result in zip(todo, pool.map(partial(_fetched_list, storage), todo), strict=True):
                self._lists[place.md5] = result if isinstance(result, DatatoolError) else result[1]
                if not isinstance(result, DatatoolError):
                    fresh.append((place.md5, *result))
        self._cache.keep((oid, data) for _, oid, data in fresh)
        self._memory.learn(self._registry, [(md5, Known(oid, len(data))) for md5, oid, data in fresh])

    # Storage

    def _store(self) -> Storage:
        if self._storage is None:
            settings = DvcSettings(
                levels=read_levels(self._view, self.root, self._environ),
                own=self._access.own,
                shown=self._access.repository.shown,
            )
            cache = settings.cache(dvc_directory(self._view, self.root))
            self._storage = Storage(access=self._access, settings=settings, cache=cache, scratch=self._scratch)
        return self._storage

    def _scratch(self) -> Path:
        directory = self._cache.top / "tmp"
        make_dirs(directory, like=self._cache.top)
        return directory

    def _bringing(self) -> Bringing:
        return Bringing(
            storage=self._store(),
            imports=self._imports,
            memory=self._memory,
            registry=self._registry,
            jobs=self._access.jobs,
        )


def _fetched_list(storage: Storage, place: Place) -> tuple[ObjectId, bytes] | DatatoolError:
    """The list of a directory out of its storage, its md5 checked; or why there is none."""
    try:
        found = storage.fetch(place)
    except DatatoolError as error:
        return error
    try:
        if found.size > LISTING_LIMIT:
            return FormatError(f"{show_bytes(place.label)}: the list of the directory is too large")
        return found.oid, found.read() if isinstance(found, Large) else found.data
    finally:
        found.discard()
