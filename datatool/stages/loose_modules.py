"""Modules from outside the project that belong to no package with a version, as one beside it that is on the path: they
count by what their files say."""

from __future__ import annotations

import hashlib
import os
import sys
from functools import cache
from importlib.machinery import PathFinder


@cache
def loose_code(top: str) -> str:
    """SHA-256 of the Python files of a module (64 hex digits); empty where it has none."""
    place = _place(top)
    files = sorted(_files(place)) if place else []
    hashed = hashlib.sha256()
    for name, path in files:
        try:
            with open(path, "rb") as file:
                data = file.read()
        except OSError:
            continue
        hashed.update(b"%d %d " % (len(os.fsencode(name)), len(data)) + os.fsencode(name) + data)
    return hashed.hexdigest() if files else ""


def _place(top: str) -> str | None:
    """Its file, or the directory of a package."""
    loaded = sys.modules.get(top)
    if loaded is not None:
        file, ways = getattr(loaded, "__file__", None), list(getattr(loaded, "__path__", ()))
    else:
        found = PathFinder.find_spec(top)
        file, ways = (found.origin, list(found.submodule_search_locations or ())) if found else (None, [])
    return ways[0] if ways else file


def _files(place: str) -> list[tuple[str, str]]:
    """Python files, each by its place in the package."""
    if not os.path.isdir(place):
        return [(os.path.basename(place), place)]
    return [
        (os.path.relpath(os.path.join(directory, name), place), os.path.join(directory, name))
        for directory, _, names in os.walk(place)
        for name in names
        if name.endswith(".py")
    ]
