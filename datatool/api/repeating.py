"""Making results again from the records of their runs, as on the command line: reproduce."""

from __future__ import annotations

from datatool.api.calls import Paths, in_project, names, settled
from datatool.api.options import checked
from datatool.api.words import Where
from datatool.operations import reproduce as repeating
from datatool.operations.run_command import Surroundings
from datatool.progress import Progress


@checked
def reproduce(
    paths: Paths,
    *,
    force: bool = False,
    dry_run: bool = False,
    offline: bool = False,
    project: Where | None = None,
    progress: Progress | None = None,
) -> repeating.ReproduceResult:
    """Make artifacts again from the records of the runs that made them, and those that made what they read.

    >>> [(item.name, str(item.action), item.differing) for item in datatool.reproduce("model.bin").runs]

    Each run is executed once, in order; where nothing that determines it has changed, its outputs are brought back or
    left. `force` executes all of them, unsaved outputs go to `lost+found` first; `dry_run` only says what would be
    done.

    Raises PathNotFound, UsageError for what can't be repeated, and what stopped a run (CommandFailed among others),
    with the runs before it in the error's `result`.
    """
    targets = names(paths)
    with in_project(targets, project, progress, offline=offline) as (opened, call):
        result = repeating.reproduce(
            opened,
            targets,
            Surroundings(environ=call.environ, offline=call.offline),
            cwd=call.cwd,
            force=force,
            dry_run=dry_run,
            progress=call.progress,
        )
    return settled(result)
