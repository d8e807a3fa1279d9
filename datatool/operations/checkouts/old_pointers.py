"""Artifacts as a revision had them, and their pointers taken into work tree and index, as `git checkout REV -- PATH`
does for code."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from datatool.errors import DamageFound, FormatError, PartlyDone, PathNotFound
from datatool.formats.pointer_file import is_pointer, parse_pointer
from datatool.git.revision import pointers_at, resolve
from datatool.localfs.atomic import write_file
from datatool.model.paths import named
from datatool.model.pointer import ArtifactKind
from datatool.operations.checkouts.checked_out import CheckedOut
from datatool.operations.open_project import require_git
from datatool.operations.publish import locked, stage_paths
from datatool.operations.targets import Selection, not_found, project_path
from datatool.progress import Progress
from datatool.project.project import Project
from datatool.workspace.pointers import SUFFIX, Artifact, find_artifact, owner


def selections_at(
    project: Project, targets: Sequence[str], cwd: Path, rev: str
) -> tuple[list[Selection], list[FormatError]]:
    """What targets name among the artifacts of a revision (all of them without targets), and pointers that don't read.

    Raises LocalError without git, RevisionNotFound, PathNotFound.
    """
    worktree = require_git(project)
    there: dict[bytes, Artifact] = {}
    unreadable: dict[bytes, FormatError] = {}
    for pointer_path, text in pointers_at(worktree, resolve(worktree, rev)):
        if not is_pointer(text):
            continue
        path = pointer_path[: -len(SUFFIX)]
        try:
            pointer = parse_pointer(text, name=os.fsdecode(pointer_path))
            there[path] = Artifact(path=path, pointer=pointer, text=text)
        except FormatError as error:
            error.path = error.path or os.fsdecode(pointer_path)
            unreadable[path] = error
    chosen: dict[tuple[bytes, bytes], Selection] = {}
    broken: dict[bytes, FormatError] = {}
    for target in targets or (os.fspath(project.root),):
        asked = project_path(project, target, cwd)
        found = [_selection(project, one, within, rev) for one, within in _meant(there, asked)]
        bad = {path: error for path, error in unreadable.items() if _covers(asked, path)}
        if not found and not bad and asked:
            raise _not_there(project, target, asked, rev)
        chosen |= {(item.artifact.path, item.within): item for item in found}
        broken |= bad
    whole = {path for path, within in chosen if not within}
    selections = [item for (path, within), item in sorted(chosen.items()) if not within or path not in whole]
    return selections, list(broken.values())


def take_pointers(
    project: Project, selections: Sequence[Selection], results: Sequence[CheckedOut], progress: Progress
) -> tuple[str, ...]:
    """Write and stage the pointers of what was checked out, also where objects are missing, which a pull brings then.
    The pointer of an artifact that was refused, or failed, stays as it is, and so does that of a part. Gives what was
    staged in git."""
    stopped = {
        item.path
        for item in results
        if item.error is not None and not isinstance(item.error.error, PartlyDone | DamageFound)
    }
    taken = {
        item.artifact.path: item.artifact for item in selections if not item.older and item.artifact.name not in stopped
    }
    with locked(project, taken, progress):
        for artifact in taken.values():
            full = Path(os.fsdecode(project.workspace.full(artifact.pointer_path)))
            write_file(full, artifact.text, durability=project.config.durability)
        return stage_paths(project, [artifact.pointer_path for artifact in taken.values()], progress)


def _meant(there: dict[bytes, Artifact], asked: bytes) -> list[tuple[Artifact, bytes]]:
    """The artifacts that a path names: by itself, by the pointer, inside one, or around some."""
    found = []
    for path, artifact in there.items():
        if _covers(asked, path):
            found.append((artifact, b""))
        elif artifact.pointer.kind is ArtifactKind.DIRECTORY and asked.startswith(path + b"/"):
            found.append((artifact, asked[len(path) + 1 :]))
    return found


def _selection(project: Project, artifact: Artifact, within: bytes, rev: str) -> Selection:
    """A path inside a directory that is tracked now, too, is a part: the pointer stands for everything in the
    directory, and what nobody named must not go back with it."""
    now = find_artifact(project.root, artifact.path) if within else None
    older = now is not None and now.pointer.kind is ArtifactKind.DIRECTORY
    return Selection(artifact=artifact, within=within, older=older, rev=rev)


def _covers(asked: bytes, path: bytes) -> bool:
    return not asked or asked in (path, path + SUFFIX) or path.startswith(asked + b"/")


def _not_there(project: Project, target: str, asked: bytes, rev: str) -> PathNotFound:
    if owner(project.root, asked) is None:
        return not_found(project, target, asked)
    return PathNotFound(
        f"{target}: was not tracked at {rev}",
        hint=f"datatool log {named(asked)} shows its versions",
        path=os.fsdecode(asked),
    )
