"""`datatool get`: download from a registry."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import nullcontext
from typing import Annotated

from datatool.cli.command import command
from datatool.cli.declare import Argument, Option
from datatool.cli.options import Jobs, RemoteSettings, RemoteUrl, SourceRevision
from datatool.cli.session import Session
from datatool.model.figures import counted, human_size
from datatool.model.paths import show
from datatool.operations import get as operation
from datatool.operations.landing import Got
from datatool.operations.open_project import project_if_any
from datatool.operations.reach import Reach, settings_here

Repo = Annotated[str, Argument(metavar="REPO", help="A registry: a path, a URL that git understands, or its name")]


@command(
    "datatool get https://example.org/registry.git music/songs",
    "datatool get ../registry model.bin -o best.bin --rev v1.0",
)
def get(
    session: Session,
    repo: Repo,
    paths: Annotated[list[str], Argument(metavar="PATH…", help="Files or directories of the registry")],
    out: Annotated[
        str | None, Option("-o", "--out", metavar="OUT", help="A new name, or a directory to put it into")
    ] = None,
    rev: SourceRevision = None,
    force: Annotated[bool, Option("--force", help="Move what is in the way to lost+found first")] = False,
    remote: RemoteUrl = None,
    setting: RemoteSettings = None,
    jobs: Jobs = None,
) -> int:
    """Download from a registry.

    Copies as `cp -r` would; no project is needed. Every byte is checked, and nothing else is overwritten.
    """
    project = project_if_any(flags=session.flags, environ=session.environ)
    with project or nullcontext():
        config = settings_here(project, flags=session.flags, environ=session.environ)
    result = operation.get(
        repo,
        paths,
        out=out,
        rev=rev,
        force=force,
        cwd=session.cwd,
        config=config,
        environ=session.environ,
        reach=Reach(remote=remote, settings=setting or (), offline=session.offline, jobs=jobs),
        progress=session.progress,
    )
    for item in result.artifacts:
        if item.saved_to:
            session.progress.hint(f"{show(item.path)}: what was in the way is in {show(item.saved_to)}")
    if result.left_out:
        some = ", ".join(show(path) for path in result.left_out[:5]) + (", …" if len(result.left_out) > 5 else "")
        session.progress.hint(f"left out, as they only serve git or datatool: {some}")

    def lines() -> Iterator[str]:
        yield from (got_line(item) for item in result.artifacts if item.written or not item.errors)

    return session.finish(result, lines, chatter=True)


def got_line(item: Got) -> str:
    """What was brought, for a person."""
    return f"{show(item.path)} → {show(item.out)}  {counted(item.files, 'file')}, {human_size(item.size)}"
