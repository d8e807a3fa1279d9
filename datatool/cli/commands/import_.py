"""`datatool import`: get, and a pointer that remembers the source."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated

from datatool.cli.command import command
from datatool.cli.commands.get import Repo
from datatool.cli.declare import Argument, Option
from datatool.cli.options import Jobs, RemoteSettings, RemoteUrl, SourceRevision
from datatool.cli.session import Session
from datatool.model.paths import show
from datatool.operations import import_ as operation
from datatool.operations.open_project import open_project
from datatool.operations.reach import Reach


@command(
    "datatool import https://example.org/registry.git music/songs",
    "datatool import ../registry model.bin -o models/base.bin --rev v1.0",
)
def import_(
    session: Session,
    repo: Repo,
    path: Annotated[str, Argument(metavar="PATH", help="A file or directory of the registry")],
    out: Annotated[
        str | None, Option("-o", "--out", metavar="OUT", help="A new name, or a directory to put it into")
    ] = None,
    rev: SourceRevision = None,
    no_download: Annotated[bool, Option("--no-download", help="Only write the pointer")] = False,
    force: Annotated[bool, Option("--force", help="Replace what is there; unsaved files go to lost+found")] = False,
    remote: RemoteUrl = None,
    setting: RemoteSettings = None,
    jobs: Jobs = None,
) -> int:
    """Get from a registry, and remember the source.

    The pointer keeps repository, path, revision and commit, so that `datatool update` can follow.
    """
    with open_project(None, flags=session.flags, environ=session.environ) as project:
        result = operation.import_(
            project,
            repo,
            path,
            cwd=session.cwd,
            out=out,
            rev=rev,
            download=not no_download,
            force=force,
            environ=session.environ,
            reach=Reach(remote=remote, settings=setting or (), offline=session.offline, jobs=jobs),
            progress=session.progress,
        )
        root = project.root

    def lines() -> Iterator[str]:
        for item in result.artifacts:
            where = f"{show(item.source.repo or '')} at {(item.source.commit or '')[:10]}"
            what = "without its data" if no_download else f"{item.added:,} new"
            yield f"imported {session.see(root, item.path)} from {where}  {what}"

    return session.finish(result, lines, chatter=True)
