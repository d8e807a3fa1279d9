"""Versions of artifacts, and paths in them, as the files of a run."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import TypeVar

from datatool.errors import Refused
from datatool.formats.tree_object import TreeWriter, read_tree
from datatool.model.entry import EXECUTABLE
from datatool.model.oid import ObjectId
from datatool.model.paths import named
from datatool.model.pointer import ArtifactKind, Pointer
from datatool.model.run import RunFile
from datatool.operations.targets import not_found
from datatool.project.project import Project

T = TypeVar("T")


def file_in(project: Project, artifact: bytes, pointer: Pointer, path: bytes) -> RunFile:
    """An artifact's version as a run's file, or one path in it. Raises PathNotFound, and
    Refused where only the list of the artifact could tell, and is not here."""
    oid = pointer.oid
    assert oid is not None
    if path == artifact:
        return RunFile(
            path=path,
            kind=pointer.kind,
            oid=oid,
            size=pointer.size or 0,
            files=pointer.files,
            executable=pointer.executable,
        )
    if pointer.kind is ArtifactKind.FILE:
        raise not_found(project, named(path), path)
    return _part(project, artifact, oid, path)


def _part(project: Project, artifact: bytes, tree: ObjectId, path: bytes) -> RunFile:
    within = path[len(artifact) + 1 :]
    found = _listed(artifact, lambda: list(read_tree(tree, project.cache.load, within=within)))
    if len(found) == 1 and found[0].path == within and found[0].oid is not None:
        entry = found[0]
        assert entry.oid is not None
        return RunFile(
            path=path,
            kind=ArtifactKind.FILE,
            oid=entry.oid,
            size=entry.size,
            executable=entry.kind == EXECUTABLE,
        )
    if not found:
        raise not_found(project, named(path), path)
    writer = TreeWriter(lambda oid, data: None, check=False)
    for entry in found:
        if entry.path != within:
            writer.add(entry._replace(path=entry.path[len(within) + 1 :]))
    made = writer.finish()
    return RunFile(path=path, kind=ArtifactKind.DIRECTORY, oid=made.oid, size=made.size, files=made.files)


def _listed(artifact: bytes, read: Callable[[], T]) -> T:
    try:
        return read()
    except KeyError:
        name = named(artifact)
        raise Refused(
            f"{name}: the list of what is in it was never fetched here",
            hint=f"datatool fetch {name}, then run the command again",
            path=os.fsdecode(artifact),
        ) from None
