"""`datatool update`: bring imports up to date."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated

from datatool.cli.command import command
from datatool.cli.declare import Option
from datatool.cli.options import DryRun, Jobs, OptionalTargets, RemoteUrl
from datatool.cli.session import Session
from datatool.operations import update as operation
from datatool.operations.imports import Imported
from datatool.operations.open_project import open_project
from datatool.operations.reach import Reach
from datatool.operations.update_url import UNTOLD


@command("datatool update", "datatool update models/base.bin --rev v2.0", "datatool update --check", words="paths")
def update(
    session: Session,
    paths: OptionalTargets = None,
    rev: Annotated[
        str | None, Option("--rev", metavar="REV", help="Go to this revision, and follow it from now on")
    ] = None,
    latest: Annotated[bool, Option("--latest", help="Follow the source's default branch again")] = False,
    check: Annotated[bool, Option("--check", help="Only ask whether there is something newer")] = False,
    dry_run: DryRun = False,
    force: Annotated[bool, Option("--force", help="Move unsaved files to lost+found first")] = False,
    remote: RemoteUrl = None,
    setting: Annotated[
        list[str] | None,
        Option("--set", metavar="K=V", help="A setting of --remote, or of an import's URL; repeat for more"),
    ] = None,
    jobs: Jobs = None,
) -> int:
    """Bring imports up to date.

    Only new objects travel; of an import from a URL, only files of which another version is told there. Unsaved files
    stop their import, and one that fails is left as it was.
    """
    with open_project(None, flags=session.flags, environ=session.environ) as project:
        result = operation.update(
            project,
            paths or (),
            cwd=session.cwd,
            rev=rev,
            latest=latest,
            check=check,
            thorough=check,
            dry_run=dry_run,
            force=force,
            environ=session.environ,
            reach=Reach(remote=remote, settings=setting or (), offline=session.offline, jobs=jobs),
            progress=session.progress,
        )
        root = project.root

    def lines() -> Iterator[str]:
        for item in result.artifacts:
            yield f"{session.see(root, item.path)}  {_news(item)}"
        if not result.artifacts and not result.failed:
            yield "nothing here was imported"

    return session.finish(result, lines, chatter=not check and not dry_run)


def _news(item: Imported) -> str:
    if item.source.url is not None:
        return _news_at_url(item)
    if item.available is not None:
        counts = _counts(item)
        return f"can be updated to {item.available[:10]}" + (f": {counts}" if counts else "")
    if item.changed:
        return f"updated to {(item.source.commit or '')[:10]}: {_counts(item) or 'same content'}"
    return "up to date"


def _news_at_url(item: Imported) -> str:
    counts = _counts(item)
    if item.available == UNTOLD:
        return "may be another one now: its server does not tell versions" + (f": {counts}" if counts else "")
    if item.available is not None:
        return "can be updated" + (f": {counts}" if counts else "")
    return f"updated: {counts or 'same content'}" if item.changed else "up to date"


def _counts(item: Imported) -> str:
    named = ((item.added, "new"), (item.modified, "changed"), (item.deleted, "deleted"))
    return ", ".join(f"{count:,} {word}" for count, word in named if count)
