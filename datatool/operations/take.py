"""Taking pointers out of a revision, as `git checkout REV -- PATH` takes files."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from datatool.errors import LocalError, PathNotFound
from datatool.formats.pointer_file import is_pointer, parse_pointer
from datatool.git.revision import pointers_at, resolve
from datatool.git.staging import restore_from
from datatool.model.paths import named
from datatool.model.pointer import ArtifactKind, Pointer
from datatool.operations.targets import Selection, not_found, project_path
from datatool.project.project import Project
from datatool.workspace.pointers import SUFFIX, Artifact, owner


@dataclass(frozen=True, kw_only=True, slots=True)
class Taken:
    """`staged` pointers lie in work tree and index now, for the `targets`; `parts` are paths inside directories, of
    which only the content is to be taken."""

    targets: Sequence[str]
    staged: tuple[str, ...] = ()
    parts: tuple[Selection, ...] = ()


def take(project: Project, targets: Sequence[str], cwd: Path, rev: str) -> Taken:
    """Bring the pointers of a revision into work tree and index. Raises PathNotFound, RevisionNotFound.

    A path inside a directory that is tracked now, too, is a part: the pointer stands for everything in the directory,
    and what nobody named must not go back with it.
    """
    if project.worktree is None:
        raise LocalError("a revision needs git, and there is none here", hint="run this in a clone")
    commit = resolve(project.worktree, rev)
    there = dict(pointers_at(project.worktree, commit))
    wanted: set[bytes] = set(there) if not targets else set()
    whole: list[str] = []
    parts: list[Selection] = []
    for target in targets:
        path = project_path(project, target, cwd)
        chosen = [pointer for pointer in there if _about(pointer, path)]
        if not chosen:
            raise _not_there(project, target, path, rev)
        part = _part(project, path, there)
        if part is not None:
            parts.append(part)
        else:
            whole.append(target)
            wanted.update(chosen)
    if wanted:
        restore_from(project.worktree, commit, sorted(wanted))
    return Taken(targets=whole, staged=tuple(sorted(os.fsdecode(path) for path in wanted)), parts=tuple(parts))


def _about(pointer: bytes, path: bytes) -> bool:
    """Whether a pointer is the one at a path, of an artifact around it, or below it."""
    artifact = pointer[: -len(SUFFIX)]
    return pointer == path or not path or (path + b"/").startswith(artifact + b"/") or pointer.startswith(path + b"/")


def _part(project: Project, path: bytes, there: dict[bytes, bytes]) -> Selection | None:
    around = owner(project.root, path) if path else None
    if around is None or around.path == path or path == around.pointer_path:
        return None
    text = there.get(around.pointer_path)
    pointer = _directory(around.pointer_path, text) if text is not None else None
    if pointer is None or text is None or around.pointer.kind is not ArtifactKind.DIRECTORY:
        return None
    older = Artifact(path=around.path, pointer=pointer, text=text)
    return Selection(artifact=older, within=path[len(around.path) + 1 :], older=True)


def _directory(pointer_path: bytes, text: bytes) -> Pointer | None:
    pointer = parse_pointer(text, name=os.fsdecode(pointer_path)) if is_pointer(text) else None
    return pointer if pointer is not None and pointer.kind is ArtifactKind.DIRECTORY else None


def _not_there(project: Project, target: str, path: bytes, rev: str) -> PathNotFound:
    if owner(project.root, path) is None:
        return not_found(project, target, path)
    return PathNotFound(
        f"{target}: was not tracked at {rev}",
        hint=f"datatool log {named(path)} shows its versions",
        path=os.fsdecode(path),
    )
