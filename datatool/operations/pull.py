"""fetch + checkout."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from datatool.errors import DatatoolError, LocalError, PartlyDone
from datatool.operations.checkout import CheckedOut, CheckoutResult, checkout
from datatool.operations.fetch import fetch
from datatool.operations.healing import healed
from datatool.operations.result import fields_of, plain
from datatool.operations.scope import Scope
from datatool.operations.transfer_result import Transferred, TransferResult, only_sources_failed
from datatool.progress import SILENT, Progress
from datatool.project.project import Project
from datatool.workspace.early_copies import EarlyCopies

__all__ = ["PullResult", "pull"]


@dataclass(frozen=True, kw_only=True, slots=True)
class PullResult(TransferResult):
    """What was fetched, and what was checked out (None for a dry run). Each artifact is there once, and ok when its
    data came and lies in the workspace; `transfer` tells of the first half alone."""

    checkout: CheckoutResult | None
    transfer: TransferResult = field(repr=False)

    def to_dict(self) -> dict[str, object]:
        """As `--json` prints it."""
        return {**fields_of(self, "transfer", "checkout"), "checkout": plain(self.checkout and self.checkout.artifacts)}

    @property
    def finished(self) -> bool:
        """Whether an artifact is finished that was not before: what was only fetched still waits for its checkout.
        Where only sources of imports failed, what is there already counts too."""
        if only_sources_failed(self.artifacts):
            return True
        if self.checkout is None:
            return self.objects > 0 and any(item.ok for item in self.artifacts)
        # Files of a directory that lacks others are here, and stay.
        if any(
            item.changed and (not item.error or isinstance(item.error.error, PartlyDone))
            for item in self.checkout.artifacts
        ):
            return True
        # Refused, or not there at all: then what was fetched on the way is no progress that anybody asked for.
        return self.objects > 0 and any(
            item.error is not None and isinstance(item.error.error, LocalError) for item in self.artifacts
        )


def pull(
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
) -> PullResult:
    """Get what is lacking and write it into the workspace; with a revision, go to that revision's versions. What proves
    to be damaged in the cache is fetched again.

    Unsaved files stop their artifact (Unsaved), unless `force` moves them to `lost+found`; `lacking` are errors to tell
    among the results. Raises what fetch does.

    >>> pull(project, ["data/songs/rock"], cwd=Path.cwd()).objects  # doctest: +SKIP
    120
    """
    scope = scope or Scope()

    def get() -> TransferResult:
        return fetch(
            project,
            targets,
            cwd=cwd,
            remote=remote,
            scope=scope,
            dry_run=dry_run,
            jobs=jobs,
            offline=offline,
            lacking=lacking,
            early=early,
            progress=progress,
        )

    def put() -> CheckoutResult:
        return checkout(project, targets, cwd=cwd, rev=scope.rev, force=force, early=early, progress=progress)

    with EarlyCopies(project.root, project.config.link_methods) as early:
        transfer = get()
        if dry_run:
            return _pulled(transfer, None)
        transfer, done = healed((transfer, put()), get, put, progress)
    stays = {item.path for item in transfer.artifacts if item.stays}
    done = replace(done, artifacts=tuple(item for item in done.artifacts if item.path not in stays or not item.error))
    return _pulled(transfer, done)


def _pulled(transfer: TransferResult, checkout: CheckoutResult | None) -> PullResult:
    return PullResult(
        remote=transfer.remote,
        artifacts=_merged(transfer.artifacts, checkout.artifacts if checkout is not None else ()),
        objects=transfer.objects,
        bytes=transfer.bytes,
        skipped_objects=transfer.skipped_objects,
        requests=transfer.requests,
        dry_run=transfer.dry_run,
        checkout=checkout,
        transfer=transfer,
    )


def _merged(fetched: Sequence[Transferred], checked_out: Sequence[CheckedOut]) -> tuple[Transferred, ...]:
    """Each artifact once, with the first of its errors."""
    merged = {item.path: item for item in fetched}
    for item in checked_out:
        before = merged.get(item.path)
        if item.error is not None and (before is None or before.ok):
            merged[item.path] = Transferred(path=item.path, ok=False, error=item.error)
        elif before is None:
            merged[item.path] = Transferred(path=item.path, ok=True)
    return tuple(merged[path] for path in sorted(merged))
