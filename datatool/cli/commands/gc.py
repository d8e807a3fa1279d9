"""`datatool gc`: free the cache of what nobody needs."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Final

from datatool.cli.command import command
from datatool.cli.declare import Option
from datatool.cli.screen import aligned
from datatool.cli.session import Session
from datatool.model.figures import counted, human_size
from datatool.operations import gc as operation
from datatool.operations.open_project import open_project

_REASONS: Final = {
    "workspace": "named in a work tree",
    "git": "named in git: an index, a commit, a stash or a reflog",
    "runs": "records of runs, with what these read and made",
    "base": "last saved or checked out somewhere",
    "recent": "not needed, but new",
    "packed": "not needed, but in a pack that is",
}


@command(
    "datatool gc",
    "datatool gc --apply",
    "datatool gc --runs-older-than 30d --apply",
    nothing=operation.refused().to_dict(),
)
def gc(
    session: Session,
    remote: Annotated[
        str | None,
        Option("-r", "--remote", metavar="NAME", help="Not in this version: nothing is deleted from remotes"),
    ] = None,
    apply: Annotated[bool, Option("--apply", help="Do it; otherwise only say what would be done")] = False,
    keep_days: Annotated[
        int,
        Option(
            "--keep-days", metavar="N", min=0, help="Keep what came into the cache within so many days; 7 by default"
        ),
    ] = operation.KEEP_DAYS,
    runs_older_than: Annotated[
        str | None,
        Option(
            "--runs-older-than",
            metavar="AGE",
            help="Forget runs that ended longer ago (12h, 30d, 8w) and what they read and made",
        ),
    ] = None,
) -> int:
    """Free the cache of what nobody needs.

    Needed is what a pointer names: in a work tree, an index, any commit of a branch, tag, stash or reflog, of every
    project that uses the cache; and the records of runs with their inputs and outputs. With --apply the rest goes into
    the cache's trash, where whoever wants it still finds it, and what has lain there for 24 hours is deleted.
    """
    with open_project(None, flags=session.flags, environ=session.environ) as project:
        result = operation.collect_garbage(
            project,
            remote=remote,
            apply=apply,
            keep_days=keep_days,
            runs_older_than=runs_older_than,
            environ=session.environ,
            progress=session.progress,
        )
    return session.finish(result, lambda: _lines(result))


def _lines(result: operation.Collected) -> Iterator[str]:
    would = "" if result.applied else "would be "
    yield from aligned(
        [
            *(("kept", _amount(amount), _REASONS[why]) for why, amount in result.kept.items() if amount.objects),
            (f"{would}put into the trash", _amount(result.unneeded), "needed by nobody"),
            (f"{would}deleted", _amount(result.deleted), "in the trash for a day"),
            *([("in the trash", _amount(result.waiting), "for less than a day")] if result.waiting.objects else []),
        ]
    )
    if result.runs:
        yield f"{counted(result.runs, 'run')} {would}forgotten"
    if result.applied and result.unneeded.objects:
        yield "datatool gc --apply deletes what is in the trash from tomorrow on"
    elif not result.applied and (result.unneeded.objects or result.deleted.objects or result.runs):
        yield "datatool gc --apply does it"


def _amount(amount: operation.Counted) -> str:
    return f"{counted(amount.objects, 'object')}, {human_size(amount.bytes)}"
