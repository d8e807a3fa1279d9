"""Free the cache of what nobody needs: no branch, tag, stash, work tree, run record, nor another user of it."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from datatool.cache.gc import Amount, Keep, Plan, apply_plan, plan_for, time_of
from datatool.errors import GitError, ReadFailed, Refused, UsageError
from datatool.git.reachable import reachable_pointers
from datatool.index.state import bases_in
from datatool.localfs.atomic import remove_file
from datatool.model.span import seconds_of
from datatool.operations.cache_users import CacheUser, cache_users
from datatool.operations.needed import NeededObjects
from datatool.operations.needed_runs import need_runs
from datatool.operations.result import Part, Result
from datatool.progress import SILENT, Progress
from datatool.project.project import Project
from datatool.workspace.references import references

KEEP_DAYS: Final = 7
"""What came into the cache within so many days stays: somebody may be about to record it."""
_DAY: Final = 86_400_000_000_000


@dataclass(frozen=True, kw_only=True, slots=True)
class Counted(Part):
    """So many objects, of so many bytes in the cache."""

    objects: int
    bytes: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Collected(Result):
    """What gc did, or would do unless it is `applied`: `unneeded` objects go into the trash, from which those `deleted`
    go for good, while those `waiting` have not lain there for a day. `kept` counts the others, by the first reason that
    holds. `packs` are thrown away, of which `rewritten` had something needed in them; `runs` are records that are
    forgotten; `users` the projects that were asked, this one first."""

    applied: bool
    unneeded: Counted
    deleted: Counted
    waiting: Counted
    kept: Mapping[str, Counted]
    packs: int
    rewritten: int
    runs: int
    users: tuple[str, ...]


def collect_garbage(
    project: Project,
    *,
    remote: str | None = None,
    apply: bool = False,
    keep_days: int = KEEP_DAYS,
    runs_older_than: str | None = None,
    environ: Mapping[str, str],
    progress: Progress = SILENT,
) -> Collected:
    """Find what nobody needs; with `apply` move it into the cache's trash, and delete what has lain there for a day.

    `keep_days`: what came into the cache within so many days stays. `runs_older_than` (`30d`): older run records keep
    neither their inputs and outputs nor, unless a pointer names them, themselves. Raises UsageError for a `remote`,
    Refused where a user of the cache can't be asked, DamageFound where a list of what is needed was damaged,
    LocalError.
    """
    if remote is not None:
        raise UsageError(
            f"remote {remote}: this version of datatool deletes nothing from remotes",
            hint="leave out -r to free the cache on this machine",
        )
    before = None if runs_older_than is None else time.time() - _span(runs_older_than)
    users = cache_users(project)
    cache = project.cache
    if not cache.top.is_dir():
        return _collected(Plan(), (), users, applied=apply)
    now = time_of(cache)
    needed = NeededObjects(cache)
    with progress.task("looking for what is needed"):
        for user in users:
            _need_pointers(needed, user, cache.top)
        old = need_runs(needed, cache, before=before)
        for user in users:
            for path in user.states(environ):
                for oid in bases_in(path):
                    needed.version(oid, None, Keep.BASE)
        needed.refuse_damage()
        made = plan_for(cache, needed.found, now=now, keep_ns=keep_days * _DAY)
    if apply:
        for look_up in old:  # first: whoever finds a record by one would bring it back
            remove_file(look_up)
        with progress.task("freeing the cache", files=made.count) as task:
            apply_plan(cache, made, lambda: task.advance(files=1))
    return _collected(made, old, users, applied=apply)


def refused() -> Collected:
    """What gc did where it was refused: nothing."""
    return _collected(Plan(), (), [], applied=False)


def _span(text: str) -> float:
    seconds = seconds_of(text)
    if seconds is None:
        raise UsageError(f"{text}: is no span of time", hint='write it as "12h", "30d" or "8w"')
    return seconds


def _need_pointers(needed: NeededObjects, user: CacheUser, cache_top: Path) -> None:
    """Work trees before indexes before commits: as that is the way a pointer goes, none is overlooked on it."""
    try:
        for tree in user.trees:
            for found in references(tree.top, leave_out=cache_top) if tree.top is not None else ():
                if isinstance(found, bytes):
                    needed.pointer(found, Keep.WORKSPACE)
                else:
                    needed.version(found, None, Keep.WORKSPACE)
        for text in reachable_pointers(user.trees) if user.git else ():
            needed.pointer(text, Keep.GIT)
    except (GitError, ReadFailed) as error:
        raise Refused(
            f"{user.name}: uses this cache, and can't be read, so nobody knows what it needs: {error.message}",
            hint=error.hint,
            path=error.path,
        ) from error


def _collected(made: Plan, old: tuple[Path, ...], users: list[CacheUser], *, applied: bool) -> Collected:
    return Collected(
        applied=applied,
        unneeded=_counted(made.unneeded),
        deleted=_counted(made.deleted),
        waiting=_counted(made.waiting),
        kept={str(why): _counted(amount) for why, amount in made.kept.items()},
        packs=len(made.packs),
        rewritten=sum(bool(pack.needed) for pack in made.packs),
        runs=len(old),
        users=tuple(user.name for user in users),
    )


def _counted(amount: Amount) -> Counted:
    return Counted(objects=amount.objects, bytes=amount.bytes)
