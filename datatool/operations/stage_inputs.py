"""What a stage reads, as it is now: counted by content, and neither recorded nor fetched."""

from __future__ import annotations

from datatool.formats.tree_object import TreeWriter
from datatool.model.entry import DIRECTORY, FILE, SYMLINK
from datatool.model.pointer import ArtifactKind
from datatool.model.run import RunFile
from datatool.operations.track_state import Condition, Found, Trees, file_here, pinned_file
from datatool.project.project import Project

_AS_PINNED = (Condition.EQUAL, Condition.MISSING, Condition.OUTDATED)
"""Where the workspace has another version that datatool put there, the pinned one is brought before the stage runs."""


def input_now(project: Project, trees: Trees, found: Found) -> RunFile | None:
    """A path as a stage is going to see it: what is pinned, or what is there instead. None where nothing is."""
    if found.condition in _AS_PINNED:
        pinned = _pinned(project, trees, found)
        if pinned is not None:
            return pinned
    kind = project.workspace.kind(found.path)
    if kind in (FILE, SYMLINK):
        return file_here(project, found.path)
    return _directory_here(project, found.path) if kind == DIRECTORY else None


def _pinned(project: Project, trees: Trees, found: Found) -> RunFile | None:
    pinned = pinned_file(trees, found)
    if pinned is None or pinned.path == found.path:
        return pinned
    # A directory inside an artifact: by what of it is there, or is going to be.
    return _directory_here(project, found.path) if found.condition is Condition.EQUAL else pinned


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
