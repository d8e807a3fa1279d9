"""The commands `datatool` and `python` as programs on PATH, whether or not the package is installed."""

from __future__ import annotations

import os
import sys
from pathlib import Path


def search_path(directory: Path, old: str) -> str:
    """A PATH on which `datatool`, `python` and `python3` are the ones under test."""
    if os.name == "nt":  # an installed console script lies beside the interpreter
        return f"{Path(sys.executable).parent}{os.pathsep}{old}"
    directory.mkdir(exist_ok=True)
    for name, words in {"datatool": '-P -m datatool "$@"', "python": '"$@"', "python3": '"$@"'}.items():
        shim = directory / name
        shim.write_text(f'#!/bin/sh\nexec "{sys.executable}" {words}\n')
        shim.chmod(0o755)
    return f"{directory}{os.pathsep}{old}"
