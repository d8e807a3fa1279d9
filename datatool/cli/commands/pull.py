"""`datatool pull`: fetch, then check out."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer

from datatool.cli.checkouts import checked_out_fields, checkout_lines
from datatool.cli.command import command
from datatool.cli.options import (
    AllBranches,
    AllCommits,
    AllTags,
    DataTargets,
    DryRun,
    Jobs,
    Remote,
    Revision,
    scope_of,
)
from datatool.cli.session import Session
from datatool.cli.summary import artifact_fields, up_to_date
from datatool.cli.targets import meant_by
from datatool.cli.transfers import transfer_fields, transfer_lines
from datatool.errors import LocalError, PartlyDone
from datatool.operations import pull as operation
from datatool.operations.open_project import open_project


@command("datatool pull", "datatool pull data/raw/2024", "datatool pull train.py", "datatool pull --force")
def pull(
    session: Session,
    paths: DataTargets = None,
    remote: Remote = None,
    rev: Revision = None,
    all_branches: AllBranches = False,
    all_tags: AllTags = False,
    all_commits: AllCommits = False,
    force: Annotated[bool, typer.Option("--force", help="Move unsaved files to lost+found first")] = False,
    dry_run: DryRun = False,
    jobs: Jobs = None,
) -> int:
    """Fetch, then check out.

    Unsaved files are not touched without --force. One failing artifact does not stop the others.
    """
    scope = scope_of(rev, all_branches, all_tags, all_commits)
    with open_project(None, flags=session.flags, environ=session.environ) as project:
        meant = meant_by(session, project, paths)
        result = operation.pull(
            project,
            meant.targets,
            cwd=session.cwd,
            remote=remote,
            scope=scope,
            force=force,
            dry_run=dry_run,
            jobs=jobs,
            offline=session.offline,
            lacking=meant.lacking,
            progress=session.progress,
        )
        root = project.root
    return session.finish(
        pull_fields(result),
        lambda: pull_lines(session, root, result),
        failures=[item.error for item in result.artifacts if item.error],
        finished=made_progress(result),
        chatter=True,
    )


def pull_fields(result: operation.PullResult) -> dict[str, object]:
    """A pull as JSON: the transfer, the artifacts of both halves, and what checkout did (null for a dry run)."""
    checkout = result.checkout
    return {
        **transfer_fields(result.transfer),
        "artifacts": [artifact_fields(item.path, item.error) for item in result.artifacts],
        "checkout": [checked_out_fields(item) for item in checkout.artifacts] if checkout else None,
    }


def pull_lines(session: Session, root: Path, result: operation.PullResult) -> Iterator[str]:
    """A pull as text: each half without its own summary, then one for both."""
    lines = list(transfer_lines(result.transfer, "fetched", "would fetch"))
    if result.transfer.dry_run:
        yield from lines
        return
    yield from lines[:-1]
    if result.checkout:
        yield from list(checkout_lines(session, root, result.checkout))[:-1]
    yield up_to_date([item.error for item in result.artifacts])


def made_progress(result: operation.PullResult) -> bool:
    """Whether an artifact is finished that was not before: what was only fetched still waits for its checkout."""
    checkout = result.checkout.artifacts if result.checkout else ()
    if result.checkout is None:
        return result.transfer.objects > 0 and any(item.ok for item in result.artifacts)
    # Files of a directory that lacks others are here, and stay.
    if any(item.changed and (not item.error or isinstance(item.error.error, PartlyDone)) for item in checkout):
        return True
    # Refused, or not there at all: then what was fetched on the way is no progress that anybody asked for.
    return result.transfer.objects > 0 and any(
        item.error is not None and isinstance(item.error.error, LocalError) for item in result.artifacts
    )
