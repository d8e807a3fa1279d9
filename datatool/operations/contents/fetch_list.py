"""What lists a tracked directory, without its files: for one who has to know what is pinned before it is needed."""

from __future__ import annotations

from datatool.errors import DatatoolError, PathNotFound
from datatool.model.paths import named
from datatool.operations.contents.pinned import Pinned
from datatool.progress import Progress
from datatool.project.project import Project
from datatool.workspace.pointers import Artifact


def bring_list(project: Project, artifact: Artifact, progress: Progress) -> None:
    """Have the list of an artifact's files in the cache. Raises PathNotFound, which says why it can't be had."""
    pinned = Pinned(project, near=lambda: None, remote=None, progress=progress)
    try:
        for _ in pinned.listed(artifact, b""):
            pass
    except DatatoolError as error:
        raise PathNotFound(
            f"{named(artifact.path)}: what it holds is not known here: {error.message}",
            hint=error.hint or f"datatool pull {named(artifact.path)}",
            path=artifact.name,
        ) from error
