"""Unpacking the archives that fixtures come in."""

from __future__ import annotations

import tarfile
from pathlib import Path


def unpack(archive: tarfile.TarFile, top: Path) -> None:
    """Unpack with the filter for data, where this Python has it (Debian 12's has not)."""
    archive.extraction_filter = getattr(tarfile, "data_filter", lambda member, path: member)
    archive.extractall(top)
