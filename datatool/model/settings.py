"""Settings that more than one layer understands."""

from __future__ import annotations

from enum import StrEnum


class Durability(StrEnum):
    """What "done" promises about a power cut (formats §7)."""

    BATCH = "batch"
    """One sync for a whole batch, before anything in it gets its final name."""
    FULL = "full"
    """A sync for each file and directory."""
    NONE = "none"
    """No syncs: as fast as the page cache, and as safe."""


class LinkMethod(StrEnum):
    """How a file in the workspace may share bytes with its object in the cache."""

    REFLINK = "reflink"
    """A copy that shares blocks until one side changes (XFS, btrfs; made on Linux only)."""
    COPY = "copy"
    """A copy."""
    HARDLINK = "hardlink"
    """The same file under two names; read-only."""
    SYMLINK = "symlink"
    """A link that points into the cache; read-only."""
