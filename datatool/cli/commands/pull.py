"""`datatool pull`: fetch, then check out."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

from datatool.cli.checkouts import checkout_lines
from datatool.cli.command import command
from datatool.cli.declare import Option
from datatool.cli.options import (
    AllBranches,
    AllCommits,
    AllTags,
    DataTargets,
    DryRun,
    Jobs,
    Remote,
    Revision,
)
from datatool.cli.session import Session
from datatool.cli.summary import up_to_date
from datatool.cli.targets import meant_by
from datatool.cli.transfers import transfer_lines
from datatool.operations import pull as operation
from datatool.operations.open_project import open_project
from datatool.operations.scope import one_scope


@command(
    "datatool pull", "datatool pull data/raw/2024", "datatool pull train.py", "datatool pull --force", words="paths"
)
def pull(
    session: Session,
    paths: DataTargets = None,
    remote: Remote = None,
    rev: Revision = None,
    all_branches: AllBranches = False,
    all_tags: AllTags = False,
    all_commits: AllCommits = False,
    force: Annotated[bool, Option("--force", help="Move unsaved files to lost+found first")] = False,
    dry_run: DryRun = False,
    jobs: Jobs = None,
) -> int:
    """Fetch, then check out.

    Unsaved files are not touched without --force. One failing artifact does not stop the others.
    """
    scope = one_scope(rev=rev, branches=all_branches, tags=all_tags, commits=all_commits)
    with open_project(None, flags=session.flags, environ=session.environ) as project:
        meant = meant_by(session, project, paths, ask=True)
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
    return session.finish(result, lambda: pull_lines(session, root, result), chatter=True)


def pull_lines(session: Session, root: Path, result: operation.PullResult) -> Iterator[str]:
    """A pull as text: each half without its own summary, then one for both."""
    lines = list(transfer_lines(result.transfer, "fetched", "would fetch"))
    if result.dry_run:
        yield from lines
        return
    yield from lines[:-1]
    if result.checkout:
        yield from list(checkout_lines(session, root, result.checkout))[:-1]
    yield up_to_date([item.error for item in result.artifacts])
