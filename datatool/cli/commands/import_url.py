"""`datatool import-url`: get-url, and a pointer that remembers the URL."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated

from datatool.cli.command import command
from datatool.cli.declare import Argument, Option
from datatool.cli.options import Jobs, Url, UrlSettings
from datatool.cli.session import Session
from datatool.model.paths import show
from datatool.operations import import_url as operation
from datatool.operations.open_project import open_project
from datatool.operations.reach import Reach


@command(
    "datatool import-url s3://bucket/tables/2024 data/tables",
    "datatool import-url https://example.org/model.bin models/base.bin",
)
def import_url(
    session: Session,
    url: Url,
    out: Annotated[str | None, Argument(metavar="[OUT]", help="A new name, or a directory to put it into")] = None,
    no_download: Annotated[bool, Option("--no-download", help="Only write the pointer")] = False,
    force: Annotated[bool, Option("--force", help="Replace what is there; unsaved files go to lost+found")] = False,
    setting: UrlSettings = None,
    jobs: Jobs = None,
) -> int:
    """Download from a URL, and remember it.

    The pointer keeps the URL and what told the version there, so that `datatool update` can follow. It never keeps
    settings: those of a remote at or above the URL are used by themselves, others are typed again.
    """
    with open_project(None, flags=session.flags, environ=session.environ) as project:
        result = operation.import_url(
            project,
            url,
            cwd=session.cwd,
            out=out,
            download=not no_download,
            force=force,
            environ=session.environ,
            reach=Reach(settings=setting or (), offline=session.offline, jobs=jobs),
            progress=session.progress,
        )
        root = project.root

    def lines() -> Iterator[str]:
        for item in result.artifacts:
            what = "without its data" if no_download else f"{item.added:,} new"
            yield f"imported {session.see(root, item.path)} from {show(item.source.url or '')}  {what}"

    return session.finish(result, lines, chatter=True)
