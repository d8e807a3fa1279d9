"""Run records from remotes: what pointers name and this machine has not seen."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from datatool.errors import DatatoolError, FormatError, RemoteNotFound
from datatool.model.oid import ObjectId
from datatool.model.paths import show
from datatool.model.pointer import ArtifactKind, Pointer
from datatool.model.run import RunRecord
from datatool.operations.remote_access import Connection, connect_to, named_in_hints
from datatool.operations.remote_names import read_order
from datatool.progress import Progress
from datatool.project.project import Project
from datatool.remote.lookups import read_lookup
from datatool.remote.source import RemoteSource
from datatool.stages.run_store import Known, find_runs, keep_lookup, load_run, lookup_directory, read_run
from datatool.store.objects import Wanted
from datatool.store.transfer import transfer

_MOST = 100
"""So many records of one fingerprint are looked at."""
_NO_OWN_REMOTE = Pointer(kind=ArtifactKind.FILE, oid=None)


def record_of(project: Project, oid: ObjectId, *, offline: bool, progress: Progress) -> RunRecord | None:
    """A run's record, from the cache or a remote; None where nobody has it."""
    record = load_run(project.cache, oid)
    if record is None:
        bring_records(project, [oid], offline=offline, progress=progress)
        record = load_run(project.cache, oid)
    return record


def bring_records(project: Project, oids: Sequence[ObjectId], *, offline: bool, progress: Progress) -> None:
    """Fetch records that the cache lacks from the remotes, in the order in which they are read. One that can't be used
    is passed over with a warning, and what none has is left out."""
    try:
        names = read_order(project, None, _NO_OWN_REMOTE)
    except RemoteNotFound:
        return
    for name in names:
        missing = project.cache.missing(oids)
        if not missing:
            return
        try:
            connection = connect_to(project, name, offline=offline)
            with named_in_hints(name):
                connection.remote.open()
                if connection.remote.format is not None:
                    take_records(project, connection, _source(connection), sorted(missing), progress)
        except DatatoolError as error:
            progress.warn(f"remote {name}: {error.message}", hint=error.hint)


def bring_runs(project: Project, fingerprint: str, *, offline: bool, progress: Progress) -> list[Known]:
    """Look on the remotes for records with a fingerprint that nobody here has; those that came. One request each,
    where there is none; what can't be used, a remote or a record, is passed over with a warning."""
    try:
        names = read_order(project, None, _NO_OWN_REMOTE)
    except RemoteNotFound:
        return []
    before = {known.oid for known in find_runs(project.cache, fingerprint, project.config.project or "")}
    for name in names:
        try:
            connection = connect_to(project, name, offline=offline)
            with named_in_hints(name):
                _take_found(project, connection, fingerprint, progress)
        except DatatoolError as error:
            progress.warn(f"remote {name}: {error.message}", hint=error.hint)
    after = find_runs(project.cache, fingerprint, project.config.project or "")
    return [known for known in after if known.oid not in before]


def _take_found(project: Project, connection: Connection, fingerprint: str, progress: Progress) -> None:
    """Fetch the records to which a fingerprint leads on a remote."""
    found = read_lookup(connection.remote.store, lookup_directory(fingerprint))
    problems = [f"{show(name[:80])!r} is no run's id" for name in found.strange[:1]]
    oids = found.runs[:_MOST]
    if oids:
        connection.remote.open()
        take_records(project, connection, _source(connection), oids, progress)
    for oid in oids:
        record = load_run(project.cache, oid)
        if record is not None and record.fingerprint != fingerprint:
            problems.append(f"run {oid[:12]} is of another fingerprint")
    problems += [f"run {oid[:12]} is not there" for oid in sorted(project.cache.missing(oids))]
    for problem in problems:
        progress.warn(f"remote {connection.name}: {lookup_directory(fingerprint)}: {problem}")


def _source(connection: Connection) -> RemoteSource:
    return RemoteSource(connection.remote, jobs=connection.jobs)


def take_records(
    project: Project, connection: Connection, source: RemoteSource, oids: Iterable[ObjectId], progress: Progress
) -> None:
    """Fetch records from an open remote, and make them known by their fingerprints. What comes and is none is told."""
    cache = project.cache
    wanted = [Wanted(oid, 0, b"run " + oid[:12].encode(), True) for oid in oids]
    lacking = cache.missing([item.oid for item in wanted])
    if lacking:
        with cache.writer() as writer:
            transfer(source, writer, [item for item in wanted if item.oid in lacking])
    for item in wanted:
        try:
            keep_lookup(cache, read_run(cache, item.oid).fingerprint, item.oid)
        except KeyError:
            continue
        except FormatError as problem:
            if item.oid in lacking:
                progress.warn(f"remote {connection.name}: {problem.message}", hint=problem.hint)
