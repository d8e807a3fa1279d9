"""The code that a Python program of the project reaches: the one place that says how it is told apart."""

from __future__ import annotations

import os
from collections.abc import Mapping

from datatool.hashing import digest
from datatool.project.project import Project
from datatool.stages.reach import reached
from datatool.stages.source import SUFFIXES


def functions_of(project: Project, entry: str) -> Mapping[str, str]:
    """For a script or notebook, by its path from the project's root: itself, and the project's functions and classes
    that it reaches, each with a hash of what it says. What is no Python counts by its bytes."""
    path = project.root / entry
    if not os.path.isfile(path):
        return {}
    if not entry.endswith(SUFFIXES):
        return {entry: str(digest(path.read_bytes()))}
    return reached(path, project.root)
