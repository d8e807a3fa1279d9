"""`datatool remove`: stop tracking."""

from __future__ import annotations

from typing import Annotated

from datatool.cli.command import command
from datatool.cli.declare import Option
from datatool.cli.options import Targets
from datatool.cli.session import Session
from datatool.operations import remove as operation
from datatool.operations.open_project import open_project


@command(
    "datatool remove data/raw",
    "datatool remove --data model.bin",
    nothing={"artifacts": [], "staged": []},
    words="paths",
)
def remove(
    session: Session,
    paths: Targets,
    data: Annotated[bool, Option("--data", help="Delete the data in the workspace too")] = False,
) -> int:
    """Stop tracking.

    Takes away the pointer and the ignore line; the data stays, and git sees it again, unless --data. Objects stay in
    the cache and on the remotes.
    """
    with open_project(None, flags=session.flags, environ=session.environ) as project:
        result = operation.remove(project, paths, cwd=session.cwd, data=data, progress=session.progress)
        root = project.root
    return session.finish(
        result,
        lambda: [f"no longer tracked  {session.see(root, item.path)}" for item in result.artifacts],
        chatter=True,
    )
