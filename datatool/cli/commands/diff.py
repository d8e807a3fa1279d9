"""`datatool diff`: added, modified, deleted and renamed files."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

from datatool.cli.command import command
from datatool.cli.declare import Argument, Option
from datatool.cli.screen import aligned
from datatool.cli.session import Session
from datatool.model.figures import counted, human_size
from datatool.operations import diff as operation
from datatool.operations.open_project import open_project

DIFFERENT = 1

_COLOURS = {"added": "green", "modified": "yellow", "deleted": "red", "renamed": "blue"}


@command(
    "datatool diff",
    "datatool diff HEAD~1",
    "datatool diff v1.0 main -- data/raw",
    splits_dashes=True,
)
def diff(
    session: Session,
    words: Annotated[
        list[str] | None,
        Argument(metavar="[REV [REV]] [PATH…]", help="Revisions first, then paths; -- parts them where needed"),
    ] = None,
    exit_code: Annotated[bool, Option("--exit-code", help="Exit with 1 when there is a difference")] = False,
) -> int:
    """Show added, modified, deleted and renamed files.

    Compares HEAD with the workspace by default, one revision with the workspace, or two revisions with each other.
    """
    with open_project(None, flags=session.flags, environ=session.environ) as project:
        result = operation.diff(project, words or (), session.words_after_dashes, session.cwd)
        root = project.root
    code = session.finish(result, lambda: _lines(session, root, result))
    return code or (DIFFERENT if exit_code and result.changes else 0)


def _lines(session: Session, root: Path, result: operation.DiffResult) -> Iterator[str]:
    rows = []
    for item in result.changes:
        path = session.see(root, item.path)
        name = f"{session.see(root, item.old_path)} → {path}" if item.old_path else path
        rows.append((str(item.kind), name, _sizes(item.old_size, item.new_size)))
    for item, line in zip(result.changes, aligned(rows), strict=True):
        kind = str(item.kind)
        yield session.paint(kind, _COLOURS.get(kind, "dim")) + line[len(kind) :]
    if result.changes:
        counts = {kind: sum(item.kind == kind for item in result.changes) for kind in _COLOURS}
        summary = ", ".join(f"{number:,} {kind}" for kind, number in counts.items() if number)
        yield f"{counted(len(result.changes), 'file')}: {summary}"


def _sizes(old: int | None, new: int | None) -> str:
    if old is None or new is None or old == new:
        size = new if old is None else old
        return "" if size is None else human_size(size)
    return f"{human_size(old)} → {human_size(new)}"
