"""Files that a program is going to write, or gave as bytes."""

from __future__ import annotations

import os
from pathlib import Path

from datatool.localfs.atomic import make_dirs, write_file
from datatool.model.settings import Durability


def make_parent(full: str) -> None:
    """Make the directory that a file is going to lie in. Raises LocalError."""
    make_dirs(Path(os.path.dirname(full)), durability=Durability.NONE)


def write_made(full: str, data: bytes | bytearray | memoryview) -> None:
    """Write a file's bytes, whole or not at all. Raises LocalError."""
    write_file(Path(full), bytes(data), durability=Durability.NONE)
