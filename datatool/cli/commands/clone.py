"""`datatool clone`: clone a project with git and pull its data."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

from datatool.cli.command import command
from datatool.cli.commands.pull import pull_lines
from datatool.cli.declare import Argument, Option
from datatool.cli.options import Jobs
from datatool.cli.session import Session
from datatool.model.paths import show
from datatool.operations import clone as operation


@command("datatool clone https://example.org/study.git", "datatool clone /srv/git/study here --no-pull")
def clone(
    session: Session,
    url: Annotated[str, Argument(metavar="URL", help="Any URL or path that git clones")],
    directory: Annotated[str | None, Argument(metavar="[DIR]", help="Where to; git's choice by default")] = None,
    no_pull: Annotated[bool, Option("--no-pull", help="Leave the data for later")] = False,
    jobs: Jobs = None,
) -> int:
    """Clone a project with git and pull its data.

    The same as `git clone` followed by `datatool pull` inside.
    """
    result = operation.clone(
        url,
        directory,
        pull=not no_pull,
        flags=session.flags,
        environ=session.environ,
        jobs=jobs,
        offline=session.offline,
        progress=session.progress,
    )

    def lines() -> Iterator[str]:
        yield f"cloned into {show(result.root)}"
        if result.pull:
            yield from pull_lines(session, Path(result.root), result.pull)

    return session.finish(result, lines, chatter=True)
