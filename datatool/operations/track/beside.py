"""Whether the pinned version of a directory can come beside what its user put there, as a merge of files."""

from __future__ import annotations

import os
from collections.abc import Callable

from datatool.formats.tree_object import read_tree
from datatool.index.state import Base
from datatool.model.oid import ObjectId
from datatool.model.pointer import ArtifactKind
from datatool.operations.cached import has_list
from datatool.operations.track.aside import Committed
from datatool.operations.track.state import Found, Trees
from datatool.project.project import Project
from datatool.workspace.compare import compare, part_of, put_a_file
from datatool.workspace.merge import same, side_by_side
from datatool.workspace.pointers import Artifact


def comes_beside(
    project: Project, trees: Trees, committed: Committed, item: Found, bring_list: Callable[[Artifact], None]
) -> bool:
    """Whether a changed directory is an older version that datatool put there, with files of the user's that the pinned
    one does not name. A version that no commit names does not give way. Raises what `bring_list` does, which has to
    bring what lists the pinned version."""
    artifact = item.artifact
    if artifact is None or artifact.pointer.kind is not ArtifactKind.DIRECTORY:
        return False
    pinned, base = artifact.pointer.oid, project.state.base(artifact.path)
    if pinned is None or base is None or base.here == pinned or put_a_file(project.cache, artifact, base):
        return False
    found = compare(project.workspace, project.cache, artifact, base)
    part = part_of(found, item.within) if item.within else found
    if (
        part.modified
        or b"" in found.added
        or found.unknown
        or (base.version != pinned and not committed.names(artifact))
    ):
        return False
    if not has_list(project.cache, pinned):
        bring_list(artifact)
    changes = (*part.added, *part.deleted)
    return _is_behind(project, base, pinned) and not any(_is_named(trees, artifact, path) for path in changes)


def _is_behind(project: Project, base: Base, pinned: ObjectId) -> bool:
    """Whether what was put here is another version, and not only a part of the pinned one."""
    load = project.cache.load
    pairs = side_by_side(read_tree(base.here, load), read_tree(pinned, load))
    return base.version != pinned or any(old is not None and not same(old, new) for _, old, new in pairs)


def _is_named(trees: Trees, artifact: Artifact, path: bytes) -> bool:
    """Whether the pinned version has something at a path, below it, or a file above it."""
    pinned, files = artifact.pointer.oid, artifact.pointer.files or 0
    assert pinned is not None
    if trees.at(pinned, path, files=files) is not None:
        return True
    while path := os.path.dirname(path):
        around = trees.at(pinned, path, files=files)
        if around is not None:
            return around.is_file or around.target is not None
    return False
