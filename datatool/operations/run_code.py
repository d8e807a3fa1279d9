"""The code that a Python program of the project reaches: the one place that says how it is told apart."""

from __future__ import annotations

import os
from collections.abc import Mapping

from datatool.hashing import digest
from datatool.project.project import Project
from datatool.stages.imports import imported_files


def functions_of(project: Project, entry: str) -> Mapping[str, str]:
    """For a script, by its path from the project's root: the project's files that it is made of, each with a hash."""
    files = imported_files([project.root / entry], root=project.root)
    return {
        os.path.relpath(file, project.root).replace(os.sep, "/"): str(digest(file.read_bytes()))
        for file in files
        if file.is_file()
    }
