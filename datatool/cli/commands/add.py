"""`datatool add`: track files or directories."""

from __future__ import annotations

from typing import Annotated

from datatool.cli.command import command
from datatool.cli.declare import Argument, Option
from datatool.cli.options import Jobs
from datatool.cli.session import Session
from datatool.model.figures import counted, human_size
from datatool.model.pointer import Role
from datatool.operations import add as operation
from datatool.operations.open_project import open_project


@command(
    "datatool add data/raw",
    "datatool add model.bin --role result --label baseline",
    "datatool add -- -strange-name",
    nothing={"artifacts": [], "staged": []},
    words="files",
)
def add(
    session: Session,
    files: Annotated[list[str], Argument(metavar="PATH…", help="Files or directories")],
    description: Annotated[str | None, Option("--description", metavar="TEXT", help="What it is")] = None,
    label: Annotated[list[str] | None, Option("--label", metavar="LABEL", help="A label; repeat for more")] = None,
    role: Annotated[Role | None, Option("--role", metavar="ROLE", help="source, intermediate, result or code")] = None,
    remote: Annotated[str | None, Option("--remote", metavar="NAME", help="Push it to this remote")] = None,
    follow: Annotated[bool, Option("--follow", help="Store what links out of the artifact point to")] = False,
    prune: Annotated[bool, Option("--prune", help="Drop entries that were never fetched here")] = False,
    force: Annotated[
        bool, Option("--force", help="Take paths that git tracks out of git, and unfinished files")
    ] = False,
    jobs: Jobs = None,
) -> int:
    """Track files or directories.

    Saves the content into the cache, writes a pointer beside each, keeps the data out of git and stages both in git.
    Adding again records the new version. A path inside a tracked directory updates that directory. Of several paths
    either all are added or none.
    """
    with open_project(None, flags=session.flags, environ=session.environ) as project:
        result = operation.add(
            project,
            files,
            cwd=session.cwd,
            description=description,
            labels=label or (),
            role=role.value if role else None,
            remote=remote,
            follow=follow,
            prune=prune,
            force=force,
            jobs=jobs,
            progress=session.progress,
        )
        root = project.root

    def lines() -> list[str]:
        said = []
        for item in result.artifacts:
            directory = item.kind == "directory"
            figures = [counted(item.files, "file")] if directory and item.files is not None else []
            figures.append(human_size(item.size))
            what = "added" if item.changed else "unchanged"
            said.append(f"{what}  {session.see(root, item.path, directory=directory)}  {', '.join(figures)}")
        if result.staged and any(item.changed for item in result.artifacts):
            said.append(f"staged in git: {', '.join(session.see(root, path) for path in result.staged)}")
        return said

    return session.finish(result, lines, chatter=True)
