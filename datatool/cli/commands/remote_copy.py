"""`datatool remote copy`: copy one remote to another."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated

from datatool.cli.command import command
from datatool.cli.declare import Argument
from datatool.cli.options import DryRun, Jobs
from datatool.cli.session import Session
from datatool.model.figures import counted, human_size
from datatool.model.paths import show
from datatool.operations.open_project import open_project
from datatool.operations.remote_copy import copy_remote


@command("datatool remote copy origin backup", "datatool remote copy origin backup --dry-run")
def copy(
    session: Session,
    source: Annotated[str, Argument(metavar="FROM", help="The remote to read from")],
    target: Annotated[str, Argument(metavar="TO", help="The remote to write to")],
    dry_run: DryRun = False,
    jobs: Jobs = None,
) -> int:
    """Copy one remote to another.

    Copies everything that was ever pushed to the first one and still counts, whoever pushed it, and leaves what the
    second one has. Every byte is checked on its way; run it again after an interruption.
    """
    with open_project(None, flags=session.flags, environ=session.environ) as project:
        result = copy_remote(
            project,
            source,
            target,
            dry_run=dry_run,
            jobs=jobs,
            offline=session.offline,
            progress=session.progress,
        )

    def lines() -> Iterator[str]:
        verb = "would copy" if dry_run else "copied"
        places = f"{show(result.source)} → {show(result.target)}"
        yield f"{verb} {counted(result.objects, 'object')}, {human_size(result.bytes)} ({places})"
        if not dry_run:
            yield f"{counted(result.versions, 'version')} complete on {show(result.target)}"

    return session.finish(result, lines, chatter=True)
