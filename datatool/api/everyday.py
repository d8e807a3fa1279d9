"""The everyday work in a project, as on the command line: add, status, diff, checkout, log, edit, move, remove."""

from __future__ import annotations

from collections.abc import Iterable

from datatool.api.calls import Paths, in_project, names, settled, words
from datatool.api.options import checked
from datatool.api.words import Where
from datatool.operations import add as adding
from datatool.operations import checkout as checking_out
from datatool.operations import diff as comparing
from datatool.operations import edit as editing
from datatool.operations import log as telling
from datatool.operations import move as moving
from datatool.operations import remove as removing
from datatool.operations import status as looking
from datatool.operations.remote_status import what_remotes_have, what_sources_have
from datatool.progress import Progress


@checked
def add(
    paths: Paths,
    *,
    description: str | None = None,
    label: str | Iterable[str] = (),
    role: str | None = None,
    remote: str | None = None,
    follow: bool = False,
    prune: bool = False,
    force: bool = False,
    jobs: int | None = None,
    project: Where | None = None,
    progress: Progress | None = None,
) -> adding.AddResult:
    """Track files or directories, or record their new version; of several either all are added or none.

    >>> result = datatool.add(["data/raw", "model.bin"], label="baseline")
    >>> [(item.path, item.size, item.changed) for item in result.artifacts]

    Pointers are written beside the data and staged in git; `result.staged` names what was staged. `role` is `source`,
    `intermediate`, `result` or `code`; `follow` stores what links out of an artifact point to, `prune` drops entries
    that were never fetched, `force` takes paths that git tracks out of git.

    Raises PathNotFound, UsageError, Refused, ReadFailed, ChangedWhileRead, NoSpace.
    """
    targets = names(paths)
    with in_project(targets, project, progress) as (opened, call):
        return adding.add(
            opened,
            targets,
            cwd=call.cwd,
            description=description,
            labels=words(label),
            role=role,
            remote=remote,
            follow=follow,
            prune=prune,
            force=force,
            jobs=jobs,
            progress=call.progress,
        )


@checked
def status(
    paths: Paths | None = None,
    *,
    ask_remote: bool = False,
    remote: str | None = None,
    offline: bool = False,
    project: Where | None = None,
    progress: Progress | None = None,
) -> looking.StatusResult:
    """What has changed, what is here and what is pushed, artifact by artifact; nothing is written.

    >>> if not datatool.status().clean:
    ...     for item in datatool.status().artifacts:
    ...         print(item.path, item.state, item.changes.modified)

    A script or notebook among the paths stands for what it tracks. `item.state` is `clean`, `modified`, `outdated`,
    `partial`, `missing` or `absent`. What is pushed comes from memory, unless `ask_remote` (the command's `--remote`)
    asks the remote and the sources of imports.

    Raises PathNotFound, RemoteNotFound, FormatError for a pointer that does not read, RemoteError when asked.
    """
    targets = names(paths)
    with in_project(targets, project, progress, offline=offline) as (opened, call):
        meant = call.meant(opened, targets)
        there = news = None
        if ask_remote:
            there = what_remotes_have(opened, meant.targets, cwd=call.cwd, remote_name=remote, offline=call.offline)
            news = what_sources_have(
                opened, meant.targets, cwd=call.cwd, environ=call.environ, offline=call.offline, progress=call.progress
            )
        result = looking.status(
            opened,
            meant.targets,
            cwd=call.cwd,
            there=there,
            news=news,
            remote_name=remote,
            lacking=meant.lacking,
            progress=call.progress,
        )
    return settled(result)


