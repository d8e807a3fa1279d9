"""What every import does, wherever its data comes from: a place is found for it, and what came is recorded there."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from msgspec import Struct

from datatool.errors import DatatoolError, Refused, UsageError
from datatool.model.paths import named
from datatool.model.pointer import Pointer, Source
from datatool.operations.checkout import checkout_selected
from datatool.operations.imports import Imported, counts, text_of, with_source
from datatool.operations.publish import ignore, locked, publish, unignore
from datatool.operations.record import Target
from datatool.operations.result import Result
from datatool.operations.targets import Selection, project_path
from datatool.operations.trackable import refuse_untrackable
from datatool.progress import Progress
from datatool.project.project import Project
from datatool.workspace.early_copies import EarlyCopies
from datatool.workspace.pointers import SUFFIX, Artifact, find_artifact, owner


@dataclass(frozen=True, kw_only=True, slots=True)
class ImportResult(Result):
    """What was imported or updated, and the files staged in git."""

    artifacts: tuple[Imported, ...]
    staged: tuple[str, ...]


class ImportPlace(Struct, frozen=True, kw_only=True):
    """Where an import is to be: its `path`, and the artifact that is there already and is replaced."""

    path: bytes
    old: Artifact | None


def find_place(project: Project, out: str | None, name: str, cwd: Path, *, force: bool) -> ImportPlace:
    """The place for an import: what the user typed, or `name` in the directory that that is.

    Raises UsageError, and Refused for what is tracked already, unless `force`.
    """
    path = _target_of(project, out, name, cwd)
    return ImportPlace(path=path, old=_refuse_tracked(project, path, force=force))


def record_import(
    project: Project,
    place: ImportPlace,
    brought: Pointer,
    source: Source,
    *,
    download: bool,
    force: bool,
    early: EarlyCopies | None = None,
    progress: Progress,
) -> ImportResult:
    """Record what was brought of a source (or only looked at, without `download`) at its place, for which there may be
    `early` copies."""
    pointer = with_source(brought, None, source)
    old = place.old
    staged = record(project, place.path, pointer, old, download=download, force=force, early=early, progress=progress)
    added, modified, deleted = counts(project.cache, old.pointer if old is not None else None, pointer)
    imported = Imported(
        path=os.fsdecode(place.path),
        pointer=os.fsdecode(place.path + SUFFIX),
        source=source,
        changed=old is None or text_of(pointer, old) != old.text,
        added=added if pointer.oid is not None else 0,
        modified=modified,
        deleted=deleted,
    )
    return ImportResult(artifacts=(imported,), staged=staged)


def record(
    project: Project,
    target: bytes,
    pointer: Pointer,
    old: Artifact | None,
    *,
    download: bool,
    force: bool,
    early: EarlyCopies | None = None,
    progress: Progress,
) -> tuple[str, ...]:
    """Put a version that the cache has, and may have `early` copies of, to its place, then write its pointer; gives
    what was staged in git.

    Where the data can't be put there nothing is recorded: that error is raised.
    """
    text = text_of(pointer, old)
    ignored = ignore(project, [target])
    try:
        if download:
            artifact = Artifact(path=target, pointer=pointer, text=text)
            selected = [Selection(artifact=artifact)]
            done = checkout_selected(project, selected, force=force, early=early, progress=progress)[0]
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


def _target_of(project: Project, out: str | None, name: str, cwd: Path) -> bytes:
    """The path of an artifact that is to be: what the user typed, or `name` in the directory that that is."""
    typed = out if out is not None else name
    if out is not None and (out.endswith(("/", os.sep)) or os.path.isdir(cwd / out)):
        inside = project_path(project, out.rstrip("/" + os.sep) or out, cwd)
        if find_artifact(project.root, inside) is None:
            typed = os.path.join(out, name)
    return project_path(project, typed, cwd)


def _refuse_tracked(project: Project, target: bytes, *, force: bool) -> Artifact | None:
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
