"""`datatool reproduce`: make artifacts again from the records of their runs."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

from datatool.cli.command import command
from datatool.cli.declare import Option
from datatool.cli.options import DryRun, Targets
from datatool.cli.session import Session
from datatool.operations import reproduce as operation
from datatool.operations.open_project import open_project
from datatool.operations.run_command import Action, Surroundings


@command(
    "datatool reproduce model.bin",
    "datatool reproduce --dry-run report.html",
    "datatool reproduce --force model.bin",
)
def reproduce(
    session: Session,
    paths: Targets,
    force: Annotated[
        bool,
        Option("--force", help="Execute every run; unsaved outputs go to lost+found first"),
    ] = False,
    dry_run: DryRun = False,
) -> int:
    """Make artifacts again from the records of their runs.

    Follows the pointers to the records of their runs, and the inputs in those to the runs that made them. Each run is
    executed once, in that order; where nothing that determines it has changed, its outputs are brought back or left.
    Says of each whether the bytes came out as recorded.

    Commands and scripts can be repeated. Notebooks, blocks and stages that would have to run again are named, with what
    to do instead.
    """
    with open_project(None, flags=session.flags, environ=session.environ) as project:
        sys.stdout.flush()
        result = operation.reproduce(
            project,
            paths,
            Surroundings(environ=session.environ, stdout=2 if session.as_json else None, offline=session.offline),
            cwd=session.cwd,
            force=force,
            dry_run=dry_run,
            progress=session.progress,
        )
        root = project.root
    if not session.as_json:
        session.say(_lines(session, root, result))
    return session.finish(result, list)


def _lines(session: Session, root: Path, result: operation.ReproduceResult) -> Iterator[str]:
    said = {Action.EXECUTED: "executed", Action.RESTORED: "restored", Action.UNCHANGED: "unchanged"}
    would = {Action.EXECUTED: "would execute", Action.RESTORED: "would restore", Action.UNCHANGED: "unchanged"}
    for item in result.runs:
        paths = ", ".join(
            session.see(root, file.path.decode("utf-8", "surrogateescape"), directory=file.kind == "directory")
            for file in item.record.outputs
        )
        if item.error is not None:
            yield f"failed  {paths}  {item.shown}"
            continue
        came = ""
        if item.action is Action.EXECUTED and not result.dry_run:
            other = ", ".join(session.see(root, path) for path in item.differing)
            came = f"  other bytes than recorded: {other}" if other else "  the same bytes as recorded"
        yield f"{(would if result.dry_run else said)[item.action]}  {paths}  {item.shown}{came}"
