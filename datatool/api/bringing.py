"""Door 4 of 8 for imports at first use: what fetches is loaded when something is missing, what records when something
is new, and most often nothing is.

All that knows remotes and registries takes twice as long to load as all the rest of `track()`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from datatool.errors import DatatoolError
from datatool.forks import importing
from datatool.progress import Progress

if TYPE_CHECKING:
    from datatool.operations.stage.share import Sharing
    from datatool.operations.track.recording import Recording
    from datatool.project.project import Project
    from datatool.workspace.pointers import Artifact


def bring(project: Project, targets: Sequence[str], progress: Progress) -> list[DatatoolError]:
    """What `pull PATH…` does; gives what went wrong with some of them. Raises RemoteNotFound, RemoteError."""
    with importing:
        from datatool.operations.pull import pull

    found = pull(project, targets, cwd=project.root, progress=progress)
    return [item.error.error for item in found.artifacts if item.error is not None]


def bring_list(project: Project, artifact: Artifact, progress: Progress) -> None:
    """Only what lists a tracked directory. Raises PathNotFound where nobody has it."""
    with importing:
        from datatool.operations.contents.fetch_list import bring_list

    bring_list(project, artifact, progress)


def bring_rest(project: Project, artifact: Artifact, within: bytes, progress: Progress) -> list[DatatoolError]:
    """What was never here of a directory that was fetched in part and edited since: see there."""
    with importing:
        from datatool.operations.track.rest import bring_rest

    return bring_rest(project, artifact, within, progress)


def record(project: Project, progress: Progress) -> Recording:
    """What changes files and pointers of a project: see there."""
    with importing:
        from datatool.operations.track.recording import Recording

    return Recording(project, progress)


def sharing(project: Project, progress: Progress) -> Sharing:
    """What stages have to do with a project's remotes: see there."""
    with importing:
        from datatool.operations.stage.share import Sharing

    return Sharing(project, progress)
