"""A directory for a while."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from datatool.localfs.removal import remove_tree
from datatool.localfs.temps import temp_name


@contextmanager
def cache_directory(inside: Path) -> Iterator[Path]:
    """A new directory in another, readable by nobody else, that is gone afterwards. Raises OSError."""
    made = inside / os.fsdecode(temp_name())
    os.mkdir(made, 0o700)
    try:
        yield made
    finally:
        remove_tree(made)
