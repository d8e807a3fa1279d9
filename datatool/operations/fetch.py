"""Remote → cache: what the pointers name and this machine lacks."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from datatool.cache.local import Cache
from datatool.errors import (
    DamageFound,
    DatatoolError,
    FormatError,
    LocalError,
    PartlyDone,
    PathNotFound,
    RemoteError,
    RemoteNotFound,
)
from datatool.formats.tree_object import is_root, parse_root, read_tree
from datatool.model.oid import ObjectId, parse_oid
from datatool.model.paths import named
from datatool.model.pointer import ArtifactKind
from datatool.model.urls import without_secrets
from datatool.operations.cached import is_cached
from datatool.operations.failures import Failure, failure_of
from datatool.operations.push import one_per_path, own_remote_missing
from datatool.operations.reach import Reach
from datatool.operations.remote_access import Connection, connect_to, named_in_hints, not_readable
from datatool.operations.remote_names import read_order, remote_name
from datatool.operations.restore import can_be_restored, restore_import
from datatool.operations.run_records import take_records
from datatool.operations.scope import Scope
from datatool.operations.space import room_for
from datatool.operations.targets import name_of, not_found
from datatool.operations.transfer_result import Totals, Transferred, TransferResult
from datatool.operations.versions import Version, versions
from datatool.progress import SILENT, Progress, Spared, Task
from datatool.project.project import Project
from datatool.remote.damage import report_damage
from datatool.remote.known import remember_pushed
from datatool.remote.source import RemoteSource
from datatool.store.objects import Absent, Wanted
from datatool.store.transfer import transfer

__all__ = ["TransferResult", "Transferred", "fetch"]

_CHUNK = 65_536
"""Objects asked for at a time: bounds memory, and leaves enough to read packs as a whole."""


@dataclass(slots=True)
class _Wish:
    """One version on its way here."""

    version: Version
    may_stay: bool = False
    """It is never pushed, and nobody asked for it by name: no remote needs to have it."""
    absent: list[Absent] = field(default_factory=list)
    error: Failure | None = None


def fetch(
    project: Project,
    targets: Sequence[str] = (),
    *,
    cwd: Path,
    remote: str | None = None,
    scope: Scope | None = None,
    force: bool = False,
    dry_run: bool = False,
    jobs: int | None = None,
    offline: bool = False,
    lacking: Sequence[DatatoolError] = (),
    progress: Progress = SILENT,
) -> TransferResult:
    """Get what the cache lacks of the versions meant; the remote isn't asked when it lacks nothing.

    One failing artifact does not stop the others: see each one's `error`; `lacking` are errors to tell among them.
    `force` looks for every object in the cache instead of trusting the memory that all were there. Raises PathNotFound,
    RemoteNotFound, RemoteError.

    >>> fetch(project, ["data/songs"], cwd=Path.cwd()).objects  # doctest: +SKIP
    10001
    """
    if remote is not None:
        remote_name(project, remote)
    chosen, broken = versions(project, targets, cwd, scope or Scope())
    return fetch_versions(
        project,
        chosen,
        [Transferred(path=name_of(error), ok=False, error=failure_of(error)) for error in (*broken, *lacking)],
        by_name=bool(targets),
        remote=remote,
        force=force,
        dry_run=dry_run,
        jobs=jobs,
        offline=offline,
        progress=progress,
    )


def fetch_versions(
    project: Project,
    chosen: Sequence[Version],
    failed: Sequence[Transferred] = (),
    *,
    by_name: bool = True,
    remote: str | None = None,
    force: bool = False,
    dry_run: bool = False,
    jobs: int | None = None,
    offline: bool = False,
    progress: Progress = SILENT,
) -> TransferResult:
    """Get what the cache lacks of some versions, which no pointer has to name; `failed` joins the results. Not
    `by_name`, nobody asked for these in particular: what is never pushed may stay where it is."""
    results: list[Transferred] = list(failed)
    totals = Totals()
    from_source: list[Version] = []
    groups: dict[tuple[str, ...], list[_Wish]] = {}
    cached: list[ObjectId] = []
    stamp = project.cache.stamp()
    for version in chosen:
        if version.pointer.oid is None:
            missing = PathNotFound(
                f"{named(version.path)}: was imported without its data",
                hint=f"datatool update {named(version.path)} downloads it",
            )
            results.append(Transferred(path=version.name, ok=False, error=failure_of(missing)))
        elif not force and not version.within and is_cached(project.cache, project.state, version.pointer, stamp=stamp):
            cached.append(version.pointer.oid)
            totals.skipped += (version.pointer.files or 0) + 1
            results.append(Transferred(path=version.name, ok=True))
        else:
            try:
                order = read_order(project, remote, version.pointer)
            except RemoteNotFound as error:
                if remote is None and can_be_restored(version.pointer):
                    from_source.append(version)
                else:
                    results.append(own_remote_missing(version, remote, error))
                continue
            wish = _Wish(version, may_stay=not by_name and not version.pointer.push)
            groups.setdefault(order, []).append(wish)
    asked: list[str] = []
    for names, wishes in groups.items():
        alone = len(groups) == 1 and not results
        alone = alone and not any(can_be_restored(wish.version.pointer) for wish in wishes)
        for wish, item in _from_each(
            project, names, wishes, cached, totals, asked, alone, force, dry_run, jobs, offline, progress
        ):
            if not item.ok and remote is None and can_be_restored(wish.version.pointer):
                from_source.append(wish.version)
            else:
                results.append(item)
    reach = Reach(offline=offline, jobs=jobs)
    for version in from_source:
        source = version.pointer.source
        results.append(_from_source(project, version, reach, totals, dry_run=dry_run, progress=progress))
        if results[-1].ok:
            asked.append(without_secrets((source.repo or source.url or "") if source is not None else ""))
    for item in results:
        if item.stays:
            progress.hint(f"{item.path}: stays on the machine that has it (push: false)")
    return TransferResult(
        remote=", ".join(sorted(set(asked))) or remote or project.config.default_remote or "",
        artifacts=one_per_path(results),
        objects=totals.objects,
        bytes=totals.bytes,
        skipped_objects=totals.skipped,
        requests=totals.requests,
        dry_run=dry_run,
    )


def fetch_lists(
    project: Project, wanted: Sequence[Version], *, remote: str | None = None, offline: bool = False
) -> None:
    """Get only what lists the content of directories, for those who want to look before they download.

    What `remote`, or the first that would be read from, does not have is left out. Raises RemoteNotFound, RemoteError.
    """
    groups: dict[str, list[_Wish]] = {}
    for version in wanted:
        groups.setdefault(read_order(project, remote, version.pointer)[0], []).append(_Wish(version))
    for name, wishes in groups.items():
        connection = connect_to(project, name, offline=offline)
        _Fetch(project, connection, wishes, Totals(), SILENT, force=False, dry_run=False).run_lists()


def _from_each(
    project: Project,
    names: Sequence[str],
    wishes: Sequence[_Wish],
    cached: Sequence[ObjectId],
    totals: Totals,
    asked: list[str],
    alone: bool,
    force: bool,
    dry_run: bool,
    jobs: int | None,
    offline: bool,
    progress: Progress,
) -> Iterator[tuple[_Wish, Transferred]]:
    """Fetch from the first remote, and what it does not have from the next; what became of each wish.

    A remote that can't be used is passed over with a warning, unless it is the last one; `alone` raises its error.
    """
    left = list(wishes)
    for number, name in enumerate(names):
        last = number == len(names) - 1
        connection: Connection | None = None
        failed: DatatoolError | None = None
        try:
            connection = connect_to(project, name, offline=offline, jobs=jobs)
            try:
                with named_in_hints(name):
                    _Fetch(
                        project, connection, left, totals, progress, force=force, dry_run=dry_run, cached=cached
                    ).run()
            finally:
                totals.requests += connection.store.requests
                totals.bytes += 0 if dry_run else connection.store.bytes_in
            asked.append(name)
        except DatatoolError as error:
            if last and alone and len(left) == len(wishes):
                raise
            failed = error
            for wish in left:
                wish.error = wish.error or failure_of(error)
        again = [] if last else [wish for wish in left if failed is not None or wish.absent]
        if failed is not None and not last:
            progress.warn(f"remote {name}: {failed.message}; asking {names[number + 1]} instead")
        for wish in left:
            if wish not in again:
                yield wish, _transferred(wish, connection)
        refused = [item for wish in again for item in wish.absent if isinstance(item.refused, RemoteError)]
        if refused:
            what, _ = _what_is_refused(refused, name)
            progress.warn(f"{what}; asking {names[number + 1]} instead")
        for wish in again:
            wish.absent.clear()
            wish.error = None
        left = again
        if not left:
            return


def _from_source(
    project: Project, version: Version, reach: Reach, totals: Totals, *, dry_run: bool, progress: Progress
) -> Transferred:
    """Get an import from where it came, at the commit that its pointer names: no remote of this project has it."""
    if dry_run:
        totals.objects += version.pointer.files or 1
        totals.bytes += version.pointer.size or 0
        return Transferred(path=version.name, ok=True)
    try:
        restore_import(project, version.path, version.pointer, environ=os.environ, reach=reach, progress=progress)
    except DatatoolError as error:
        if not error.message.startswith(named(version.path)):
            error.message = f"{named(version.path)}: {error.message}"
        return Transferred(path=version.name, ok=False, error=failure_of(error), at_source=True)
    totals.objects += version.pointer.files or 1
    totals.bytes += version.pointer.size or 0
    return Transferred(path=version.name, ok=True)


class _Fetch:
    """Versions coming from one remote: first what lists them, then what is listed."""

    def __init__(
        self,
        project: Project,
        connection: Connection,
        wishes: Sequence[_Wish],
        totals: Totals,
        progress: Progress,
        *,
        force: bool,
        dry_run: bool,
        cached: Sequence[ObjectId] = (),
    ) -> None:
        """`cached` are versions that are here: whether they are pushed is learned with the others."""
        self._project = project
        self._cached = cached
        self._cache: Cache = project.cache
        self._connection = connection
        self._wishes = wishes
        self._totals = totals
        self._progress = progress
        self._force = force
        self._dry_run = dry_run
        self._source: RemoteSource | None = None

    def run(self) -> None:
        """Fetch; each wish is left with what could not be had."""
        if self._force:
            self._opened()
        self.run_lists()
        total = sum(wish.version.pointer.size or 0 for wish in self._wishes if not wish.version.within)
        files = sum(wish.version.pointer.files or 1 for wish in self._wishes if not wish.version.within)
        with self._progress.task("fetching", bytes=total, files=files) as task:
            self._get(((wish, self._files(wish)) for wish in self._wishes), task)
        if self._dry_run:
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
            take_records(self._cache, self._source, sorted(self._cache.missing(named)))

    def run_lists(self) -> None:
        """Fetch only roots and pages of trees."""
        trees = [wish for wish in self._wishes if wish.version.pointer.kind is ArtifactKind.DIRECTORY]
        with self._progress.task("fetching lists") as task:
            self._get(((wish, [_root(wish.version)]) for wish in trees), task, always=True)
            self._get(((wish, self._pages(wish)) for wish in trees), task, always=True)

    def _pages(self, wish: _Wish) -> Iterator[Wanted]:
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

    def _files(self, wish: _Wish) -> Iterator[Wanted]:
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

    def _get(self, wants: Iterable[tuple[_Wish, Iterable[Wanted]]], task: Task, *, always: bool = False) -> None:
        """Fetch what wishes want and the cache lacks, in bounded chunks."""
        chunk: dict[ObjectId, tuple[Wanted, list[_Wish]]] = {}
        for wish, wanted in wants:
            for item in wanted:
                if item.oid in chunk:
                    if not always:
                        task.advance(bytes=Spared(item.size), files=1)
                    if chunk[item.oid][1][-1] is not wish:
                        chunk[item.oid][1].append(wish)
                    continue
                chunk[item.oid] = (item, [wish])
                if len(chunk) >= _CHUNK:
                    self._get_chunk(chunk, task, always)
                    chunk = {}
        self._get_chunk(chunk, task, always)

    def _get_chunk(self, chunk: dict[ObjectId, tuple[Wanted, list[_Wish]]], task: Task, always: bool) -> None:
        missing = self._cache.missing(list(chunk))
        if self._force:
            self._check(chunk, missing)
        here = len(chunk) - len(missing)
        self._totals.skipped += here
        spared = Spared(sum(wanted.size for wanted, _ in chunk.values() if wanted.oid not in missing))
        task.advance(files=0 if always else here, bytes=spared)
        wanted = [item for item, _ in chunk.values() if item.oid in missing]
        if not wanted:
            return
        if self._dry_run and not always:
            self._totals.objects += len(wanted)
            self._totals.bytes += sum(item.size for item in wanted)
            return
        source = self._opened()
        absent: Sequence[Absent] = [Absent(item) for item in wanted]
        if self._connection.remote.format is not None:  # else nobody has pushed there yet
            size = sum(item.size for item in wanted)
            names = ", ".join(sorted({named(wish.version.path) for _, wishes in chunk.values() for wish in wishes}))
            with room_for(names, size, "the cache", self._cache.top), self._cache.writer() as writer:
                result = transfer(source, writer, wanted, progress_task=task)
            self._totals.objects += result.objects
            absent = result.absent
        for item in absent:
            for wish in chunk[item.wanted.oid][1]:
                wish.absent.append(item)

    def _check(self, chunk: dict[ObjectId, tuple[Wanted, list[_Wish]]], missing: set[ObjectId]) -> None:
        """Look at what the cache has by the trust rule; what is wrong is set aside, and then fetched."""
        for item in self._cache.checked([wanted for wanted, _ in chunk.values() if wanted.oid not in missing]):
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
            self._progress.warn(f"the damage could not be noted on the remote: {error.message}")
            return
        if condemned:
            self._progress.hint(
                "the damage was noted on the remote; the next datatool push of whoever has the data heals it"
            )

    def _remember_pushed(self) -> None:
        """The remote was just read, so what it lists of these versions is known to be pushed."""
        remote = self._connection.remote
        live = {oid for _, oid in remote.state.live_roots()}
        pushed = [*self._cached, *(wish.version.pointer.oid for wish in self._wishes)]
        remember_pushed(
            self._project.remotes_memory,
            self._connection.label,
            self._project.config.project or "",
            [oid for oid in pushed if oid is not None and oid in live],
            as_of=remote.now(),
        )


def _root(version: Version) -> Wanted:
    assert version.pointer.oid is not None
    return Wanted(version.pointer.oid, 0, version.path, True)


def _no_such(project: Project, version: Version) -> DatatoolError:
    whole = version.path + b"/" + version.within
    return not_found(project, named(whole), whole)


def _transferred(wish: _Wish, connection: Connection | None) -> Transferred:
    """What became of a wish at the remote that was asked last; None for one that could not be connected to."""
    name = wish.version.name
    if wish.error is not None:
        return Transferred(path=name, ok=False, error=wish.error)
    if not wish.absent or connection is None:
        return Transferred(path=name, ok=True)
    if wish.may_stay and not any(item.damaged or item.refused for item in wish.absent):
        return Transferred(path=name, ok=True, stays=True)
    return Transferred(path=name, ok=False, error=failure_of(_what_is_absent(wish.absent, connection)))


def _what_is_absent(absent: Sequence[Absent], connection: Connection) -> DatatoolError:
    remote = connection.remote
    what, path = _objects(absent)
    heals = (
        "whoever has the data runs datatool push, which heals it; then run this again"
        if remote.store.capabilities.write
        else "a fresh clone that pulls from the remote behind that address notes the damage there; "
        "then a datatool push of whoever has the data heals it, as does datatool push --verify at once"
    )
    if any(item.damaged for item in absent):
        return DamageFound(
            f"{what} on the remote {connection.name} is damaged; nothing wrong was kept",
            hint=heals,
            path=path,
        )
    local = [item.refused for item in sorted(absent, key=_label) if isinstance(item.refused, LocalError)]
    if local:
        return local[0]
    refused = [item for item in absent if item.refused is not None]
    if refused:
        message, cause = _what_is_refused(refused, connection.name)
        alone = len(refused) == len(absent)
        return not_readable(message, cause, connection.name, alone=alone, path=_objects(refused)[1])
    if remote.format is None:
        return PartlyDone(
            f"{what} is not on the remote {connection.name}: nothing was ever pushed to {remote.label}",
            hint="check that address; whoever has the data runs datatool push; then run this again",
            path=path,
        )
    if remote.damaged_records:
        return DamageFound(
            f"{what} can't be found on the remote {connection.name}: {remote.damaged_records[0]} is damaged or gone",
            hint=heals
            if remote.damaged_records[0] in remote.state.condemned
            else "whoever has the data runs datatool push --verify, which heals it; then run this again",
            path=path,
        )
    return PartlyDone(
        f"{what} is not on the remote {connection.name}",
        hint="whoever has the data runs datatool push (or push --verify); then run this again",
        path=path,
    )


def _what_is_refused(refused: Sequence[Absent], remote: str) -> tuple[str, RemoteError]:
    """What a remote has and does not let read, in words, and the error that it gave for the first."""
    cause = min(refused, key=_label).refused
    assert isinstance(cause, RemoteError)
    return f"{_objects(refused)[0]} can't be read on the remote {remote}: {cause.message}", cause


def _objects(absent: Sequence[Absent]) -> tuple[str, str]:
    """Objects in words: their paths, and the id of the first; and the first path."""
    labels = sorted({_label(item) for item in absent})
    shown = ", ".join(named(label) for label in labels[:5]) + (
        f" and {len(labels) - 5} more" if len(labels) > 5 else ""
    )
    oid = min(absent, key=_label).wanted.oid
    return f"{shown}: object {oid[:12]}…", labels[0].decode("utf-8", "surrogateescape")


def _label(item: Absent) -> bytes:
    return item.wanted.label
