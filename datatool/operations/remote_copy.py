"""One remote → another: everything that its push records list, without a workspace in between."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from datatool.cache.local import Cache
from datatool.errors import DamageFound, LocalError, PartlyDone, RemoteError, UsageError
from datatool.formats.shard import PushRecord, Root
from datatool.formats.tree_object import is_root, parse_root
from datatool.model.oid import ObjectId
from datatool.model.paths import named
from datatool.operations.failures import Failure, failure_of
from datatool.operations.push import wanted_by
from datatool.operations.push_runs import Runs, publish_lookups
from datatool.operations.remote_access import Connection, connect_to, named_in_hints, not_readable
from datatool.operations.remote_names import remote_name
from datatool.operations.result import Result, fields_of
from datatool.operations.run_records import take_records
from datatool.progress import SILENT, Progress
from datatool.project.project import Project
from datatool.remote.damage import report_damage
from datatool.remote.format_file import RemoteGone, where_to_look
from datatool.remote.push import PushResult, PushRoot
from datatool.remote.push import push as push_to
from datatool.remote.session import Remote
from datatool.remote.source import RemoteSource
from datatool.remote.state import root_key
from datatool.stages.run_store import load_run
from datatool.store.objects import Absent, Wanted
from datatool.store.transfer import transfer

__all__ = ["RemoteCopy", "copy_remote"]

_KINDS = ("tree", "file", "run")


@dataclass(frozen=True, kw_only=True, slots=True)
class RemoteCopy(Result):
    """What was copied: `versions` are roots (files, directories, run records) that `target` now lists; `failures` name
    those that could not be copied whole. Figures as for a push, requests of both remotes together."""

    source: str
    target: str
    versions: int
    objects: int
    bytes: int
    skipped_objects: int
    requests: int
    failures: tuple[Failure, ...]
    dry_run: bool = False

    def to_dict(self) -> dict[str, object]:
        """As `--json` prints it."""
        return {"from": self.source, "to": self.target, **fields_of(self, "source", "target", "failures")}

    @property
    def problems(self) -> tuple[Failure, ...]:
        """What failed while the rest went on."""
        return self.failures

    @property
    def finished(self) -> bool:
        """Whether anything was done in spite of the problems."""
        return self.objects > 0


def copy_remote(
    project: Project,
    source: str,
    target: str,
    *,
    dry_run: bool = False,
    jobs: int | None = None,
    offline: bool = False,
    progress: Progress = SILENT,
) -> RemoteCopy:
    """Copy all that the push records of one remote list to another one, whoever pushed it; the target keeps what it
    has. Every object is hashed on its way. Run again after an interruption, it sends only what is missing.

    Raises UsageError for a remote and itself, RemoteNotFound, RemoteError.

    >>> copy_remote(project, "origin", "backup").objects  # doctest: +SKIP
    10001
    """
    if remote_name(project, source) == remote_name(project, target):
        raise UsageError(f"{source}: source and target are the same remote", hint="name two remotes")
    origin = connect_to(project, source, offline=offline, jobs=jobs)
    goal = connect_to(project, target, offline=offline, jobs=jobs)
    with named_in_hints(origin.name), _gone_told(where_to_look(origin.remote.label)):
        origin.remote.open()
    objects = sent = skipped = versions = 0
    failures: list[Failure] = []
    counted: set[ObjectId] = set()
    for record, roots in _unique_roots(origin.remote):
        known = [root for root in roots if root.kind in _KINDS]
        if len(known) < len(roots):
            progress.warn(f"{origin.remote.label}: {len(roots) - len(known)} entries need a newer datatool; left out")
        anew = (
            f"{where_to_look(goal.remote.label)}; if it was deleted on purpose, datatool push -r {goal.name} --force "
            "makes it anew"
        )
        with named_in_hints(goal.name), _gone_told(f"{anew}, and then this goes on"):
            result = _push_record(project, origin, goal, record, known, counted if dry_run else None, progress)
        objects += result.objects
        skipped += result.skipped_objects
        versions += len(result.pushed)
        failures += [_failure(oid, absent, origin.name) for oid, absent in sorted(result.failed.items())]
        sent += result.bytes if dry_run else 0
    return RemoteCopy(
        source=origin.name,
        target=goal.name,
        versions=versions,
        objects=objects,
        bytes=sent if dry_run else goal.store.bytes_out,
        skipped_objects=skipped,
        requests=origin.store.requests + goal.store.requests,
        failures=tuple(failures),
        dry_run=dry_run,
    )


@contextmanager
def _gone_told(hint: str) -> Iterator[None]:
    """What helps where a remote is gone depends on which of the two it is."""
    try:
        yield
    except RemoteGone as error:
        error.hint = hint
        raise


def _unique_roots(remote: Remote) -> Iterator[tuple[PushRecord, list[Root]]]:
    """Every live push record, the newest first, with those of its roots that no newer one of its project lists."""
    seen: set[tuple[str, str, str]] = set()
    for record in sorted(remote.state.live.values(), key=lambda record: -record.time):
        roots = [root for root in record.roots if (record.project, *root_key(root)) not in seen]
        seen.update((record.project, *root_key(root)) for root in roots)
        if roots:
            yield record, roots


def _push_record(
    project: Project,
    origin: Connection,
    goal: Connection,
    record: PushRecord,
    roots: Sequence[Root],
    counted: set[ObjectId] | None,
    progress: Progress,
) -> PushResult:
    """Push the roots of one record under its own project and commit: another project's record protects nothing. With
    `counted`, what records before it would have copied, only count what this one would copy beside it."""
    dry_run = counted is not None
    source = RemoteSource(origin.remote, jobs=origin.jobs)
    remote = Remote(goal.store, memory_dir=project.remotes_memory, project=record.project, name=goal.name)
    _fetch_lists(project.cache, source, roots)
    runs = _runs(project, origin, source, roots, progress)
    result = push_to(
        remote,
        source,
        [PushRoot(root=root, label=f"{root.kind} {root.oid[:12]}".encode()) for root in roots],
        lambda root: wanted_by(project.cache, root),
        commit=record.commit,
        jobs=goal.jobs,
        dry_run=dry_run,
        counted=counted,
        compress=goal.settings.get("compression") == "zstd",
        pack=goal.settings.get("pack", "true") != "false",
        index_list=goal.settings.get("index_list", "true") != "false",
        progress=progress,
    )
    if source.suspects and not dry_run:
        _note_damage(origin, source, progress)
    if not dry_run:
        publish_lookups(project, goal, runs, result.pushed, again=True, progress=progress)
    return result


def _runs(
    project: Project, origin: Connection, source: RemoteSource, roots: Sequence[Root], progress: Progress
) -> Runs:
    """The run records among roots: they say how they are found."""
    oids = [root.oid for root in roots if root.kind == "run"]
    if oids:
        take_records(project, origin, source, project.cache.missing(oids), progress)
    return {oid: record for oid in oids if (record := load_run(project.cache, oid)) is not None}


def _note_damage(origin: Connection, source: RemoteSource, progress: Progress) -> None:
    """Say on the source what is damaged there, so that the next push of whoever has the data heals it."""
    try:
        report_damage(origin.remote, source.suspects)
    except (RemoteError, LocalError) as error:
        progress.warn(f"the damage could not be noted on the remote {origin.name}: {error.message}")


def _fetch_lists(cache: Cache, source: RemoteSource, roots: Sequence[Root]) -> None:
    """Bring the roots and pages of trees here: they say what there is to copy."""
    trees = [root.oid for root in roots if root.kind == "tree"]
    _bring(cache, source, [Wanted(oid, 0, oid[:12].encode(), True) for oid in trees])
    pages: dict[str, Wanted] = {}
    for oid in trees:
        try:
            data = cache.load(oid)
        except KeyError:
            continue  # it fails by itself, when it is pushed
        if is_root(data):
            pages.update((page.oid, Wanted(page.oid, 0, oid[:12].encode(), True)) for page in parse_root(data))
    _bring(cache, source, list(pages.values()))


def _bring(cache: Cache, source: RemoteSource, wanted: Sequence[Wanted]) -> None:
    missing = cache.missing([item.oid for item in wanted])
    if missing:
        with cache.writer() as writer:
            transfer(source, writer, [item for item in wanted if item.oid in missing])


def _failure(oid: str, absent: Sequence[Absent], remote: str) -> Failure:
    damaged = any(item.damaged for item in absent)
    labels = sorted({named(item.wanted.label) for item in absent})
    shown = ", ".join(labels[:5]) + (f" and {len(labels) - 5} more" if len(labels) > 5 else "")
    too_large = [item.refused for item in absent if isinstance(item.refused, LocalError)]
    if too_large and not damaged:
        return failure_of(too_large[0])
    refused = [item.refused for item in absent if isinstance(item.refused, RemoteError)]
    if refused and not damaged:
        what = f"{shown}: can't be read on the remote {remote}; version {oid[:12]}… was left out: {refused[0].message}"
        return failure_of(not_readable(what, refused[0], remote, alone=len(refused) == len(absent)))
    message = (
        f"{shown}: {'damaged' if damaged else 'not there'} on the remote {remote}; version {oid[:12]}… was left out"
    )
    hint = f"whoever has the data runs datatool push -r {remote}, which heals it; then run this again"
    return failure_of(DamageFound(message, hint=hint) if damaged else PartlyDone(message, hint=hint))
