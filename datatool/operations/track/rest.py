"""The rest of a directory that was fetched in part and edited since: what a pull of all of it would refuse to bring."""

from __future__ import annotations

from msgspec.structs import replace

from datatool.errors import DatatoolError
from datatool.operations.checkout import CheckoutResult, checkout_selected
from datatool.operations.fetch import fetch_versions
from datatool.operations.healing import healed
from datatool.operations.targets import Selection
from datatool.operations.transfer_result import TransferResult
from datatool.operations.versions import Version
from datatool.progress import Progress
from datatool.project.project import Project
from datatool.workspace.pointers import Artifact


def bring_rest(project: Project, artifact: Artifact, within: bytes, progress: Progress) -> list[DatatoolError]:
    """Bring what was never here of the version that was put here, below a path; whatever was here stays as its user
    left it, edited or deleted. Gives what went wrong. Raises RemoteNotFound, RemoteError."""
    base = project.state.base(artifact.path)
    if base is None or base.here == base.version:
        return []
    pointer = artifact.pointer
    if pointer.oid != base.version:
        pointer = replace(pointer, oid=base.version, size=None, files=None, source=None)
    version = Version(path=artifact.path, pointer=pointer, within=within)
    selection = Selection(artifact=replace(artifact, pointer=pointer), within=within, beside=True)

    def get() -> TransferResult:
        return fetch_versions(project, [version], progress=progress)

    def put() -> CheckoutResult:
        return CheckoutResult(artifacts=tuple(checkout_selected(project, [selection], force=False, progress=progress)))

    transfer, done = healed((get(), put()), get, put, progress)
    failures = [*(item.error for item in transfer.artifacts), *(item.error for item in done.artifacts)]
    return [failure.error for failure in failures if failure is not None]
