"""What a program is told where the cache's copy of a file was damaged, and no other one could be had."""

from __future__ import annotations

import os
from collections.abc import Sequence

from datatool.errors import DamageFound, DatatoolError, PartlyDone, RemoteNotFound
from datatool.model.paths import named
from datatool.operations.track.state import Found
from datatool.project.project import Project


def not_brought(project: Project, damaged: Sequence[Found], errors: Sequence[DatatoolError]) -> DatatoolError:
    """Of what a pull failed with, the error to raise: before all, that an object is still lacking which was found
    `damaged` and set aside. Where no remote has it that is DamageFound; one that could not be asked may have it."""
    lost = next((item for item in damaged if _lacks(project, item)), None)
    if lost is None:
        return errors[0]
    path, name = os.fsdecode(lost.path), named(lost.path)
    cause = next((error for error in errors if error.path == path), errors[0])
    message = (
        f"{name}: its object in the cache was damaged, and was set aside in {project.cache.top / 'corrupt'}; "
        + cause.message.removeprefix(f"{name}: ")
    )
    if isinstance(cause, PartlyDone | DamageFound | RemoteNotFound):
        return DamageFound(message, hint=cause.hint, path=path)
    cause.message, cause.path = message, path
    return cause


def _lacks(project: Project, item: Found) -> bool:
    oid = item.artifact.pointer.oid if item.artifact is not None else None
    return oid is not None and not project.cache.has(oid)
