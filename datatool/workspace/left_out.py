"""Files of the last version that `.datatoolignore` leaves out by now, though they still lie there."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator

from datatool.formats.tree_object import Load, parse_lines, read_lines
from datatool.formats.tree_text import paths_of_files
from datatool.model.oid import ObjectId
from datatool.workspace.present import Workspace


def newly_left_out(
    workspace: Workspace, load: Load, artifact: bytes, before: ObjectId, recorded: Iterable[bytes]
) -> list[bytes]:
    """Paths of a tree that are not among the `recorded` ones, since a rule leaves them out. KeyError where the cache
    lacks that tree."""
    skip = workspace.skip
    if skip is None or not workspace.left_some_out(artifact):
        return []
    prefix = artifact + b"/"
    kept = frozenset(recorded)
    gone = (path for path in _paths(before, load) if path not in kept)
    return [path for path in gone if skip(prefix + path, False) and os.path.lexists(workspace.full(prefix + path))]


def _paths(tree: ObjectId, load: Load) -> Iterator[bytes]:
    for lines in read_lines(tree, load):
        yield from paths_of_files(lines) or (entry.path for entry in parse_lines(lines) if entry.is_file)
