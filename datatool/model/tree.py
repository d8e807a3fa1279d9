"""What a tree is in sum, and how it refers to its pages."""

from __future__ import annotations

from typing import NamedTuple

from msgspec import Struct

from datatool.model.oid import ObjectId


class TreeSummary(Struct, frozen=True, kw_only=True):
    """A whole tree: its id, the sum of its files' bytes, how many files and links it lists, and the
    ids of all objects that make it up (root first, then pages in order; one page alone is the tree)."""

    oid: ObjectId
    size: int
    files: int
    parts: tuple[ObjectId, ...]


class PageRef(NamedTuple):
    """One line of a tree's root: a page, its number of entries, their sum of sizes, its first raw path."""

    oid: ObjectId
    entries: int
    size: int
    first: bytes
