"""`datatool fetch`: bring objects from a remote into the cache."""

from __future__ import annotations

from typing import Annotated

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
from datatool.cli.targets import meant_by
from datatool.cli.transfers import transfer_lines
from datatool.operations import fetch as operation
from datatool.operations.open_project import open_project
from datatool.operations.scope import one_scope


@command("datatool fetch", "datatool fetch data/raw/2024", "datatool fetch --all-branches", words="paths")
def fetch(
    session: Session,
    paths: DataTargets = None,
    remote: Remote = None,
    rev: Revision = None,
    all_branches: AllBranches = False,
    all_tags: AllTags = False,
    all_commits: AllCommits = False,
    force: Annotated[bool, Option("--force", help="Ask the remote also for what should be here")] = False,
    dry_run: DryRun = False,
    jobs: Jobs = None,
) -> int:
    """Bring objects from a remote into the cache.

    The workspace stays as it is: `datatool checkout` then works without the remote. One failing artifact does not
    stop the others.
    """
    scope = one_scope(rev=rev, branches=all_branches, tags=all_tags, commits=all_commits)
    with open_project(None, flags=session.flags, environ=session.environ) as project:
        meant = meant_by(session, project, paths, ask=True)
        result = operation.fetch(
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
    return session.finish(result, lambda: transfer_lines(result, "fetched", "would fetch"), chatter=True)
