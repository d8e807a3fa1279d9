"""`datatool push`: send objects from the cache to a remote."""

from __future__ import annotations

from typing import Annotated

from datatool.cli.command import command
from datatool.cli.declare import Option
from datatool.cli.options import (
    AllBranches,
    AllCommits,
    AllTags,
    DryRun,
    Jobs,
    OptionalTargets,
    Remote,
    Revision,
)
from datatool.cli.session import Session
from datatool.cli.transfers import transfer_lines
from datatool.operations import push as operation
from datatool.operations.open_project import open_project
from datatool.operations.scope import one_scope


@command("datatool push", "datatool push data/raw -r backup", "datatool push --all-tags --dry-run", words="paths")
def push(
    session: Session,
    paths: OptionalTargets = None,
    remote: Remote = None,
    rev: Revision = None,
    all_branches: AllBranches = False,
    all_tags: AllTags = False,
    all_commits: AllCommits = False,
    verify: Annotated[
        bool, Option("--verify", help="List what the remote really has and restore what is gone")
    ] = False,
    force: Annotated[
        bool, Option("--force", help="Compare every object, also of what the remote says it has whole")
    ] = False,
    dry_run: DryRun = False,
    jobs: Jobs = None,
) -> int:
    """Send objects from the cache to a remote.

    Sends what the pointers of the work tree name, committed or not, and those of commits that the branch's upstream
    lacks. One failing artifact does not stop the others.
    """
    scope = one_scope(rev=rev, branches=all_branches, tags=all_tags, commits=all_commits)
    with open_project(None, flags=session.flags, environ=session.environ) as project:
        result = operation.push(
            project,
            paths or (),
            cwd=session.cwd,
            remote=remote,
            scope=scope,
            verify=verify,
            force=force,
            dry_run=dry_run,
            jobs=jobs,
            offline=session.offline,
            progress=session.progress,
        )
    return session.finish(result, lambda: transfer_lines(result, "pushed", "would push"), chatter=True)
