"""Cache → remote: what the pointers name, so that others can fetch it."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

from datatool.cache.local import Cache
from datatool.errors import DamageFound, DatatoolError, LocalError, PartlyDone, RemoteNotFound
from datatool.forks import load_module
from datatool.formats.shard import Root
from datatool.formats.tree_object import is_root, parse_page, parse_root
from datatool.model.oid import ObjectId
from datatool.model.paths import named
from datatool.model.pointer import ArtifactKind, Pointer
from datatool.operations.failures import Failure, failure_of
from datatool.operations.remote_access import Connection, connect_to, named_in_hints
from datatool.operations.remote_names import remote_name, write_names
from datatool.operations.scope import Scope
from datatool.operations.targets import name_of
from datatool.operations.transfer_result import Sent, SentTo, Totals, Transferred
from datatool.operations.versions import Version, versions
from datatool.progress import SILENT, Progress
from datatool.project.project import Project
from datatool.remote.known import known_pushed, remember_pushed
from datatool.remote.push import PushResult, PushRoot
from datatool.remote.push import push as push_to
from datatool.remote.url import label_of
from datatool.store.objects import Absent, Wanted

if TYPE_CHECKING:
    from datatool.operations.push_runs import Runs

__all__ = ["Sent", "Transferred", "push"]


def push(
    project: Project,
    targets: Sequence[str] = (),
    *,
    cwd: Path,
    remote: str | None = None,
    scope: Scope | None = None,
    verify: bool = False,
    force: bool = False,
    dry_run: bool = False,
    jobs: int | None = None,
    offline: bool = False,
    progress: Progress = SILENT,
) -> Sent:
    """Send what the remote lacks of the work tree's versions, and of commits that the branch's upstream lacks; the run
    records that these name, and without targets or scope all that are here, with their outputs.

    `verify` looks at what is really there and restores what is gone, `force` compares every object although the
    remote has a record of the whole, `dry_run` only counts: a large file that was sent in part, as a whole. Raises
    PathNotFound, RemoteNotFound, RemoteError.

    >>> push(project, cwd=Path.cwd()).requests  # doctest: +SKIP
    2
    """
    scope = scope or Scope()
    chosen, broken = versions(project, targets, cwd, scope, unpushed=True)
    results: list[Transferred] = [
        Transferred(path=name_of(error), ok=False, error=failure_of(error)) for error in broken
    ]
    groups: dict[str, list[Version]] = {}
    if remote is not None:
        remote_name(project, remote)
    for version in chosen:
        if version.pointer.push and version.pointer.oid is not None:
            try:
                names = write_names(project, remote, version.pointer)
            except RemoteNotFound as error:
                results.append(own_remote_missing(version, remote, error))
                continue
            for name in names:
                groups.setdefault(name, []).append(version)
        elif not version.pointer.push:
            progress.hint(f"{named(version.path)}: stays on this machine (push: false)")
    every = _every_run(project)
    everything = not targets and scope.rev is None and not scope.many
    takers = _join_runs(project, remote, groups) if everything and every else ()
    totals = Totals()
    reached: list[str] = []
    places: dict[str, tuple[Failure | None, ...]] = {}
    for name, group in groups.items():
        before = len(results)
        connection: Connection | None = None
        try:
            connection = connect_to(project, name, offline=offline, jobs=jobs)
            with named_in_hints(name):
                runs = every if name in takers or not every else _about_runs().runs_of(group, every)
                results += push_group(project, connection, group, runs, totals, verify, force, dry_run, progress)
            reached.append(name)
        except DatatoolError as error:
            _fail_group(groups, name, group, results, error)
        places[name] = tuple(item.error for item in one_per_path(results[before:]))
        if connection is not None:
            totals.requests += connection.store.requests
            totals.bytes += connection.store.bytes_out
    return Sent(
        remote=", ".join(sorted(reached or groups)) or remote or project.config.default_remote or "",
        artifacts=one_per_path(results),
        objects=totals.objects,
        bytes=totals.bytes,
        skipped_objects=totals.skipped,
        requests=totals.requests,
        dry_run=dry_run,
        remotes=tuple(SentTo.of(name, errors) for name, errors in sorted(places.items())),
        _places=places,
    )


def _every_run(project: Project) -> Runs:
    """All records that may leave this machine; most projects have none, and load nothing for it."""
    if not project.cache.has_runs:
        return {}
    runs: Runs = _about_runs().every_run(project)
    return runs


def _about_runs() -> ModuleType:
    return load_module("datatool.operations.push_runs")


def _join_runs(project: Project, remote: str | None, groups: dict[str, list[Version]]) -> tuple[str, ...]:
    """The remotes that get every record: those that get what has no remote of its own. They join the groups."""
    try:
        names = write_names(project, remote, Pointer(kind=ArtifactKind.FILE, oid=None))
    except RemoteNotFound:
        return ()  # every artifact has a remote of its own, and takes its records there
    for name in names:
        groups.setdefault(name, [])
    return names


def own_remote_missing(version: Version, given: str | None, error: RemoteNotFound) -> Transferred:
    """The failure of one artifact whose own remote is not configured; any other such error is raised again."""
    if given is not None or version.pointer.remote is None:
        raise error
    error.message = f"{named(version.path)}: {error.message}"
    error.path = version.name
    return Transferred(path=version.name, ok=False, error=failure_of(error))


def _fail_group(
    groups: Mapping[str, Sequence[Version]],
    name: str,
    group: Sequence[Version],
    results: list[Transferred],
    error: DatatoolError,
) -> None:
    """Put the failure of a whole remote down to each of its artifacts; where there is nothing else, it is raised."""
    if len(groups) == 1 and not results:
        raise error
    error.message = f"remote {name}: {error.message}"
    failure = failure_of(error)
    results += [Transferred(path=version.name, ok=False, error=failure) for version in group]


def push_group(
    project: Project,
    connection: Connection,
    group: Sequence[Version],
    runs: Runs,
    totals: Totals,
    verify: bool,
    force: bool,
    dry_run: bool,
    progress: Progress,
) -> list[Transferred]:
    """Send versions and records to one remote; `totals` takes what was sent. Raises RemoteError."""
    roots = [*(_about_runs().run_roots(project, runs) if runs else ()), *(_root(version) for version in group)]
    settings = connection.settings
    result = push_to(
        connection.remote,
        project.cache,
        roots,
        lambda root: wanted_by(project.cache, root),
        packs=project.cache,
        commit=project.worktree.head if project.worktree is not None else None,
        jobs=connection.jobs,
        verify=verify,
        force=force,
        dry_run=dry_run,
        compress=settings.get("compression") == "zstd",
        pack=settings.get("pack", "true") != "false",
        index_list=settings.get("index_list", "true") != "false",
        progress=progress,
    )
    totals.objects += result.objects
    totals.skipped += result.skipped_objects
    if dry_run:
        totals.bytes += result.bytes
    else:
        unfound: frozenset[ObjectId] = frozenset()
        if runs:
            publish = _about_runs().publish_lookups
            unfound = publish(project, connection, runs, result.pushed, again=verify or force, progress=progress)
        remember_pushed(
            project.remotes_memory,
            connection.label,
            project.config.project or "",
            result.pushed - unfound,
            as_of=time.time(),
            forget=[oid for oid in result.failed if oid not in result.pushed],
        )
    return [_transferred(project, version, result, connection.name) for version in group]


def _root(version: Version) -> PushRoot:
    pointer = version.pointer
    assert pointer.oid is not None
    kind = "tree" if pointer.kind is ArtifactKind.DIRECTORY else "file"
    files = pointer.files if pointer.files is not None else 1
    return PushRoot(root=Root(kind, pointer.oid, files, pointer.size or 0), label=version.path)


def wanted_by(cache: Cache, root: PushRoot) -> Iterable[Wanted]:
    """Everything that a root consists of, itself included, in tree path order. KeyError where a part is not here."""
    oid = root.root.oid
    if root.root.kind != "tree":
        yield Wanted(oid, root.root.bytes, root.label, root.root.kind == "run")
        return
    data = cache.load(oid)
    yield Wanted(oid, len(data), root.label, True)
    if not is_root(data):
        yield from _files(data, root.label)
        return
    for page in parse_root(data):
        listing = cache.load(page.oid)
        yield Wanted(page.oid, len(listing), root.label, True)
        yield from _files(listing, root.label)


def _files(page: bytes, label: bytes) -> Iterable[Wanted]:
    prefix = label + b"/"
    return [Wanted(entry.oid, entry.size, prefix + entry.path) for entry in parse_page(page) if entry.oid is not None]


def _transferred(project: Project, version: Version, result: PushResult, remote: str) -> Transferred:
    oid = version.pointer.oid
    assert oid is not None
    absent = result.failed.get(oid)
    if absent is None:
        return Transferred(path=version.name, ok=True)
    too_large = [item.refused for item in absent if isinstance(item.refused, LocalError)]
    if too_large:
        return Transferred(path=version.name, ok=False, error=_too_large(version, too_large[0], remote))
    if not version.current and not any(item.damaged for item in absent):
        error = _old_not_pushed(project, version, absent, remote)
        return Transferred(path=version.name, ok=False, error=error, rev=version.commit or None)
    return Transferred(path=version.name, ok=False, error=_not_pushed(version, absent, remote))


def _too_large(version: Version, error: LocalError, remote: str) -> Failure:
    message = f"{error.message}; {named(version.path)} was not published on {remote}"
    return failure_of(LocalError(message, hint=error.hint, path=version.name))


def _old_not_pushed(project: Project, version: Version, absent: tuple[Absent, ...], remote: str) -> Failure:
    """A version of another commit, which the cache has lost, or never had: only a remote can still have it."""
    name, rev = named(version.path), version.commit[:10]
    place = _where_it_may_be(project, version, remote, f"datatool fetch {name} --rev {rev} -r")
    return failure_of(
        PartlyDone(
            f"{name} as of {rev}: {_labels(absent)} is not in the cache; that version was not published on {remote}",
            hint=f"{place}; then push again",
            path=version.name,
        )
    )


def _where_it_may_be(project: Project, version: Version, remote: str, command: str) -> str:
    """What gets a version from another remote than this one, or who has it if there is none."""
    others = [
        name for name, settings in sorted(project.config.remotes().items()) if name != remote and "url" in settings
    ]
    if not others:
        return f"{command} {remote} gets it once whoever has that version pushed it"
    known = [name for name in others if _was_pushed(project, version, name)]
    if known:
        return f"{command} {known[0]} gets it"
    default = project.config.default_remote
    return f"{command} {default if default in others else others[0]} gets it, if that remote has it"


def _was_pushed(project: Project, version: Version, remote: str) -> bool:
    """Whether this machine remembers that a remote has a version."""
    label = label_of(project.config.remotes()[remote], project.root, os.environ)
    return version.pointer.oid in known_pushed(project.remotes_memory, label, project.config.project or "")


def _labels(absent: tuple[Absent, ...]) -> str:
    labels = sorted({item.wanted.label for item in absent})
    more = f" and {len(labels) - 20} more" if len(labels) > 20 else ""
    return ", ".join(named(label) for label in labels[:20]) + more


def _not_pushed(version: Version, absent: tuple[Absent, ...], remote: str) -> Failure:
    shown, name = _labels(absent), named(version.path)
    if any(item.damaged for item in absent):
        return failure_of(
            DamageFound(
                f"{shown}: damaged in the cache, and set aside; {name} was not published on {remote}",
                hint=f"datatool add {name} saves it again from the workspace, if it is still right there",
                path=version.name,
            )
        )
    return failure_of(
        PartlyDone(
            f"{shown}: not in the cache; the rest was pushed, but {name} was not published on {remote}",
            hint=f"datatool fetch {name} from a remote that has it, or datatool add {name} where the files are",
            path=version.name,
        )
    )


def one_per_path(results: Sequence[Transferred]) -> tuple[Transferred, ...]:
    """One line for each artifact, however many of its versions were moved; a failure outweighs. Versions of other
    commits that failed have lines of their own."""
    merged: dict[tuple[str, str], Transferred] = {}
    for item in results:
        key = item.path, item.rev or ""
        before = merged.get(key)
        merged[key] = item if before is None or before.ok else replace(before)
    return tuple(merged[key] for key in sorted(merged))
