"""Finding an earlier run whose result still holds, and seeing that its outputs are here."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from datatool.errors import DamageFound, DatatoolError
from datatool.model.run import RunFile
from datatool.operations.cached import is_cached
from datatool.operations.fetch import fetch_versions
from datatool.operations.run_records import bring_runs
from datatool.operations.runs.inputs import unlike_now
from datatool.operations.versions import Version
from datatool.progress import Progress
from datatool.project.project import Project
from datatool.stages.run_store import Known, find_runs
from datatool.workspace.pointers import owner


def earlier_run(
    project: Project,
    fingerprint: str,
    outputs: Collection[bytes],
    *,
    offline: bool,
    fetches: bool = True,
    progress: Progress,
) -> Known | None:
    """The newest run with a fingerprint that made at least `outputs`, in which the worker processes of a program may
    differ alone, and whose outputs can be had: from the cache, else from a remote, which is not asked unless it
    `fetches`.

    What `track()` told of while it ran, and what its program read around it, is not in the fingerprint, so it is
    compared here.
    """
    found = _holding(project, fingerprint, outputs)
    for known in found:
        if all(is_cached(project.cache, project.state, file.pointer) for file in known.record.outputs):
            return known
    if not fetches:
        return None
    if not found and bring_runs(project, fingerprint, offline=offline, progress=progress):
        found = _holding(project, fingerprint, outputs)
    for known in found:
        if bring_outputs(project, known.record.outputs, offline=offline, progress=progress):
            return known
    return None


def may_be_fetched(project: Project, fingerprint: str, outputs: Collection[bytes]) -> bool:
    """Whether an earlier run with a fingerprint is known, and a remote that may have its outputs."""
    return bool(project.config.remotes()) and bool(_holding(project, fingerprint, outputs))


def _holding(project: Project, fingerprint: str, outputs: Collection[bytes]) -> list[Known]:
    found = find_runs(project.cache, fingerprint, project.config.project or "")
    return [known for known in found if _made(known, outputs) and _still_holds(project, known)]


def _made(known: Known, outputs: Collection[bytes]) -> bool:
    return set(outputs) <= {file.path for file in known.record.outputs}


def bring_outputs(project: Project, files: Sequence[RunFile], *, offline: bool, progress: Progress) -> bool:
    """Fetch what the cache lacks of a run's outputs; whether it has all of them now. A remote that can't be used is
    passed over with a warning: the run can be repeated."""
    if not project.config.remotes():
        return False
    wanted = [Version(path=file.path, pointer=file.pointer) for file in files]
    try:
        done = fetch_versions(project, wanted, offline=offline, progress=progress)
    except DatatoolError as error:
        progress.warn(f"an earlier result can't be fetched: {error.message}", hint=error.hint)
        return False
    for item in done.artifacts:
        if item.error is not None and isinstance(item.error.error, DamageFound):
            progress.warn(f"an earlier result can't be fetched: {item.error.message}", hint=item.error.hint)
    return all(item.ok for item in done.artifacts)


def _still_holds(project: Project, known: Known) -> bool:
    if not known.record.outputs:
        return False  # it was run for what it does, and nothing of that can be brought back
    if known.record.more_around:
        return False  # nobody knows what else it came of
    noted = [file for file in known.record.inputs if file.noted]
    return not unlike_now(
        project, [*noted, *known.record.around, *(file for file in known.record.outputs if _is_part(project, file))]
    )


def _is_part(project: Project, file: RunFile) -> bool:
    """Whether an output is a part of an artifact, which can't be brought back by itself."""
    around = owner(project.root, file.path)
    return around is not None and around.path != file.path