@checked
def diff(
    paths: Paths | None = None,
    *,
    old: str | None = None,
    new: str | None = None,
    project: Where | None = None,
) -> comparing.DiffResult:
    """The files that were added, modified, deleted and renamed.

    >>> [(item.kind, item.path, item.new_size) for item in datatool.diff("data/raw", old="v1.0").changes]

    Compares the revision `old` (HEAD by default) with `new` (the workspace by default). What was never fetched is no
    difference.

    Raises PathNotFound, RevisionNotFound, PartlyDone where the list of a version is not here.
    """
    targets = names(paths)
    revisions = [] if old is None and new is None else ["HEAD" if old is None else old]
    with in_project(targets, project, None) as (opened, call):
        return comparing.between(opened, [*revisions, *([] if new is None else [new])], targets, call.cwd)


@checked
def log(
    path: Where, *, max_count: int | None = None, project: Where | None = None, progress: Progress | None = None
) -> telling.LogResult:
    """The versions of an artifact, newest first; of a path inside one, those in which it changed.

    >>> for version in datatool.log("data/raw", max_count=5).versions:
    ...     print(version.date, version.commit, version.change, version.size, version.cached, version.subject)

    A `commit` of None, on top, is what is recorded and not committed yet. Renames are followed: `version.path` is what
    it was called then. `version.source` tells where an import came from, `version.run` which run made it.
    `datatool.checkout(version.path, rev=version.commit)` goes back.

    Raises PathNotFound, UsageError for a directory around several artifacts.
    """
    targets = names(path)
    with in_project(targets, project, progress) as (opened, call):
        return telling.log(opened, targets[0], cwd=call.cwd, max_count=max_count, progress=call.progress)


@checked
def checkout(
    paths: Paths | None = None,
    *,
    rev: str | None = None,
    force: bool = False,
    relink: bool = False,
    project: Where | None = None,
    progress: Progress | None = None,
) -> checking_out.CheckoutResult:
    """Make the workspace match the pointers, from the cache; with `rev`, go back to that revision's.

    >>> datatool.checkout("data/raw", rev="v1.0")

    Unsaved files stop their artifact (Unsaved), unless `force` moves them to `lost+found` first. `relink` applies the
    configured link type to files that are in place.

    Raises PathNotFound, RevisionNotFound; what costs single artifacts is raised when all were tried, with all that was
    done in the error's `result`: Unsaved, PartlyDone, DamageFound.
    """
    targets = names(paths)
    with in_project(targets, project, progress) as (opened, call):
        meant = call.meant(opened, targets)
        result = checking_out.checkout(
            opened,
            meant.targets,
            cwd=call.cwd,
            rev=rev,
            force=force,
            relink=relink,
            lacking=meant.lacking,
            progress=call.progress,
        )
    return settled(result)


@checked
def edit(paths: Paths, *, project: Where | None = None, progress: Progress | None = None) -> editing.EditResult:
    """Make linked, read-only data writable; the cache is not touched.

    >>> datatool.edit("data/raw/table.csv")

    Raises PathNotFound, UsageError.
    """
    targets = names(paths)
    with in_project(targets, project, progress) as (opened, call):
        return editing.edit(opened, targets, cwd=call.cwd, progress=call.progress)


@checked
def move(
    source: Where, target: Where, *, project: Where | None = None, progress: Progress | None = None
) -> moving.MoveResult:
    """Move an artifact, its pointer and its ignore line together, as `mv` would.

    >>> datatool.move("model.bin", "models/").target
    'models/model.bin'

    Raises PathNotFound, UsageError for a part of an artifact, Refused where something lies at the target.
    """
    targets = names([source, target])
    with in_project(targets, project, progress) as (opened, call):
        return moving.move(opened, *targets, cwd=call.cwd, progress=call.progress)


@checked
def remove(
    paths: Paths, *, data: bool = False, project: Where | None = None, progress: Progress | None = None
) -> removing.RemoveResult:
    """Stop tracking; the data stays unless `data` says that it goes too, and git sees it again.

    >>> datatool.remove("data/raw")

    Objects stay in the cache and on the remotes. Raises PathNotFound, UsageError, Unsaved.
    """
    targets = names(paths)
    with in_project(targets, project, progress) as (opened, call):
        return removing.remove(opened, targets, cwd=call.cwd, data=data, progress=call.progress)
