"""What the project offers in its work tree: git-tracked and data files together."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable, Iterator
from contextlib import suppress
from operator import attrgetter
from pathlib import Path

from datatool.errors import DatatoolError, FormatError
from datatool.formats.tree_object import read_tree
from datatool.git.ignore import tracked_under
from datatool.model.entry import DIRECTORY, EXECUTABLE, SYMLINK
from datatool.model.oid import prefixed
from datatool.model.pointer import ArtifactKind, Pointer
from datatool.operations.cached import has_list
from datatool.operations.fetch import fetch_lists
from datatool.operations.listed import DATATOOL, GIT, ListEntry, ListResult, one_level, or_registry
from datatool.operations.targets import all_artifacts, not_found, project_path
from datatool.operations.versions import Version
from datatool.project.project import Project
from datatool.workspace.pointers import SUFFIX


def list_entries(
    project: Project,
    path: str | None,
    *,
    cwd: Path,
    recursive: bool = False,
    data_only: bool = False,
    offline: bool = False,
) -> ListResult:
    """List what is at or below `path` (the whole project by default), one level deep unless `recursive`.

    It is what the work tree's pointers and git's index name. A directory's list that is not in the cache is fetched
    from the remote; its files are not. Raises PathNotFound.
    """
    top = top_of(project, path, cwd)
    pointers = dict(_pointers(project))
    _fetch_missing_lists(project, pointers, top, recursive=recursive, offline=offline)
    found = {entry.path: entry for entry in _data(project, pointers, top, recursive=recursive)}
    if not data_only:
        for entry in _staged(project, top) if project.worktree is not None else ():
            found.setdefault(entry.path, entry)
    if top and not found and path is not None:
        raise or_registry(not_found(project, path, top), project, path)
    shown: Iterable[ListEntry] = found.values()
    if not recursive:
        shown = one_level(found, os.fsdecode(top))
    return ListResult(entries=tuple(sorted(shown, key=attrgetter("path"))))


def top_of(project: Project, path: str | None, cwd: Path) -> bytes:
    """What is to be listed: a path as it was typed, else the current directory. Raises PathNotFound, UsageError."""
    if path is not None:
        return project_path(project, path, cwd)
    try:
        return b"" if project.root == cwd else project_path(project, os.curdir, cwd)
    except FileNotFoundError:
        return b""


def _pointers(project: Project) -> Iterator[tuple[bytes, Pointer | str]]:
    """Each artifact's pointer, or why it doesn't read."""
    for item in all_artifacts(project):
        if isinstance(item, FormatError):
            name = os.fsencode(item.path or "")
            yield name[: -len(SUFFIX)] if name.endswith(SUFFIX) else name, item.message
        else:
            yield item.path, item.pointer


def _fetch_missing_lists(
    project: Project, pointers: dict[bytes, Pointer | str], top: bytes, *, recursive: bool, offline: bool
) -> None:
    """Get the lists that will be looked at; one that can't be had is told when it is its turn."""
    lacking: list[Version] = []
    for artifact, pointer in pointers.items():
        inside = top == artifact or top.startswith(artifact + b"/")
        below = recursive and (not top or artifact.startswith(top + b"/"))
        if isinstance(pointer, str) or pointer.kind is not ArtifactKind.DIRECTORY or pointer.oid is None:
            continue
        if (inside or below) and not has_list(project.cache, pointer.oid):
            lacking.append(Version(path=artifact, pointer=pointer))
    if lacking:
        with suppress(DatatoolError):
            fetch_lists(project, lacking, offline=offline)


def _data(
    project: Project, pointers: dict[bytes, Pointer | str], top: bytes, *, recursive: bool
) -> Iterator[ListEntry]:
    for artifact, pointer in pointers.items():
        inside = top == artifact or top.startswith(artifact + b"/")
        if top and not inside and not artifact.startswith(top + b"/"):
            continue
        name = os.fsdecode(artifact)
        if isinstance(pointer, str):
            yield ListEntry(
                path=name, kind="file", origin=DATATOOL, size=None, oid=None, executable=False, problem=pointer
            )
            continue
        oid = prefixed(pointer.oid) if pointer.oid is not None else None
        directory = pointer.kind is ArtifactKind.DIRECTORY
        if not inside or top == artifact:
            yield ListEntry(
                path=name,
                kind=pointer.kind.value,
                origin=DATATOOL,
                size=pointer.size,
                oid=oid,
                executable=pointer.executable,
            )
        if directory and pointer.oid is not None and (inside or recursive):
            within = top[len(artifact) + 1 :] if inside else b""
            yield from _tree(project, artifact, pointer, within)


def _tree(project: Project, artifact: bytes, pointer: Pointer, within: bytes) -> Iterator[ListEntry]:
    assert pointer.oid is not None
    try:
        for entry in read_tree(pointer.oid, project.cache.load, within=within):
            kind = {SYMLINK: "symlink", DIRECTORY: "directory"}.get(entry.kind, "file")
            yield ListEntry(
                path=os.fsdecode(artifact + b"/" + entry.path),
                kind=kind,
                origin=DATATOOL,
                size=entry.size if entry.kind != DIRECTORY else None,
                oid=prefixed(entry.oid) if entry.oid is not None else None,
                executable=entry.kind == EXECUTABLE,
            )
    except KeyError:
        name = os.fsdecode(artifact)
        yield ListEntry(
            path=name,
            kind="directory",
            origin=DATATOOL,
            size=pointer.size,
            oid=prefixed(pointer.oid),
            executable=False,
            problem=f"its list is not in the cache; datatool fetch {name} gets it",
        )


def _staged(project: Project, top: bytes) -> Iterator[ListEntry]:
    """What git's index names, with the sizes of the work tree's files."""
    assert project.worktree is not None
    for path in tracked_under(project.worktree, top):
        try:
            found = os.lstat(project.workspace.full(path))
        except OSError:
            found = None
        if found is not None and stat.S_ISDIR(found.st_mode):
            continue  # a submodule
        link = found is not None and stat.S_ISLNK(found.st_mode)
        yield ListEntry(
            path=os.fsdecode(path),
            kind="symlink" if link else "file",
            origin=GIT,
            size=found.st_size if found is not None else None,
            oid=None,
            executable=found is not None and not link and bool(found.st_mode & 0o111),
        )
