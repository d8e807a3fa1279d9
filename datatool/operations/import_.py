"""get, and a pointer that remembers where the data came from."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from datatool.errors import DatatoolError, Refused, UsageError
from datatool.git.clone import default_directory
from datatool.git.clones import is_repository_url
from datatool.git.transport import refuse_password
from datatool.model.paths import named, show_bytes
from datatool.model.pointer import Pointer
from datatool.operations.checkout import checkout_selected
from datatool.operations.imports import (
    Imported,
    bring_version,
    counts,
    look_at_version,
    source_of,
    text_of,
    with_source,
)
from datatool.operations.publish import ignore, locked, publish, unignore
from datatool.operations.reach import Reach
from datatool.operations.record import Target
from datatool.operations.registries import registry_place
from datatool.operations.result import Result
from datatool.operations.targets import Selection, project_path
from datatool.operations.trackable import refuse_untrackable
from datatool.progress import SILENT, Progress
from datatool.project.project import Project
from datatool.registry.catalog import registry_path
from datatool.registry.open import open_registry
from datatool.workspace.pointers import SUFFIX, Artifact, find_artifact, owner


@dataclass(frozen=True, kw_only=True, slots=True)
class ImportResult(Result):
    """What was imported or updated, and the files staged in git."""

    artifacts: tuple[Imported, ...]
    staged: tuple[str, ...]


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
    refuse_password(place.where)
    wanted = registry_path(path)
    name = os.fsdecode(os.path.basename(wanted)) or default_directory(place.where)
    target = target_of(project, out, name, cwd)
    old = refuse_place(project, target, out, force=force)
    catalog = open_registry(place, rev, project.cache)
    if download:
        found, chosen = bring_version(project, catalog, wanted, label=named(target), progress=progress)
    else:
        found, chosen = look_at_version(catalog, wanted, project.cache)
    noted = _noted(project, place.where, target, cwd)
    source = source_of(noted, os.fsdecode(wanted) or ".", rev, catalog, chosen)
    pointer = with_source(found, None, source)
    staged = record(project, target, pointer, old, download=download, force=force, progress=progress)
    if chosen.hidden:
        progress.hint("left out, as they only serve git or datatool: " + ", ".join(map(show_bytes, chosen.hidden[:5])))
    added, modified, deleted = counts(project.cache, old.pointer if old is not None else None, pointer)
    return ImportResult(
        artifacts=(
            Imported(
                path=os.fsdecode(target),
                pointer=os.fsdecode(target + SUFFIX),
                source=source,
                changed=old is None or text_of(pointer, old) != old.text,
                added=added,
                modified=modified,
                deleted=deleted,
            ),
        ),
        staged=staged,
    )


def record(
    project: Project,
    target: bytes,
    pointer: Pointer,
    old: Artifact | None,
    *,
    download: bool,
    force: bool,
    progress: Progress,
) -> tuple[str, ...]:
    """Put a version that the cache has to its place, then write its pointer; gives what was staged in git.

    Where the data can't be put there nothing is recorded: that error is raised.
    """
    text = text_of(pointer, old)
    ignored = ignore(project, [target])
    try:
        if download:
            artifact = Artifact(path=target, pointer=pointer, text=text)
            done = checkout_selected(project, [Selection(artifact=artifact)], force=force, progress=progress)[0]
            if done.error is not None:
                raise done.error.error
            if done.saved_to is not None:
                progress.hint(f"{named(target)}: what was in the way is in {done.saved_to}")
    except DatatoolError:
        if old is None and ignored:
            unignore(project, [target])
        raise
    with locked(project, [target], progress):
        return publish(project, [(target, text, old.text if old is not None else None)], progress)


def target_of(project: Project, out: str | None, name: str, cwd: Path) -> bytes:
    """The path of an artifact that is to be: what the user typed, or `name` in the directory that that is."""
    typed = out if out is not None else name
    if out is not None and (out.endswith(("/", os.sep)) or (cwd / out).is_dir()):
        inside = project_path(project, out.rstrip("/" + os.sep) or out, cwd)
        if find_artifact(project.root, inside) is None:
            typed = os.path.join(out, name)
    return project_path(project, typed, cwd)


def refuse_place(project: Project, target: bytes, out: str | None, *, force: bool) -> Artifact | None:
    """Raise for a place where no artifact can be; an import that is there already is given."""
    if not target:
        raise UsageError("the whole project can't be one artifact", hint="name a file or directory for it")
    around = owner(project.root, target)
    if around is not None and around.path != target:
        raise Refused(
            f"{named(target)}: lies inside {named(around.path)}, which is tracked already",
            hint="name another place for it",
            path=os.fsdecode(target),
        )
    if around is not None and not force:
        raise Refused(
            f"{named(target)}: is tracked already",
            hint=f"datatool update {named(target)} brings an import up to date; or name another place; "
            "--force replaces it",
            path=os.fsdecode(target),
        )
    refuse_untrackable(project, [Target(path=target, artifact=around, withins=())], force=False, new=True)
    return around


def _noted(project: Project, where: str, target: bytes, cwd: Path) -> str:
    """What the pointer says of the repository: a URL as it is; a relative path from the pointer's directory."""
    if is_repository_url(where) or os.path.isabs(os.path.expanduser(where)):
        return os.path.expanduser(where) if where.startswith("~") else where
    directory = Path(os.fsdecode(project.workspace.full(target))).parent
    return os.path.relpath(os.path.normpath(cwd / where), directory).replace(os.sep, "/")
