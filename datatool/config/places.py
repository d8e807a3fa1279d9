"""Where the user's own files lie, as the platform has it (the places that platformdirs names, without its cost)."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from pathlib import Path


def user_config_dir(environ: Mapping[str, str]) -> Path:
    """The directory of the user's `config.yaml`."""
    if sys.platform == "win32":
        return _windows(environ) / "datatool"
    if sys.platform == "darwin":
        return _home(environ) / "Library/Application Support/datatool"
    return _xdg(environ, "XDG_CONFIG_HOME", ".config")


def user_cache_dir(environ: Mapping[str, str]) -> Path:
    """The directory for what belongs to the user and can be made again."""
    if sys.platform == "win32":
        return _windows(environ) / "datatool/Cache"
    if sys.platform == "darwin":
        return _home(environ) / "Library/Caches/datatool"
    return _xdg(environ, "XDG_CACHE_HOME", ".cache")


def _xdg(environ: Mapping[str, str], name: str, otherwise: str) -> Path:
    given = environ.get(name, "")
    if os.path.isabs(given):  # the XDG base directory specification: a relative one is to be ignored
        return Path(given) / "datatool"
    return _home(environ) / otherwise / "datatool"


def _windows(environ: Mapping[str, str]) -> Path:
    return Path(environ.get("LOCALAPPDATA") or _home(environ) / "AppData/Local")


def _home(environ: Mapping[str, str]) -> Path:
    return Path(environ.get("USERPROFILE" if sys.platform == "win32" else "HOME") or os.path.expanduser("~"))
