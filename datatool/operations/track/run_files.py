"""A path that a program tracks, as its run is to record it."""

from __future__ import annotations

import os

from datatool.model.entry import EXECUTABLE, FILE
from datatool.model.pointer import ArtifactKind, Pointer
from datatool.model.run import RunFile
from datatool.operations.track.state import Found, Trees
from datatool.project.project import Project


def pinned_file(trees: Trees, found: Found) -> RunFile | None:
    """What is pinned for a path, as a run's input; of a directory inside an artifact, the artifact. None for an import
    without data."""
    artifact = found.artifact
    if artifact is None or artifact.pointer.oid is None:
        return None
    if found.within:
        entry = trees.at(artifact.pointer.oid, found.within, files=artifact.pointer.files or 0)
        if entry is not None and entry.oid is not None:
            return RunFile(
                path=found.path,
                kind=ArtifactKind.FILE,
                oid=entry.oid,
                size=entry.size,
                executable=entry.kind == EXECUTABLE,
            )
    return as_input(artifact.path, artifact.pointer)


def as_input(path: bytes, pointer: Pointer) -> RunFile:
    """An artifact with the version that a pointer names."""
    assert pointer.oid is not None
    return RunFile(
        path=path,
        kind=pointer.kind,
        oid=pointer.oid,
        size=pointer.size or 0,
        files=pointer.files,
        executable=pointer.executable,
    )


def file_here(project: Project, path: bytes) -> RunFile | None:
    """A single file as it lies there, for content that is used and not recorded."""
    if project.workspace.kind(path) != FILE:
        return None
    seen = project.workspace.look_at_file(path)
    oid = seen.oid or project.workspace.hash(path)[0]
    executable = bool(seen.found.stat.st_mode & 0o111) and os.name != "nt"
    return RunFile(path=path, kind=ArtifactKind.FILE, oid=oid, size=seen.found.stat.st_size, executable=executable)
