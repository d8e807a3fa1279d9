"""From what the user typed to the artifacts meant, with the nearest name where nothing matches."""

from __future__ import annotations

import difflib
import os
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path

from msgspec import Struct

from datatool.errors import DatatoolError, FormatError, PathNotFound, Refused, UsageError
from datatool.formats.tree_object import read_tree
from datatool.git.pointers import deleted_pointer, pointer_listing
from datatool.model.paths import named, show_bytes
from datatool.model.pointer import ArtifactKind
from datatool.project.project import Project
from datatool.workspace.pointers import (
    SUFFIX,
    Artifact,
    artifacts_from,
    find_artifact,
    owner,
    walk_pointers,
)


class Selection(Struct, frozen=True, kw_only=True):
    """An artifact that is meant, whole (`within` is `b""`) or one path inside it; `older`: as another pointer than the
    one that lies there says, which stays; `rev` is the revision that it was asked for; `beside`: only what was never
    here is meant, and the rest stays as it is."""

    artifact: Artifact
    within: bytes = b""
    older: bool = False
    rev: str | None = None
    beside: bool = False


class Meant(Struct, frozen=True, kw_only=True):
    """What a command is to work on: `targets`, and errors about what was meant as well and can't be had."""

    targets: tuple[str, ...] = ()
    lacking: tuple[DatatoolError, ...] = ()


def project_path(project: Project, target: str, cwd: Path) -> bytes:
    """A typed path as raw bytes from the project's root, `b""` for the root itself.

    Raises UsageError for an empty one, PathNotFound for one outside the project.
    """
    if not target:
        raise UsageError("an empty path", hint="name a file or directory")
    full = os.path.normpath(os.path.join(cwd, target))
    for candidate in _spellings(full):
        relative = _relative(candidate, os.path.join(project.root, ""))
        if relative == os.curdir:
            return b""
        if relative != os.pardir and not relative.startswith(os.pardir + os.sep):
            path = os.fsencode(relative).replace(os.fsencode(os.sep), b"/")
            _refuse_other_repository(project, target, path)
            return path
    raise PathNotFound(
        f"{target}: outside the project at {project.root}", hint="name a path inside the project", path=target
    )


def _relative(full: str, top: str) -> str:
    """A path as seen from a directory (with the separator at its end)."""
    return full[len(top) :] if full.startswith(top) else os.path.relpath(full, top)


def _spellings(full: str) -> Iterator[str]:
    """A path as it is, and by links that lead to it."""
    yield full
    parent, name = os.path.split(full)
    yield os.path.join(os.path.realpath(parent), name)
    yield os.path.realpath(full)


def _refuse_other_repository(project: Project, target: str, path: bytes) -> None:
    parts = path.split(b"/")
    for depth in range(1, len(parts) + 1):
        inner = b"/".join(parts[:depth])
        if os.path.lexists(project.workspace.full(inner + b"/.git")):
            raise Refused(
                f"{target}: belongs to another git repository, in {named(inner)}",
                hint=f"datatool -C {named(inner)} … works on that one",
                path=os.fsdecode(path),
            )


def select(project: Project, targets: Sequence[str], cwd: Path) -> tuple[list[Selection], list[FormatError]]:
    """The artifacts that targets name (all of the project's without targets), and pointers that don't read.

    A target may be an artifact, its pointer, a path inside it, or a directory around artifacts. Raises PathNotFound
    for one that is none of these, naming the nearest; a pointer named by the user that doesn't read is raised too.
    """
    if not targets:
        return _below(project, b"")
    chosen: dict[tuple[bytes, bytes], Selection] = {}
    broken: list[FormatError] = []
    for target in targets:
        found, unreadable = _one(project, target, cwd)
        for selection in found:
            chosen.setdefault((selection.artifact.path, selection.within), selection)
        broken += unreadable
    whole = {path for path, within in chosen if not within}
    return [item for (path, within), item in sorted(chosen.items()) if not within or path not in whole], broken


def _one(project: Project, target: str, cwd: Path) -> tuple[list[Selection], list[FormatError]]:
    path = project_path(project, target, cwd)
    if path:
        around = owner(project.root, path)
        if around is not None:
            within = path[len(around.path) + 1 :]
            if within:
                require_inside(project, around, within, target)
            return [Selection(artifact=around, within=within)], []
        if path.endswith(SUFFIX):
            named = find_artifact(project.root, path[: -len(SUFFIX)])
            if named is not None:
                return [Selection(artifact=named)], []
    found, broken = _below(project, path)
    if found or broken or (not path):
        return found, broken
    raise not_found(project, target, path)


