"""Files of code that were edited after this process loaded them: what is read of them is not what runs."""

from __future__ import annotations

import os
import sys
from pathlib import Path

_Stamp = tuple[int, int, int]
_loaded: dict[str, _Stamp] = {}
"""By real path: what the file was when its code was loaded, or when it was first seen after that."""


def note_loaded(file: str) -> None:
    """Note what a file is, as its code is being loaded just now."""
    real = os.path.realpath(file)
    stamp = _stamp(real)
    if stamp is not None:
        _loaded[real] = stamp


def edited_files(root: Path) -> set[str]:
    """The files of loaded modules below a directory that are no longer what they were, as paths from there."""
    top = os.path.join(os.path.realpath(root), "")
    found: set[str] = set()
    for module in list(sys.modules.values()):
        file = getattr(module, "__file__", None)
        real = os.path.realpath(file) if isinstance(file, str) and file.startswith((top, str(root))) else ""
        stamp = _stamp(real) if real.startswith(top) else None
        if stamp is not None and _loaded.setdefault(real, stamp) != stamp:
            found.add(real[len(top) :].replace(os.sep, "/"))
    return found


def _stamp(path: str) -> _Stamp | None:
    try:
        found = os.stat(path)
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size, found.st_ino
