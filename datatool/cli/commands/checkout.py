"""`datatool checkout`: make the workspace match the pointers."""

from __future__ import annotations

from typing import Annotated

from datatool.cli.checkouts import checkout_lines
from datatool.cli.command import command
from datatool.cli.declare import Option
from datatool.cli.options import DataTargets, Revision
from datatool.cli.session import Session
from datatool.cli.targets import meant_by
from datatool.operations import checkout as operation
from datatool.operations.open_project import open_project


@command(
    "datatool checkout",
    "datatool checkout data/raw --rev v1.0",
    "datatool checkout --force model.bin",
    nothing={"artifacts": [], "staged": []},
    words="paths",
)
def checkout(
    session: Session,
    paths: DataTargets = None,
    rev: Revision = None,
    force: Annotated[bool, Option("--force", help="Move unsaved files to lost+found first")] = False,
    relink: Annotated[bool, Option("--relink", help="Apply the configured link type to files in place")] = False,
) -> int:
    """Make the workspace match the pointers.

    Takes everything from the cache and never asks a remote. Unsaved files are not touched without --force. With --rev
    the old data comes back and the old pointer is staged, as `git checkout REV -- PATH` does for code; the pointer of
    an artifact that is refused, or fails, stays as it is.
    """
    with open_project(None, flags=session.flags, environ=session.environ) as project:
        meant = meant_by(session, project, paths)
        result = operation.checkout(
            project,
            meant.targets,
            cwd=session.cwd,
            rev=rev,
            force=force,
            relink=relink,
            lacking=meant.lacking,
            progress=session.progress,
        )
        root = project.root
    return session.finish(result, lambda: checkout_lines(session, root, result), chatter=True)