def require_inside(project: Project, artifact: Artifact, within: bytes, target: str) -> None:
    """PathNotFound unless something lies at a path inside an artifact, or a version of it here lists one; where no list
    is here, that can't be told, and whoever fetches it will tell."""
    whole = artifact.path + b"/" + within
    if os.path.lexists(project.workspace.full(whole)):
        return
    base = project.state.base(artifact.path)
    versions = {artifact.pointer.oid, base.version if base is not None else None}
    if artifact.pointer.kind is ArtifactKind.DIRECTORY:
        for oid in versions - {None}:
            assert oid is not None
            try:
                if next(iter(read_tree(oid, project.cache.load, within=within)), None) is not None:
                    return
            except (KeyError, FormatError):
                return
    raise not_found(project, target, whole)


def not_found(project: Project, target: str, path: bytes) -> PathNotFound:
    """The error for a target that names nothing tracked."""
    gone = gone_pointer(project, path)
    if gone is not None:
        hint = f"git checkout -- {named(gone)} brings it back"
        return PathNotFound(f"{target}: its pointer {named(gone)} was deleted", hint=hint, path=os.fsdecode(path))
    if os.path.lexists(project.workspace.full(path)):
        message = f"{target}: not tracked by datatool"
        hint = f"datatool add {target}"
    else:
        near = nearest(project, path)
        message = f"{target}: no such artifact, file or directory"
        hint = f"did you mean {near}?" if near else "datatool list shows what there is"
    return PathNotFound(message, hint=hint, path=os.fsdecode(path))


def gone_pointer(project: Project, path: bytes) -> bytes | None:
    """The pointer for a path that git has and somebody deleted here."""
    return deleted_pointer(project.worktree, path) if path and project.worktree is not None else None


def nearest(project: Project, path: bytes) -> str | None:
    """The tracked path, or the file lying there, whose name is most like this one."""
    names = _listed_beside(project, path) | {pointer[: -len(SUFFIX)] for pointer in pointer_paths(project, b"")}
    directory = os.path.dirname(path)
    try:
        with os.scandir(project.workspace.full(directory) if directory else os.fsencode(project.root)) as entries:
            names |= {
                directory + b"/" + entry.name if directory else entry.name
                for entry in entries
                if not entry.name.startswith(b".") and not entry.name.endswith(SUFFIX)
            }
    except OSError:
        pass
    shown = {show_bytes(name): name for name in names if name != path}
    matches = difflib.get_close_matches(show_bytes(path), list(shown), n=1, cutoff=0.6)
    if not matches:
        bases = {os.path.basename(name): name for name in shown}
        matches = [bases[base] for base in difflib.get_close_matches(os.path.basename(named(path)), list(bases), n=1)]
    return named(shown[matches[0]]) if matches else None


def _listed_beside(project: Project, path: bytes) -> set[bytes]:
    """What the version that an artifact's pointer names lists in the directory of a path, as far as that is known."""
    try:
        around = owner(project.root, os.path.dirname(path)) if b"/" in path else None
        if around is None or around.pointer.oid is None or around.pointer.kind is not ArtifactKind.DIRECTORY:
            return set()
        directory = os.path.dirname(path)[len(around.path) + 1 :]
        skip = len(directory) + 1 if directory else 0
        return {
            around.path + b"/" + entry.path[:skip] + entry.path[skip:].split(b"/", 1)[0]
            for entry in islice(read_tree(around.pointer.oid, project.cache.load, within=directory), 10_000)
        }
    except (KeyError, FormatError):
        return set()


def pointer_paths(project: Project, within: bytes) -> list[bytes]:
    """Every file named like a pointer at or below a path, by git where there is git, else by a walk."""
    if project.worktree is not None:
        return pointer_listing(project.worktree, [within] if within else [])
    prefix = within + b"/" if within else b""
    return [path for path in walk_pointers(project.root) if path.startswith(prefix)]


def all_artifacts(project: Project, within: bytes = b"") -> Iterator[Artifact | FormatError]:
    """Every artifact at or below a path; one whose pointer doesn't read is given as its error."""
    return artifacts_from(project.root, pointer_paths(project, within))


def _below(project: Project, path: bytes) -> tuple[list[Selection], list[FormatError]]:
    return chosen_from(project, pointer_paths(project, path))


def chosen_from(project: Project, paths: Sequence[bytes]) -> tuple[list[Selection], list[FormatError]]:
    """The artifacts behind files named like pointers, and pointers that don't read."""
    found: list[Selection] = []
    broken: list[FormatError] = []
    for item in artifacts_from(project.root, list(paths)):
        if isinstance(item, FormatError):
            broken.append(item)
        else:
            found.append(Selection(artifact=item))
    return found, broken


def name_of(error: DatatoolError) -> str:
    """The artifact that a pointer's error is about."""
    path = error.path or ""
    suffix = SUFFIX.decode()
    return path[: -len(suffix)] if path.endswith(suffix) else path
