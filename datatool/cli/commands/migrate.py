"""`datatool migrate`: turn a project of DVC or Git LFS into one of ours."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from datatool.cli.command import command
from datatool.cli.options import DryRun, Jobs
from datatool.cli.session import Session
from datatool.model.figures import counted, human_size
from datatool.model.paths import show
from datatool.operations import migrate as operation


@command("datatool migrate --dry-run", "datatool migrate")
def migrate(
    session: Session,
    dry_run: DryRun = False,
    jobs: Jobs = None,
) -> int:
    """Turn a project of DVC or Git LFS into one of ours.

    Data comes from DVC's cache and Git LFS's objects on this machine, nothing is downloaded; it is checked on the way.
    Pointers, remotes and ignore lines become ours as one staged change: look with `git diff --staged`, then commit.
    Pipelines are listed and stay DVC's. What can't be taken over is left as it was; running it again goes on.
    """
    result = operation.migrate(Path(), dry_run=dry_run, environ=session.environ, jobs=jobs, progress=session.progress)
    return session.finish(result, lambda: _lines(result), chatter=True)


def _lines(result: operation.MigrateResult) -> Iterator[str]:
    verb = "would take over" if result.dry_run else "took over"
    for item in result.artifacts:
        files = f"{counted(item.files, 'file')}  " if item.files is not None else ""
        size = human_size(item.size) if item.size is not None else ""
        yield f"{verb}  {show(item.path)}  {files}{size}".rstrip()
    for path, reason in result.stays:
        yield f"stays DVC's  {show(path)}  {show(reason)}"
    if result.remotes:
        yield f"remotes: {', '.join(map(show, result.remotes))}"
    for what in result.skipped:
        yield f"not taken over: {show(what)}"
    if not result.artifacts and not result.failed:
        yield "nothing to migrate"
    elif not result.dry_run and result.artifacts:
        yield "git diff --staged shows the change; git commit makes it, then datatool push sends the data"
