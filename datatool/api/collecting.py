"""Freeing the cache, as on the command line: gc."""

from __future__ import annotations

from datatool.api.calls import in_project
from datatool.api.options import checked
from datatool.api.words import Where
from datatool.operations import gc as collecting
from datatool.progress import Progress


@checked
def gc(
    *,
    remote: str | None = None,
    apply: bool = False,
    keep_days: int = collecting.KEEP_DAYS,
    runs_older_than: str | None = None,
    project: Where | None = None,
    progress: Progress | None = None,
) -> collecting.Collected:
    """Free the cache of what nobody needs: no work tree, commit, stash, reflog, run record or other user of it.

    >>> plan = datatool.gc(runs_older_than="30d")
    >>> plan.unneeded.objects, plan.unneeded.bytes
    (1200, 73400320)

    Without `apply` it only says what would be done. With it, what is not needed and older than `keep_days` goes into
    the cache's trash, where whoever wants it still finds it, and what has lain there for 24 hours is deleted. What
    runs read and made that ended longer ago than `runs_older_than` (`12h`, `30d`, `8w`) is no longer needed.

    Raises Refused where it can't be told what others need, UsageError for a `remote`, from which this version deletes
    nothing.
    """
    with in_project((), project, progress) as (opened, call):
        return collecting.collect_garbage(
            opened,
            remote=remote,
            apply=apply,
            keep_days=keep_days,
            runs_older_than=runs_older_than,
            environ=call.environ,
            progress=call.progress,
        )
