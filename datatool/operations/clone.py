"""`git clone` and `pull` in one."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from datatool.errors import DatatoolError, ProjectNotFound, RemoteNotFound, UsageError
from datatool.git.clone import clone as git_clone
from datatool.git.clone import default_directory
from datatool.operations.failures import Failure
from datatool.operations.pull import PullResult
from datatool.operations.pull import pull as pull_data
from datatool.operations.result import Result
from datatool.progress import SILENT, Progress
from datatool.project.project import open_project


@dataclass(frozen=True, kw_only=True, slots=True)
class CloneResult(Result):
    """Where the clone is, and what was pulled (None without a project in it, without a remote, or if not wanted)."""

    root: str
    pull: PullResult | None

    @property
    def problems(self) -> tuple[Failure, ...]:
        """What failed while the rest went on."""
        return self.pull.problems if self.pull is not None else ()

    @property
    def finished(self) -> bool:
        """Whether anything was done in spite of the problems."""
        return self.pull is not None and self.pull.finished


def clone(
    url: str,
    directory: str | None = None,
    *,
    pull: bool = True,
    flags: Mapping[str, str],
    environ: Mapping[str, str],
    jobs: int | None = None,
    offline: bool = False,
    progress: Progress = SILENT,
) -> CloneResult:
    """Clone a repository with the user's own git, then pull its data.

    A relative remote of the project is relative to the new clone. Raises what git says, and what pull raises; the
    clone stays.
    """
    if offline and "://" in url and not url.startswith("file://"):
        raise UsageError(f"{url}: can't be cloned offline", hint="leave out --offline")
    target = Path(directory if directory is not None else default_directory(url))
    root = git_clone(url, target, progress_to_stderr=False)
    if not pull:
        return CloneResult(root=os.fspath(root), pull=None)
    try:
        with open_project(root, flags=flags, environ=environ) as project:
            done = pull_data(project, cwd=project.root, jobs=jobs, offline=offline, progress=progress)
    except ProjectNotFound:
        progress.warn(f"{root}: no datatool project, so there is no data to pull")
        return CloneResult(root=os.fspath(root), pull=None)
    except RemoteNotFound as error:
        progress.warn(f"{error.message}; the data was not pulled", hint=error.hint)
        return CloneResult(root=os.fspath(root), pull=None)
    except DatatoolError as error:
        error.hint = f"the clone is in {root}; there, datatool pull goes on" + (
            f" ({error.hint})" if error.hint else ""
        )
        raise
    return CloneResult(root=os.fspath(root), pull=done)
