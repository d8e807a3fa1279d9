"""What a stage reads, as it is now: counted by content, and neither recorded nor fetched."""

from __future__ import annotations

import os

from datatool.formats.tree_object import TreeWriter
from datatool.model.entry import DIRECTORY, FILE, SYMLINK
from datatool.model.pointer import ArtifactKind
from datatool.model.run import RunFile
from datatool.operations.track.run_files import file_here, pinned_file
from datatool.operations.track.state import Condition, Found, Trees
from datatool.project.project import Project

_MOST_LINKS = 40
"""Links to links: more are a circle."""
_AS_PINNED = (Condition.EQUAL, Condition.MISSING, Condition.OUTDATED)
"""Where the workspace has another version that datatool put there, the pinned one is brought before the stage runs."""


def input_now(project: Project, trees: Trees, found: Found) -> RunFile | None:
    """A path as a stage is going to see it: what is pinned, or what is there instead. None where nothing is."""
    if found.condition in _AS_PINNED:
        pinned = _pinned(project, trees, found)
        if pinned is not None:
            return pinned
    return content_here(project, found.path)


def content_here(project: Project, path: bytes) -> RunFile | None:
    """A file or directory as it lies there, recorded or not. None where nothing is."""
    kind = project.workspace.kind(path)
    if kind in (FILE, SYMLINK):
        return file_here(project, path)
    return _directory_here(project, path) if kind == DIRECTORY else None


def link_pinned(project: Project, trees: Trees, found: Found) -> bytes | None:
    """Where a link in a tracked directory leads, as a path of the project; None for anything else, and for a link that
    is another one now. KeyError where the cache does not have what lists the directory."""
    artifact = found.artifact
    if artifact is None or not found.within or artifact.pointer.oid is None or found.condition not in _AS_PINNED:
        return None
    path = found.path
    for _ in range(_MOST_LINKS):
        within = path[len(artifact.path) + 1 :]
        entry = trees.at(artifact.pointer.oid, within, files=artifact.pointer.files or 0) if within else None
        if entry is None or entry.target is None:
            return path if path != found.path else None
        path = os.path.normpath(os.path.join(os.path.dirname(path), entry.target))
    return None


def _pinned(project: Project, trees: Trees, found: Found) -> RunFile | None:
    pinned = pinned_file(trees, found)
    if pinned is None or pinned.path == found.path:
        return pinned
    # A directory inside an artifact: by what of it is there, or is going to be.
    is_here = found.condition is Condition.EQUAL and project.workspace.kind(found.path) == DIRECTORY
    return _directory_here(project, found.path) if is_here else pinned


def _directory_here(project: Project, path: bytes) -> RunFile:
    writer = TreeWriter(lambda oid, data: None, check=False)
    for seen in project.workspace.look(path):
        kind, oid = seen.found.kind, seen.oid
        if kind == FILE and oid is None:
            oid = project.workspace.hash(path + b"/" + seen.found.path)[0]
        if kind in (FILE, SYMLINK, DIRECTORY):
            writer.add(project.workspace.entry(seen, oid))
    made = writer.finish()
    return RunFile(path=path, kind=ArtifactKind.DIRECTORY, oid=made.oid, size=made.size, files=made.files)
