"""get-url, and a pointer that remembers where the data came from."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from datatool.model.paths import named
from datatool.model.pointer import Source
from datatool.operations.importing import ImportResult, find_place, record_import
from datatool.operations.reach import Reach
from datatool.operations.storage import name_of
from datatool.operations.url_imports import bring_whole, noted_url, refuse_secrets, spot_at, without_data
from datatool.progress import SILENT, Progress
from datatool.project.project import Project


def import_url(
    project: Project,
    url: str,
    *,
    cwd: Path,
    out: str | None = None,
    download: bool = True,
    force: bool = False,
    environ: Mapping[str, str],
    reach: Reach | None = None,
    progress: Progress = SILENT,
) -> ImportResult:
    """Bring a file or directory at a path or URL into the project, as an artifact that `update` can follow.

    Without `download` only the pointer is written. `force` moves unsaved files that are in the way to lost+found.
    Raises PathNotFound, Refused, Unsaved, UnsafeInput, UsageError, RemoteError and its kin; then nothing of it was
    recorded.
    """
    spot = spot_at(project, url, cwd=cwd, reach=reach or Reach())
    refuse_secrets(url, spot)
    found = spot.look()
    target = find_place(project, out, name_of(found, spot.url.shown), cwd, force=force)
    name = named(target.path)
    noted = noted_url(project, url, spot, target.path, cwd)
    if found.skipped:
        some = ", ".join(map(named, found.skipped[:5])) + (", …" if len(found.skipped) > 5 else "")
        progress.warn(f"{name}: left out, as they are neither files, links nor directories: {some}")
    if download:
        brought, found = bring_whole(project, spot, found, label=name, progress=progress)
    else:
        brought = without_data(found)
    source = Source(url=noted, etag=found.etag)
    return record_import(project, target, brought, source, download=download, force=force, progress=progress)
