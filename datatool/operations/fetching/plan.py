"""Where each version of a fetch is to come from: this cache, remotes in an order, or the source of an import."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct, field

from datatool.errors import PathNotFound, RemoteNotFound
from datatool.model.paths import named
from datatool.operations.cached import cached_part, is_cached
from datatool.operations.failures import Failure, failure_of
from datatool.operations.push import own_remote_missing
from datatool.operations.remote_names import read_order
from datatool.operations.restore import can_be_restored
from datatool.operations.transfer_result import Transferred
from datatool.operations.versions import Version
from datatool.progress import SILENT, Progress
from datatool.project.project import Project
from datatool.store.objects import Absent
from datatool.workspace.early_copies import EarlyCopies


class Terms(Struct, frozen=True, kw_only=True):
    """How a fetch goes about it, in the words of the command line."""

    remote: str | None = None
    force: bool = False
    dry_run: bool = False
    jobs: int | None = None
    offline: bool = False
    early: EarlyCopies | None = None
    progress: Progress = SILENT


class Wish(Struct):
    """One version on its way here."""

    version: Version
    may_stay: bool = False
    """It is never pushed, and nobody asked for it by name: no remote needs to have it."""
    absent: list[Absent] = field(default_factory=list)
    error: Failure | None = None


class FetchPlan(Struct):
    """What is `cached`, in so many `objects`; what to ask remotes for, by the order in which to ask them; what only its
    source can have; and what can come from nowhere."""

    cached: list[Version] = field(default_factory=list)
    objects: int = 0
    from_remotes: dict[tuple[str, ...], list[Wish]] = field(default_factory=dict)
    at_source: list[Version] = field(default_factory=list)
    failed: list[Transferred] = field(default_factory=list)


def plan_fetch(project: Project, chosen: Sequence[Version], terms: Terms, *, by_name: bool) -> FetchPlan:
    """Decide for each version; nothing is contacted. Raises RemoteNotFound for a remote that was given, and where there
    is no default one."""
    plan = FetchPlan()
    stamp = project.cache.stamp()
    for version in chosen:
        if version.pointer.oid is None:
            plan.failed.append(_without_data(version))
        elif not terms.force and (objects := _cached(project, version, stamp)):
            plan.cached.append(version)
            plan.objects += objects
        else:
            _seek(project, plan, version, terms, by_name=by_name)
    return plan


def _cached(project: Project, version: Version, stamp: bytes) -> int:
    """Of how many objects a version is, with one for its list, if the cache has all of them; else 0."""
    if version.within:
        files = cached_part(project.cache, version.pointer, version.within)
        return files and files + 1
    whole = is_cached(project.cache, project.state, version.pointer, stamp=stamp)
    return (version.pointer.files or 0) + 1 if whole else 0


def _seek(project: Project, plan: FetchPlan, version: Version, terms: Terms, *, by_name: bool) -> None:
    try:
        order = read_order(project, terms.remote, version.pointer)
    except RemoteNotFound as error:
        if terms.remote is None and can_be_restored(version.pointer):
            plan.at_source.append(version)
        else:
            plan.failed.append(own_remote_missing(version, terms.remote, error))
        return
    wish = Wish(version, may_stay=not by_name and not version.pointer.push)
    plan.from_remotes.setdefault(order, []).append(wish)


def _without_data(version: Version) -> Transferred:
    missing = PathNotFound(
        f"{named(version.path)}: was imported without its data",
        hint=f"datatool update {named(version.path)} downloads it",
    )
    return Transferred(path=version.name, ok=False, error=failure_of(missing))
