"""`datatool move`: move data, pointer and ignore line together."""

from __future__ import annotations

from typing import Annotated

from datatool.cli.command import command
from datatool.cli.declare import Argument
from datatool.cli.session import Session
from datatool.operations import move as operation
from datatool.operations.open_project import open_project


@command("datatool move data/raw data/2024", "datatool move model.bin models/")
def move(
    session: Session,
    source: Annotated[str, Argument(metavar="SRC", help="An artifact")],
    target: Annotated[str, Argument(metavar="DST", help="Its new name, or a directory to move it into")],
) -> int:
    """Move data, pointer and ignore line together.

    Works like `mv`, for whole artifacts.
    """
    with open_project(None, flags=session.flags, environ=session.environ) as project:
        result = operation.move(project, source, target, cwd=session.cwd, progress=session.progress)
        root = project.root
    return session.finish(
        result,
        lambda: [f"moved  {session.see(root, result.source)} → {session.see(root, result.target)}"],
        chatter=True,
    )
