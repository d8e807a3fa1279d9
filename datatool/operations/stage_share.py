"""Sending results of stages to the project's remotes, so that nobody else computes them again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from datatool.errors import DatatoolError
from datatool.model.oid import ObjectId
from datatool.model.pointer import ArtifactKind, Pointer
from datatool.model.run import RunFile, RunRecord
from datatool.operations.push import push_group
from datatool.operations.remote_access import connect_to, named_in_hints
from datatool.operations.remote_names import write_names
from datatool.operations.stage_results import Result
from datatool.operations.transfer_result import Totals
from datatool.operations.versions import Version
from datatool.progress import Progress
from datatool.project.project import Project

_NO_OWN_REMOTE = Pointer(kind=ArtifactKind.FILE, oid=None)


def share_results(project: Project, results: Sequence[Result], *, progress: Progress) -> bool:
    """Push results with their records; pickles stay. Whether all of it is on the remotes: what can't be pushed is told
    as a warning, since the results are here all the same."""
    shared = {result.run: result.record for result in results if result.record.stage and not result.record.stage.seal}
    if len(shared) < len(results):
        names = sorted({result.record.name for result in results if result.run not in shared})
        progress.warn(
            f"stage {', '.join(names)}: its result is a pickle, which stays on this machine",
            hint='format="parquet", "json" or another of those that anybody can read makes it shareable',
        )
    if not shared:
        return not results
    try:
        send(project, shared, (), progress=progress)
    except DatatoolError as error:
        progress.warn(f"results of stages are not shared: {error.message}", hint=error.hint)
        return False
    return len(shared) == len(results)


def send(project: Project, runs: Mapping[ObjectId, RunRecord], files: Sequence[RunFile], *, progress: Progress) -> None:
    """Push records with their outputs, and files that the cache has. Raises RemoteNotFound, RemoteError, and what
    is wrong with a file that the cache lacks."""
    versions = [Version(path=file.path, pointer=file.pointer) for file in files]
    for name in write_names(project, None, _NO_OWN_REMOTE):
        connection = connect_to(project, name, offline=False)
        with named_in_hints(name):
            sent = push_group(project, connection, versions, runs, Totals(), False, False, False, progress)
        for item in sent:
            if item.error is not None:
                raise item.error.error
