"""Remote → cache: what the pointers name and this machine lacks."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from datatool.errors import DatatoolError
from datatool.model.paths import named
from datatool.model.urls import without_secrets
from datatool.operations.failures import failure_of
from datatool.operations.fetching.plan import FetchPlan, Terms, Wish, plan_fetch
from datatool.operations.fetching.remote import RemoteFetch, from_each
from datatool.operations.push import one_per_path
from datatool.operations.reach import Reach
from datatool.operations.remote_access import connect_to
from datatool.operations.remote_names import read_order, remote_name
from datatool.operations.restore import can_be_restored, restore_import
from datatool.operations.scope import Scope
from datatool.operations.targets import name_of
from datatool.operations.transfer_result import Totals, Transferred, TransferResult
from datatool.operations.versions import Version, versions
from datatool.progress import SILENT, Progress
from datatool.project.project import Project
from datatool.workspace.early_copies import EarlyCopies

__all__ = ["TransferResult", "Transferred", "fetch"]


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
    early: EarlyCopies | None = None,
    progress: Progress = SILENT,
) -> TransferResult:
    """Get what the cache lacks of the versions meant; the remote isn't asked when it lacks nothing.

    One failing artifact does not stop the others: see each one's `error`; `lacking` are errors to tell among them.
    `force` looks for every object in the cache instead of trusting the memory that all were there; `early` copies of
    what comes are made on the way. Raises PathNotFound, RemoteNotFound, RemoteError.

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
        early=early,
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
    early: EarlyCopies | None = None,
    progress: Progress = SILENT,
) -> TransferResult:
    """Get what the cache lacks of some versions, which no pointer has to name; `failed` joins the results. Not
    `by_name`, nobody asked for these in particular: what is never pushed may stay where it is."""
    terms = Terms(
        remote=remote, force=force, dry_run=dry_run, jobs=jobs, offline=offline, early=early, progress=progress
    )
    plan = plan_fetch(project, chosen, terms, by_name=by_name)
    totals = Totals(skipped=plan.objects)
    asked: list[str] = []
    results = [*failed, *_carry_out(project, plan, terms, totals, asked, alone=not failed)]
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
    groups: dict[str, list[Wish]] = {}
    for version in wanted:
        groups.setdefault(read_order(project, remote, version.pointer)[0], []).append(Wish(version))
    for name, wishes in groups.items():
        connection = connect_to(project, name, offline=offline)
        RemoteFetch(project, connection, wishes, Terms(), Totals()).run_lists()


def _carry_out(
    project: Project, plan: FetchPlan, terms: Terms, totals: Totals, asked: list[str], *, alone: bool
) -> list[Transferred]:
    """Fetch as planned: from remotes, and what these do not have of imports from where they came. An error of the only
    remote is raised where nothing else was to be done (`alone`), and nothing can be had elsewhere."""
    results = [*plan.failed, *(Transferred(path=version.name, ok=True) for version in plan.cached)]
    at_source = list(plan.at_source)
    alone = alone and not results and len(plan.from_remotes) == 1
    for names, wishes in plan.from_remotes.items():
        only = alone and not any(can_be_restored(wish.version.pointer) for wish in wishes)
        for wish, item in from_each(project, names, wishes, plan.cached, terms, totals, asked, alone=only):
            if not item.ok and terms.remote is None and can_be_restored(wish.version.pointer):
                at_source.append(wish.version)
            else:
                results.append(item)
    results += [_from_source(project, version, terms, totals, asked) for version in at_source]
    return results


def _from_source(project: Project, version: Version, terms: Terms, totals: Totals, asked: list[str]) -> Transferred:
    """Get an import from where it came, at the commit that its pointer names: no remote of this project has it."""
    pointer = version.pointer
    reach = Reach(offline=terms.offline, jobs=terms.jobs)
    if not terms.dry_run:
        try:
            restore_import(project, version.path, pointer, environ=os.environ, reach=reach, progress=terms.progress)
        except DatatoolError as error:
            if not error.message.startswith(named(version.path)):
                error.message = f"{named(version.path)}: {error.message}"
            return Transferred(path=version.name, ok=False, error=failure_of(error), at_source=True)
    totals.objects += pointer.files or 1
    totals.bytes += pointer.size or 0
    if pointer.source is not None:
        asked.append(without_secrets(pointer.source.repo or pointer.source.url or ""))
    return Transferred(path=version.name, ok=True)
