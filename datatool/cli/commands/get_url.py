"""`datatool get-url`: download a file or directory from a URL."""

from __future__ import annotations

from contextlib import nullcontext
from typing import Annotated

from datatool.cli.command import command
from datatool.cli.commands.get import got_line
from datatool.cli.declare import Argument, Option
from datatool.cli.options import Jobs, Url, UrlSettings
from datatool.cli.session import Session
from datatool.model.paths import show
from datatool.operations import get_url as operation
from datatool.operations.open_project import project_if_any
from datatool.operations.reach import Reach, settings_here

Out = Annotated[
    str | None, Argument(metavar="[OUT]", help="A new name, or a directory to put it into; here by default")
]


@command(
    "datatool get-url s3://bucket/tables/2024 tables",
    "datatool get-url https://example.org/model.bin",
    "datatool get-url ssh://lab/data/raw raw --set user=me",
)
def get_url(
    session: Session,
    url: Url,
    out: Out = None,
    force: Annotated[bool, Option("--force", help="Move what is in the way to lost+found first")] = False,
    setting: UrlSettings = None,
    jobs: Jobs = None,
) -> int:
    """Download a file or directory from a URL.

    Copies as `cp -r` would; no project is needed, and nothing else is overwritten. Behind s3:// stands a key as it is;
    in other URLs names are escaped (%20 is a blank).
    """
    project = project_if_any(flags=session.flags, environ=session.environ)
    with project or nullcontext():
        config = settings_here(project, flags=session.flags, environ=session.environ)
    result = operation.get_url(
        url,
        out=out,
        force=force,
        cwd=session.cwd,
        config=config,
        root=project.root if project is not None else None,
        environ=session.environ,
        reach=Reach(settings=setting or (), offline=session.offline, jobs=jobs),
        progress=session.progress,
    )
    got = result.got
    if got.saved_to:
        session.progress.hint(f"what was in the way is in {show(got.saved_to)}")
    if result.skipped:
        some = ", ".join(map(show, result.skipped[:5])) + (", …" if len(result.skipped) > 5 else "")
        session.progress.warn(f"left out, as they are neither files, links nor directories: {some}")
    return session.finish(result, lambda: [got_line(got)], chatter=True)
