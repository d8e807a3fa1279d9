"""get, and a pointer that remembers where the data came from."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from datatool.errors import UsageError
from datatool.git.clone import default_directory
from datatool.git.clones import is_repository_url
from datatool.git.transport import refuse_secret
from datatool.model.paths import show_bytes
from datatool.operations.importing import ImportResult, find_place, record_import
from datatool.operations.imports import bring_version, look_at_version, source_of
from datatool.operations.reach import Reach
from datatool.operations.registries import registry_place
from datatool.progress import SILENT, Progress
from datatool.project.project import Project
from datatool.registry.catalog import registry_path
from datatool.registry.open import open_registry
from datatool.workspace.early_copies import EarlyCopies


def import_(
    project: Project,
    where: str,
    path: str,
    *,
    cwd: Path,
    out: str | None = None,
    rev: str | None = None,
    download: bool = True,
    force: bool = False,
    environ: Mapping[str, str],
    reach: Reach | None = None,
    progress: Progress = SILENT,
) -> ImportResult:
    """Bring a file or directory of a registry into the project, as an artifact that `update` can follow.

    Without `download` only the pointer is written. `force` moves unsaved files that are in the way to lost+found.
    Raises PathNotFound, RevisionNotFound, Refused, Unsaved, UnsafeInput, RemoteError and its kin; then nothing of it
    was recorded.
    """
    if rev == "":
        raise UsageError("an empty revision", hint="leave --rev out for the default branch")
    place = registry_place(where, cwd=cwd, config=project.config, environ=environ, reach=reach or Reach())
    refuse_secret(place.where)
    wanted = registry_path(path)
    name = os.fsdecode(os.path.basename(wanted)) or default_directory(place.where)
    target = find_place(project, out, name, cwd, force=force)
    catalog = open_registry(place, rev, project.cache)
    with EarlyCopies(project.root, project.config.link_methods) as early:
        if download:
            found, chosen = bring_version(project, catalog, wanted, to=target.path, early=early, progress=progress)
        else:
            found, chosen = look_at_version(catalog, wanted, project.cache)
        noted = _noted(project, place.where, target.path, cwd)
        source = source_of(noted, os.fsdecode(wanted) or ".", rev, catalog, chosen)
        result = record_import(
            project, target, found, source, download=download, force=force, early=early, progress=progress
        )
    if chosen.hidden:
        progress.hint("left out, as they only serve git or datatool: " + ", ".join(map(show_bytes, chosen.hidden[:5])))
    return result


def _noted(project: Project, where: str, target: bytes, cwd: Path) -> str:
    """What the pointer says of the repository: a URL as it is; a relative path from the pointer's directory."""
    if is_repository_url(where) or os.path.isabs(os.path.expanduser(where)):
        return os.path.expanduser(where) if where.startswith("~") else where
    directory = Path(os.fsdecode(project.workspace.full(target))).parent
    return os.path.relpath(os.path.normpath(cwd / where), directory).replace(os.sep, "/")
