"""Bringing back what a run made, from the cache; what is damaged there, from a remote."""

from __future__ import annotations

from collections.abc import Sequence

from datatool.formats.pointer_file import write_pointer
from datatool.model.oid import ObjectId
from datatool.model.run import RunFile
from datatool.operations.checkout import CheckedOut, CheckoutResult, checkout_selected
from datatool.operations.fetch import fetch_versions
from datatool.operations.healing import healed
from datatool.operations.publish import ignore, locked, publish
from datatool.operations.runs.outputs import pointer_to
from datatool.operations.targets import Selection
from datatool.operations.transfer_result import NOTHING_SENT, TransferResult
from datatool.operations.versions import Version
from datatool.progress import Progress
from datatool.project.project import Project
from datatool.workspace.pointers import Artifact, find_artifact


def restore(
    project: Project, files: Sequence[RunFile], run: ObjectId, *, offline: bool, force: bool, progress: Progress
) -> tuple[list[bytes], tuple[str, ...]]:
    """Make a run's outputs, which the cache has, the versions here: the data first, then the pointers. The artifacts
    that changed, and what was staged in git. Raises DamageFound where the cache had one damaged and no remote has it.
    """
    changed: list[bytes] = []
    staged: list[str] = []
    for file in files:
        old = find_artifact(project.root, file.path)
        pointer = pointer_to(project, file, run, old.pointer if old is not None else None)
        text = write_pointer(pointer, old=old.text if old is not None else None)
        ignore(project, [file.path])
        artifact = Artifact(path=file.path, pointer=pointer, text=text)
        done = _checked_out(project, artifact, offline=offline, force=force, progress=progress)
        if done.error is not None:
            raise done.error.error
        with locked(project, [file.path], progress):
            staged += publish(project, [(file.path, text, old.text if old is not None else None)], progress)
        if done.changed or old is None or old.text != text:
            changed.append(file.path)
    return changed, tuple(staged)


def _checked_out(project: Project, artifact: Artifact, *, offline: bool, force: bool, progress: Progress) -> CheckedOut:
    """Check out one version; what proves to be damaged in the cache is fetched again, as a pull does."""

    def get() -> TransferResult:
        version = Version(path=artifact.path, pointer=artifact.pointer)
        return fetch_versions(project, [version], offline=offline, progress=progress)

    def put() -> CheckoutResult:
        selections = [Selection(artifact=artifact)]
        return CheckoutResult(artifacts=tuple(checkout_selected(project, selections, force=force, progress=progress)))

    _, done = healed((NOTHING_SENT, put()), get, put, progress)
    return done.artifacts[0]
