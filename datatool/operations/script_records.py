"""What runs elsewhere said of a script: records that this project's pointers name, and this machine has not seen."""

from __future__ import annotations

from collections.abc import Sequence

from datatool.errors import FormatError
from datatool.model.oid import ObjectId, parse_oid
from datatool.operations.run_records import bring_records
from datatool.operations.targets import all_artifacts
from datatool.progress import Progress
from datatool.project.project import Project
from datatool.stages.source import SUFFIXES


def bring_named(project: Project, targets: Sequence[str], *, offline: bool, progress: Progress) -> None:
    """Where a script is among the targets, fetch the records of the runs that made what the work tree's pointers name;
    nobody is asked if they are here."""
    if not any(target.endswith(SUFFIXES) for target in targets):
        return
    wanted: set[ObjectId] = set()
    for item in all_artifacts(project):
        source = None if isinstance(item, FormatError) else item.pointer.source
        if source is not None and source.run is not None:
            wanted.add(parse_oid(source.run))
    missing = sorted(project.cache.missing(wanted))
    if missing:
        bring_records(project, missing, offline=offline, progress=progress)
