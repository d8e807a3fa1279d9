"""Ignore lines for who tracks file after file: put at the end of the `.gitignore` for now, and sorted in once."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress

from datatool.localfs.atomic import remove_file, sweep_temps, write_file
from datatool.model.settings import Durability
from datatool.operations.publish import sort_lines_in, write_lines
from datatool.operations.track.marks import unsorted, unsorted_mark
from datatool.project.project import Project


class Ignoring:
    """Writes the lines of one project. A mark lets the next process do what a killed one left."""

    def __init__(self, project: Project) -> None:
        self._project = project
        sweep_temps(project.marks)
        self._unsorted = unsorted(project)

    def write(self, artifacts: Sequence[bytes], durability: Durability) -> list[bytes]:
        """Write the lines for artifacts; gives the paths of the files that have them."""
        return list(write_lines(self._project, artifacts, durability, on_unsorted=self._note))

    def settle(self) -> list[bytes]:
        """Sort what was not sorted; gives the paths of these files, which are not synced."""
        left, self._unsorted = self._unsorted, set()
        for path in left:
            with suppress(FileNotFoundError):
                sort_lines_in(self._project, path)
            remove_file(unsorted_mark(self._project, path))
        return list(left)

    def _note(self, path: bytes) -> None:
        if path not in self._unsorted:
            like = self._project.local.parent
            write_file(unsorted_mark(self._project, path), path, durability=Durability.NONE, like=like)
            self._unsorted.add(path)
