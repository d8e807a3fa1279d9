"""Between this machine and the remotes, as on the command line: push, fetch, pull."""

from __future__ import annotations

from datatool.api.calls import Paths, in_project, names, settled
from datatool.api.options import checked
from datatool.api.words import Where
from datatool.operations import fetch as fetching
from datatool.operations import pull as pulling
from datatool.operations import push as pushing
from datatool.operations.scope import one_scope
from datatool.operations.script_records import bring_named
from datatool.progress import Progress


@checked
def push(
    paths: Paths | None = None,
    *,
    remote: str | None = None,
    rev: str | None = None,
    all_branches: bool = False,
    all_tags: bool = False,
    all_commits: bool = False,
    verify: bool = False,
    force: bool = False,
    dry_run: bool = False,
    jobs: int | None = None,
    offline: bool = False,
    project: Where | None = None,
    progress: Progress | None = None,
) -> pushing.Sent:
    """Send objects from the cache to a remote.

    >>> sent = datatool.push()
    >>> sent.objects, sent.bytes, [item.path for item in sent.artifacts]

    Without `rev` and its kin: what the pointers of the work tree name, and those of commits that the branch's upstream
    lacks. `verify` lists what the remote really has and restores what is gone; `force` compares every object.

    Raises PathNotFound, RevisionNotFound, RemoteNotFound, RemoteError; what costs single artifacts is raised when all
    were tried, with all that was done in the error's `result`: PartlyDone, DamageFound.
    """
    targets = names(paths)
    scope = one_scope(rev=rev, branches=all_branches, tags=all_tags, commits=all_commits)
    with in_project(targets, project, progress, offline=offline) as (opened, call):
        result = pushing.push(
            opened,
            targets,
            cwd=call.cwd,
            remote=remote,
            scope=scope,
            verify=verify,
            force=force,
            dry_run=dry_run,
            jobs=jobs,
            offline=call.offline,
            progress=call.progress,
        )
    return settled(result)


@checked
def fetch(
    paths: Paths | None = None,
    *,
    remote: str | None = None,
    rev: str | None = None,
    all_branches: bool = False,
    all_tags: bool = False,
    all_commits: bool = False,
    force: bool = False,
    dry_run: bool = False,
    jobs: int | None = None,
    offline: bool = False,
    project: Where | None = None,
    progress: Progress | None = None,
) -> fetching.TransferResult:
    """Bring objects from a remote into the cache; the workspace stays as it is.

    >>> datatool.fetch("data/raw", rev="v1.0").objects

    `force` asks the remote also for what should be here. Errors are those of `push`.
    """
    targets = names(paths)
    scope = one_scope(rev=rev, branches=all_branches, tags=all_tags, commits=all_commits)
    with in_project(targets, project, progress, offline=offline) as (opened, call):
        bring_named(opened, targets, offline=call.offline, progress=call.progress)
        meant = call.meant(opened, targets)
        result = fetching.fetch(
            opened,
            meant.targets,
            cwd=call.cwd,
            remote=remote,
            scope=scope,
            force=force,
            dry_run=dry_run,
            jobs=jobs,
            offline=call.offline,
            lacking=meant.lacking,
            progress=call.progress,
        )
    return settled(result)


@checked
def pull(
    paths: Paths | None = None,
    *,
    remote: str | None = None,
    rev: str | None = None,
    all_branches: bool = False,
    all_tags: bool = False,
    all_commits: bool = False,
    force: bool = False,
    dry_run: bool = False,
    jobs: int | None = None,
    offline: bool = False,
    project: Where | None = None,
    progress: Progress | None = None,
) -> pulling.PullResult:
    """Fetch, then check out.

    >>> result = datatool.pull("data/raw/2024")
    >>> result.bytes, [item.written for item in result.checkout]

    A script or notebook among the paths stands for what it tracks (`datatool.pull("train.py")`).

    Unsaved files stop their artifact (Unsaved), unless `force` moves them to `lost+found` first; the others are pulled
    all the same, and the error's `result` says which. Errors else are those of `push` and `checkout`.
    """
    targets = names(paths)
    scope = one_scope(rev=rev, branches=all_branches, tags=all_tags, commits=all_commits)
    with in_project(targets, project, progress, offline=offline) as (opened, call):
        bring_named(opened, targets, offline=call.offline, progress=call.progress)
        meant = call.meant(opened, targets)
        result = pulling.pull(
            opened,
            meant.targets,
            cwd=call.cwd,
            remote=remote,
            scope=scope,
            force=force,
            dry_run=dry_run,
            jobs=jobs,
            offline=call.offline,
            lacking=meant.lacking,
            progress=call.progress,
        )
    return settled(result)
