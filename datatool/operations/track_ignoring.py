"""Ignore lines for who tracks file after file: put at the end of the `.gitignore` for now, and sorted in once."""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final

from datatool.hashing import digest
from datatool.localfs.atomic import remove_file, sweep_temps, write_file
from datatool.model.settings import Durability
from datatool.operations.publish import sort_lines_in, write_lines
from datatool.project.project import Project

_MARK: Final = "unsorted-"


class Ignoring:
    """Writes the lines of one project. A mark lets the next process do what a killed one left."""

    def __init__(self, project: Project) -> None:
        self._project = project
        self._unsorted: set[bytes] = set()
        sweep_temps(project.marks)
        with suppress(OSError):
            for name in os.listdir(project.marks):
                if name.startswith(_MARK):
                    self._unsorted.add((project.marks / name).read_bytes())

    def write(self, artifacts: Sequence[bytes], durability: Durability) -> list[bytes]:
        """Write the lines for artifacts; gives the paths of the files that have them."""
        return list(write_lines(self._project, artifacts, durability, on_unsorted=self._note))

    def settle(self) -> list[bytes]:
        """Sort what was not sorted; gives the paths of these files, which are not synced."""
        unsorted, self._unsorted = self._unsorted, set()
        for path in unsorted:
            with suppress(FileNotFoundError):
                sort_lines_in(self._project, path)
            remove_file(self._mark(path))
        return list(unsorted)

    def _note(self, path: bytes) -> None:
        if path not in self._unsorted:
            like = self._project.local.parent
            write_file(self._mark(path), path, durability=Durability.NONE, like=like)
            self._unsorted.add(path)

    def _mark(self, path: bytes) -> Path:
        return self._project.marks / f"{_MARK}{digest(path)[:16]}"
