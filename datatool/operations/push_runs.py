"""Which run records travel with a push, and the look-ups that are written behind it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from datatool.errors import RemoteError
from datatool.formats.run_record import encode_run
from datatool.formats.shard import Root
from datatool.model.oid import ObjectId, parse_oid
from datatool.model.pointer import ArtifactKind
from datatool.model.run import RunFile, RunRecord
from datatool.operations.cached import is_cached
from datatool.operations.remote_access import Connection
from datatool.operations.versions import Version
from datatool.progress import Progress
from datatool.project.project import Project
from datatool.remote.known import known_pushed
from datatool.remote.lookups import write_lookups
from datatool.remote.push import PushRoot
from datatool.stages.run_store import all_runs, lookup_name
from datatool.workspace.pointers import find_artifact

Runs = Mapping[ObjectId, RunRecord]


def runs_of(versions: Iterable[Version], every: Runs) -> Runs:
    """Of every record that is here those that versions' pointers name, and those of the runs that made what these
    read."""
    named = {
        parse_oid(source.run)
        for version in versions
        if (source := version.pointer.source) is not None and source.run is not None
    }
    found: dict[ObjectId, RunRecord] = {}
    if not named:
        return found
    makers = _makers(every)
    pending = sorted(named)
    while pending:
        oid = pending.pop()
        record = every.get(oid) if oid not in found else None
        if record is not None:
            found[oid] = record
            pending += [maker for file in record.read if (maker := makers.get((file.path, file.oid))) is not None]
    return found


def every_run(project: Project) -> Runs:
    """All records of this project that are here and may leave this machine."""
    ours = all_runs(project.cache, project.config.project or "")
    return {known.oid: known.record for known in ours if _travels(project, known.record)}


def _travels(project: Project, record: RunRecord) -> bool:
    """A stage's result goes to remotes where it, or the project, says that it is shared; a pickle never does."""
    stage = record.stage
    return stage is None or (stage.seal is None and (stage.share or project.config.flag("stages.share")))


def run_roots(project: Project, runs: Runs) -> list[PushRoot]:
    """What is to be pushed for records: each by itself, and of its outputs those that the cache has whole and that may
    leave this machine."""
    roots: dict[tuple[str, ObjectId], PushRoot] = {}
    for oid, record in sorted(runs.items()):
        root = Root("run", oid, 0, len(encode_run(record)))
        roots[root.kind, oid] = PushRoot(root=root, label=b"run " + oid[:12].encode())
        for file in record.outputs:
            kind = "tree" if file.kind is ArtifactKind.DIRECTORY else "file"
            if (kind, file.oid) not in roots and _may_leave(project, file):
                files = file.files if file.files is not None else 1
                roots[kind, file.oid] = PushRoot(root=Root(kind, file.oid, files, file.size), label=file.path)
    return list(roots.values())


def publish_lookups(
    project: Project, connection: Connection, runs: Runs, pushed: Iterable[ObjectId], *, again: bool, progress: Progress
) -> frozenset[ObjectId]:
    """Write the look-ups of records that are pushed and whose look-up this machine does not know to be there, or of all
    with `again`. Gives the records whose look-up could not be written: the next push does that."""
    ours = project.config.project or ""
    known = frozenset() if again else known_pushed(project.remotes_memory, connection.label, ours).keys()
    due = sorted(oid for oid in runs.keys() & set(pushed) if oid not in known)
    try:
        names = [lookup_name(runs[oid].fingerprint, oid) for oid in due]
        write_lookups(connection.remote.store, names, jobs=connection.jobs)
    except RemoteError as error:
        progress.warn(
            f"remote {connection.name}: others can't find {len(due)} runs there yet: {error.message}",
            hint="the next datatool push writes what leads to them",
        )
        return frozenset(due)
    return frozenset()


def _makers(every: Runs) -> dict[tuple[bytes, ObjectId], ObjectId]:
    """The newest run that made each version of each path."""
    runs = sorted(every.items(), key=lambda item: item[1].started)
    return {(file.path, file.oid): oid for oid, record in runs for file in record.outputs}


def _may_leave(project: Project, file: RunFile) -> bool:
    artifact = find_artifact(project.root, file.path)
    if artifact is not None and not artifact.pointer.push:
        return False
    return is_cached(project.cache, project.state, file.pointer)
