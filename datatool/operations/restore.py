"""An import whose data no remote of the project has, brought back from where it came."""

from __future__ import annotations

import os
from collections.abc import Mapping

from datatool.errors import DatatoolError, PartlyDone
from datatool.model.paths import named
from datatool.model.pointer import Pointer, Source
from datatool.operations.imports import bring_version, place_of, whole_failure
from datatool.operations.reach import Reach
from datatool.operations.storage import bring_found
from datatool.operations.url_imports import spot_of
from datatool.progress import Progress
from datatool.project.project import Project
from datatool.registry.catalog import registry_path
from datatool.registry.open import open_registry


def can_be_restored(pointer: Pointer) -> bool:
    """Whether a version can be had, perhaps, from where it was imported from."""
    source = pointer.source
    if source is None or pointer.oid is None:
        return False
    return source.url is not None or (source.repo is not None and source.commit is not None)


def restore_import(
    project: Project,
    artifact: bytes,
    pointer: Pointer,
    *,
    environ: Mapping[str, str],
    reach: Reach,
    progress: Progress,
) -> None:
    """Bring an import's version back from where it came: at the commit that its pointer names, or what the URL has.

    Raises PartlyDone where other content is there now, and what opening and bringing raise.
    """
    source = pointer.source
    assert source is not None
    if source.url is not None:
        _from_url(project, artifact, pointer, source, reach=reach, progress=progress)
        return
    assert source.repo is not None and source.commit is not None
    place = place_of(project, artifact, source, environ=environ, reach=reach)
    catalog = open_registry(place, source.commit, project.cache)
    found, _ = bring_version(
        project, catalog, registry_path(source.path or "."), to=artifact, early=None, progress=progress
    )
    if found.oid != pointer.oid:
        raise _other(artifact, f"{place.where} has other content at {source.commit[:10]} than was imported")


def _from_url(
    project: Project, artifact: bytes, pointer: Pointer, source: Source, *, reach: Reach, progress: Progress
) -> None:
    spot = spot_of(project, artifact, source, reach=reach)
    found = spot.look()
    told = f"{spot.files.label} has other content now than was imported"
    files = sum(file.kind != "d" for file in found.files)
    if (found.size is not None and found.size != pointer.size) or (
        pointer.files is not None and files != pointer.files
    ):
        raise _other(artifact, told)  # which nobody has to download to see
    copied, _ = bring_found(spot, found, project.cache, title="fetching", label=named(artifact), progress=progress)
    if copied.failed:
        raise whole_failure([error for _, error in copied.failed])
    if copied.oid != pointer.oid:
        raise _other(artifact, told)


def _other(artifact: bytes, what: str) -> DatatoolError:
    return PartlyDone(
        f"{named(artifact)}: {what}",
        hint="datatool update takes what it has now; whoever has the data as it was runs datatool push",
        path=os.fsdecode(artifact),
    )
