"""Why a path that a program tracks is not given to it, and what the user can do."""

from __future__ import annotations

import os
from typing import Final

from datatool.errors import DatatoolError, PathNotFound, Refused
from datatool.model.paths import named
from datatool.operations.targets import nearest
from datatool.operations.track.state import Condition, Found
from datatool.project.project import Project

FROZEN: Final = "nothing is recorded here, as CI or DATATOOL_FROZEN is set"


def refusal(project: Project, item: Found, *, frozen: bool, makes: bool) -> DatatoolError:
    """The error for a path that is refused, or that is nowhere; `makes` says that there is a function to make it."""
    name, path = named(item.path), os.fsdecode(item.path)
    why = f" ({FROZEN})" if frozen else ""
    if item.condition is Condition.NOWHERE and makes and frozen:
        return PathNotFound(
            f"{name}: nothing tracks it, and nothing is made here, as CI or DATATOOL_FROZEN is set",
            hint=f"have it made where you work, and commit {_pointer(item)}",
            path=path,
        )
    if item.condition is Condition.NOWHERE:
        near = nearest(project, item.path)
        return PathNotFound(
            f"{name}: no such file or directory, and nothing tracks it",
            hint=f"did you mean {near}?" if near else "track(…, output=True) is for what a program is going to write",
            path=path,
        )
    if item.condition is Condition.UNKNOWN:
        return Refused(
            f"{name}: is not tracked{why}",
            hint=f"run datatool add {name} where you work, and commit {_pointer(item)}",
            path=path,
        )
    if item.condition in (Condition.OUTDATED, Condition.UNNAMED):
        return Refused(
            f"{name}: is another version than {_pointer(item)} names{why}",
            hint=f"datatool pull {name} brings that version",
            path=path,
        )
    return Refused(
        f"{name}: is not what {_pointer(item)} names{why}",
        hint=f"datatool add {name} records it; datatool checkout --force {name} goes back, and keeps it in lost+found",
        path=path,
    )


def _pointer(item: Found) -> str:
    return f"{named(item.artifact.path if item.artifact is not None else item.path)}.dt"
