"""Fetching from remotes: each is asked for what those before it do not have."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from datatool.cache.local import Cache
from datatool.errors import DatatoolError, FormatError, LocalError, RemoteError
from datatool.formats.tree_object import is_root, parse_root, read_tree
from datatool.model.oid import ObjectId, parse_oid
from datatool.model.paths import named
from datatool.model.pointer import ArtifactKind
from datatool.operations.failures import failure_of
from datatool.operations.fetching.lacking import transferred, what_is_refused
from datatool.operations.fetching.plan import Terms, Wish
from datatool.operations.remote_access import Connection, connect_to, named_in_hints
from datatool.operations.run_records import take_records
from datatool.operations.space import room_for
from datatool.operations.targets import not_found
from datatool.operations.transfer_result import Totals, Transferred
from datatool.operations.versions import Version
from datatool.progress import Spared, Task
from datatool.project.project import Project
from datatool.remote.damage import report_damage
from datatool.remote.known import remember_pushed
from datatool.remote.source import RemoteSource
from datatool.store.objects import Absent, Wanted
from datatool.store.transfer import transfer

_CHUNK = 65_536
"""Objects asked for at a time: bounds memory, and leaves enough to read packs as a whole."""
_Chunk = dict[ObjectId, list[tuple[Wish, Wanted]]]
"""Who wants an object, each by its own path; it is asked for as the first does."""


def from_each(
    project: Project,
    names: Sequence[str],
    wishes: Sequence[Wish],
    cached: Sequence[Version],
    terms: Terms,
    totals: Totals,
    asked: list[str],
    *,
    alone: bool,
) -> Iterator[tuple[Wish, Transferred]]:
    """Fetch from the first remote, and what it does not have from the next; what became of each wish.

    A remote that can't be used is passed over with a warning, unless it is the last one; `alone` raises its error.
    Those that answered are added to `asked`. `cached` are versions that are here: whether they are pushed is learned
    too.
    """
    left = list(wishes)
    for number, name in enumerate(names):
        last = number == len(names) - 1
        connection: Connection | None = None
        failed: DatatoolError | None = None
        try:
            connection = connect_to(project, name, offline=terms.offline, jobs=terms.jobs)
            try:
                with named_in_hints(name):
                    RemoteFetch(project, connection, left, terms, totals, cached=cached).run()
            finally:
                totals.requests += connection.store.requests
                totals.bytes += 0 if terms.dry_run else connection.store.bytes_in
            asked.append(name)
        except DatatoolError as error:
            if last and alone and len(left) == len(wishes):
                raise
            failed = error
            for wish in left:
                wish.error = wish.error or failure_of(error)
        again = [] if last else [wish for wish in left if failed is not None or wish.absent]
        if failed is not None and not last:
            terms.progress.warn(f"remote {name}: {failed.message}; asking {names[number + 1]} instead")
        for wish in left:
            if wish not in again:
                yield wish, transferred(wish, connection)
        refused = [item for wish in again for item in wish.absent if isinstance(item.refused, RemoteError)]
        if refused:
            what, _ = what_is_refused(refused, name)
            terms.progress.warn(f"{what}; asking {names[number + 1]} instead")
        for wish in again:
            wish.absent.clear()
            wish.error = None
        left = again
        if not left:
            return


class RemoteFetch:
    """Versions coming from one remote: first what lists them, then what is listed."""

    def __init__(
        self,
        project: Project,
        connection: Connection,
        wishes: Sequence[Wish],
        terms: Terms,
        totals: Totals,
        *,
        cached: Sequence[Version] = (),
    ) -> None:
        """`cached` are versions that are here: whether they are pushed is learned with the others."""
        self._project = project
        self._cached = cached
        self._cache: Cache = project.cache
        self._connection = connection
        self._wishes = wishes
        self._terms = terms
        self._totals = totals
        self._source: RemoteSource | None = None

    def run(self) -> None:
        """Fetch; each wish is left with what could not be had."""
        if self._terms.force:
            self._opened()
        self.run_lists()
        total = sum(wish.version.pointer.size or 0 for wish in self._wishes if not wish.version.within)
        files = sum(wish.version.pointer.files or 1 for wish in self._wishes if not wish.version.within)
        with self._terms.progress.task("fetching", bytes=total, files=files) as task:
            self._get(((wish, self._files(wish)) for wish in self._wishes), task)
        if self._terms.dry_run:
            return
        self._take_records()
        self._report_damage()
        stamp = self._cache.stamp()
        for wish in self._wishes:
            version = wish.version
            whole = not version.within and not wish.absent and wish.error is None
            if whole and version.pointer.kind is ArtifactKind.DIRECTORY and version.pointer.oid is not None:
                self._project.state.set_complete(version.pointer.oid, stamp)

    def _take_records(self) -> None:
        """Bring the records of the runs that made what was fetched; one that is not there is no failure."""
        sources = [wish.version.pointer.source for wish in self._wishes]
        named = {parse_oid(source.run) for source in sources if source is not None and source.run is not None}
        if self._source is not None and self._connection.remote.format is not None and named:
            oids = sorted(self._cache.missing(named))
            take_records(self._project, self._connection, self._source, oids, self._terms.progress)

    def run_lists(self) -> None:
        """Fetch only roots and pages of trees."""
        trees = [wish for wish in self._wishes if wish.version.pointer.kind is ArtifactKind.DIRECTORY]
        with self._terms.progress.task("fetching lists") as task:
            self._get(((wish, [_root(wish.version)]) for wish in trees), task, always=True)
            self._get(((wish, self._pages(wish)) for wish in trees), task, always=True)

    def _pages(self, wish: Wish) -> Iterator[Wanted]:
        oid = wish.version.pointer.oid
        assert oid is not None
        if wish.absent:
            return
        try:
            data = self._cache.load(oid)
            if is_root(data):
                for page in parse_root(data):
                    yield Wanted(page.oid, 0, wish.version.path, True)
        except KeyError:
            return
        except FormatError as error:
            wish.error = failure_of(error)

    def _files(self, wish: Wish) -> Iterator[Wanted]:
        version = wish.version
        oid = version.pointer.oid
        assert oid is not None
        if version.pointer.kind is ArtifactKind.FILE:
            if version.within:
                wish.error = failure_of(_no_such(self._project, version))
                return
            yield Wanted(oid, version.pointer.size or 0, version.path)
            return
        if wish.absent or wish.error is not None:
            return
        prefix = version.path + b"/"
        found = False
        try:
            for entry in read_tree(oid, self._cache.load, within=version.within):
                found = True
                if entry.oid is not None:
                    yield Wanted(entry.oid, entry.size, prefix + entry.path)
        except KeyError:
            return
        except FormatError as error:
            wish.error = failure_of(error)
        if version.within and not found:
            wish.error = failure_of(_no_such(self._project, version))

    def _get(self, wants: Iterable[tuple[Wish, Iterable[Wanted]]], task: Task, *, always: bool = False) -> None:
        """Fetch what wishes want and the cache lacks, in bounded chunks."""
        chunk: _Chunk = {}
        for wish, wanted in wants:
            for item in wanted:
                if item.oid in chunk:
                    if not always:
                        task.advance(bytes=Spared(item.size), files=1)
                    if chunk[item.oid][-1][0] is not wish:
                        chunk[item.oid].append((wish, item))
                    continue
                chunk[item.oid] = [(wish, item)]
                if len(chunk) >= _CHUNK:
                    self._get_chunk(chunk, task, always)
                    chunk = {}
        self._get_chunk(chunk, task, always)

    def _get_chunk(self, chunk: _Chunk, task: Task, always: bool) -> None:
        missing = self._cache.missing(list(chunk))
        if self._terms.force:
            self._check(chunk, missing)
        here = len(chunk) - len(missing)
        self._totals.skipped += here
        spared = Spared(sum(item.size for item in _each(chunk) if item.oid not in missing))
        task.advance(files=0 if always else here, bytes=spared)
        wanted = [item for item in _each(chunk) if item.oid in missing]
        if not wanted:
            return
        if self._terms.dry_run and not always:
            self._totals.objects += len(wanted)
            self._totals.bytes += sum(item.size for item in wanted)
            return
        source = self._opened()
        absent: Sequence[Absent] = [Absent(item) for item in wanted]
        if self._connection.remote.format is not None:  # else nobody has pushed there yet
            size = sum(item.size for item in wanted)
            names = ", ".join(sorted({named(wish.version.path) for some in chunk.values() for wish, _ in some}))
            if self._terms.early is not None:
                self._terms.early.expect(size)
            with (
                room_for(names, size, "the cache", self._cache.top),
                self._cache.writer(follower=self._terms.early) as writer,
            ):
                result = transfer(source, writer, wanted, progress_task=task)
            self._totals.objects += result.objects
            absent = result.absent
        for item in absent:
            for wish, asked in chunk[item.wanted.oid]:
                wish.absent.append(item._replace(wanted=asked))

    def _check(self, chunk: _Chunk, missing: set[ObjectId]) -> None:
        """Look at what the cache has by the trust rule; what is wrong is set aside, and then fetched."""
        for item in self._cache.checked([wanted for wanted in _each(chunk) if wanted.oid not in missing]):
            if isinstance(item, Absent):
                missing.add(item.wanted.oid)

    def _opened(self) -> RemoteSource:
        if self._source is None:
            remote = self._connection.remote
            remote.open()
            self._source = RemoteSource(remote, jobs=self._connection.jobs)
            self._remember_pushed()
        return self._source

    def _report_damage(self) -> None:
        """Say on the remote what was missing or wrong there, so that the next push of whoever has it heals it."""
        if self._source is None or not (self._source.suspects or self._connection.remote.damaged_records):
            return
        try:
            condemned = report_damage(self._connection.remote, self._source.suspects)
        except (RemoteError, LocalError) as error:
            self._terms.progress.warn(f"the damage could not be noted on the remote: {error.message}")
            return
        if condemned:
            self._terms.progress.hint(
                "the damage was noted on the remote; the next datatool push of whoever has the data heals it"
            )

    def _remember_pushed(self) -> None:
        """The remote was just read, so what it lists of these versions is known to be pushed."""
        remote = self._connection.remote
        live = {oid for _, oid in remote.state.live_roots()}
        versions = [*self._cached, *(wish.version for wish in self._wishes)]
        pushed = [version.pointer.oid for version in versions]
        remember_pushed(
            self._project.remotes_memory,
            self._connection.label,
            self._project.config.project or "",
            [oid for oid in pushed if oid is not None and oid in live],
            as_of=remote.now(),
        )


def _each(chunk: _Chunk) -> Iterator[Wanted]:
    """What is to be asked for, each object once."""
    return (some[0][1] for some in chunk.values())


def _root(version: Version) -> Wanted:
    assert version.pointer.oid is not None
    return Wanted(version.pointer.oid, 0, version.path, True)


def _no_such(project: Project, version: Version) -> DatatoolError:
    whole = version.path + b"/" + version.within
    return not_found(project, named(whole), whole)
