"""From entries that came from elsewhere to a tree in a cache, with every rule for names and links kept."""

from __future__ import annotations

import os
from collections.abc import Iterable

from datatool.cache.local import Cache
from datatool.errors import FormatError, UnsafeInput
from datatool.formats.tree_object import TreeWriter
from datatool.model.entry import Entry, sort_key
from datatool.model.oid import ObjectId
from datatool.model.paths import PathRefused, show_bytes
from datatool.model.tree import TreeSummary


def save_tree(entries: Iterable[Entry], cache: Cache, *, where: str, path: bytes = b"") -> TreeSummary:
    """Save the tree of entries in any order; `where` and `path` name the directory in messages.

    Raises UnsafeInput for names and links that could do harm, FormatError for a file that is also a directory.
    """
    pages: list[tuple[ObjectId, bytes]] = []
    tree = TreeWriter(lambda oid, data: pages.append((oid, data)))
    try:
        for entry in sorted(entries, key=sort_key):
            tree.add(entry)
        summary = tree.finish()
    except PathRefused as error:
        whole = (path + b"/" if path else b"") + error.path
        raise UnsafeInput(f"{show_bytes(whole)}: {error.reason}", path=os.fsdecode(whole)) from error
    except ValueError as error:
        inside = f" {show_bytes(path)}" if path else ""
        raise FormatError(f"{where}:{inside} holds a file that is also a directory: {error}") from error
    cache.keep(pages)
    return summary
