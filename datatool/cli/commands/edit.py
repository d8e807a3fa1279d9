"""`datatool edit`: make linked, read-only data writable."""

from __future__ import annotations

from datatool.cli.command import command
from datatool.cli.options import Targets
from datatool.cli.session import Session
from datatool.model.figures import counted
from datatool.operations import edit as operation
from datatool.operations.open_project import open_project


@command("datatool edit data/raw/table.csv", "datatool edit data/raw", words="paths")
def edit(session: Session, paths: Targets) -> int:
    """Make linked, read-only data writable.

    Files that are links into the cache become copies; the cache is not touched. Copies and reflinks are writable
    anyway and stay as they are.
    """
    with open_project(None, flags=session.flags, environ=session.environ) as project:
        result = operation.edit(project, paths, cwd=session.cwd, progress=session.progress)
        root = project.root
    return session.finish(
        result,
        lambda: (
            f"{session.see(root, item.path)}: {counted(item.unlinked, 'file')} made writable"
            for item in result.artifacts
        ),
        chatter=True,
    )
