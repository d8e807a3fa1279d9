"""Beginning a project and looking after it, as on the command line: init, clone, migrate, doctor."""

from __future__ import annotations

import os

from datatool.api.calls import call, settled
from datatool.api.options import checked
from datatool.api.words import Where
from datatool.operations import clone as cloning
from datatool.operations import doctor as examining
from datatool.operations import init as beginning
from datatool.operations import migrate as migrating
from datatool.progress import Progress


@checked
def init(
    directory: Where = ".", *, remote: str | None = None, roles: bool = False, progress: Progress | None = None
) -> beginning.InitResult:
    """Make the git repository around a directory a project; `git init` is run where there is none. Safe to repeat.

    >>> datatool.init("study", remote="/mnt/share/data").created
    True

    `roles` makes directories for sources, intermediates and results. Nothing is committed. Raises UsageError,
    LocalError.
    """
    made = call(None, progress)
    return beginning.init(made.cwd / directory, remote=remote, roles=roles, progress=made.progress)


@checked
def clone(
    url: Where,
    directory: Where | None = None,
    *,
    no_pull: bool = False,
    jobs: int | None = None,
    offline: bool = False,
    progress: Progress | None = None,
) -> cloning.CloneResult:
    """Clone a project with git and pull its data, unless `no_pull`.

    >>> datatool.clone("https://example.org/study.git", "study").pull.bytes

    Raises what git says as GitError, and what `pull` raises; the clone stays.
    """
    made = call(None, progress, offline=offline)
    result = cloning.clone(
        os.fspath(url),
        None if directory is None else os.fspath(directory),
        pull=not no_pull,
        flags=made.flags,
        environ=made.environ,
        jobs=jobs,
        offline=made.offline,
        progress=made.progress,
    )
    return settled(result)


@checked
def migrate(
    *,
    dry_run: bool = False,
    jobs: int | None = None,
    project: Where | None = None,
    progress: Progress | None = None,
) -> migrating.MigrateResult:
    """Turn a project of DVC or Git LFS into one of ours; nothing is downloaded, nothing committed.

    >>> [item.path for item in datatool.migrate(dry_run=True).artifacts]

    What can't be taken over is left as it was, and is in the error's `result`. Raises LocalError, PartlyDone, Refused.
    """
    made = call(project, progress)
    result = migrating.migrate(made.cwd, dry_run=dry_run, environ=made.environ, jobs=jobs, progress=made.progress)
    return settled(result)


@checked
def doctor(*, offline: bool = False, project: Where | None = None) -> examining.DoctorReport:
    """A health report of git, links, cache and remotes, without credentials.

    >>> [check.detail for check in datatool.doctor().checks if check.status == "failed"]

    A failed check is no error: see `ok`.
    """
    made = call(project, None, offline=offline)
    return examining.doctor(made.cwd, made.environ, offline=made.offline)
