"""What a script or notebook stands for, where the name of data is asked for: the data that it tracks."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path

from datatool.errors import DatatoolError, FormatError, PathNotFound
from datatool.model.paths import named
from datatool.operations.targets import Meant, project_path, select
from datatool.progress import SILENT, Progress
from datatool.project.project import Project
from datatool.stages.run_store import recorded_inputs
from datatool.stages.script_inputs import ScriptInputs, Tracked, script_inputs
from datatool.stages.source import NOTEBOOK, SUFFIXES, read_source
from datatool.workspace.pointers import owner

_SHOWN = 3

Recorded = Callable[[Project, bytes], Sequence[bytes]]
"""The inputs that runs of a script (its path) recorded, as paths; all from the project's root."""


def inputs_of_last_run(project: Project, entry: bytes) -> Sequence[bytes]:
    """What the newest run of a script read, in its blocks and around them, as far as records are here."""
    path = os.fsdecode(entry)
    cells = read_source(project.root / path).cell_digests if path.endswith(NOTEBOOK) else frozenset()
    return recorded_inputs(project.cache, project.config.project or "", path, cells)


def meant_by(
    project: Project,
    targets: Sequence[str],
    *,
    cwd: Path,
    recorded: Recorded = inputs_of_last_run,
    progress: Progress = SILENT,
) -> Meant:
    """Targets with every script and notebook replaced by what it tracks: by its text, and by its last recorded run.

    What it tracks and nobody has recorded is told in `lacking`. Raises PathNotFound or FormatError where nothing is
    left, PathNotFound for a script outside the project.

    >>> meant_by(project, ["train.py"], cwd=Path.cwd()).targets  # doctest: +SKIP
    ('data/raw.csv', 'models/base.bin')
    """
    found: dict[str, None] = {}
    lacking: list[DatatoolError] = []
    for target in targets:
        script = script_at(project, target, cwd)
        if script is None:
            found[target] = None
            continue
        one = _Script(project, script, cwd, recorded(project, script), progress)
        found.update(dict.fromkeys(one.found))
        lacking += one.lacking
    if targets and not found:
        raise lacking[0]
    return Meant(targets=tuple(found), lacking=tuple(lacking))


def script_at(project: Project, target: str, cwd: Path) -> bytes | None:
    """The path of the script or notebook that a target names, unless the file is data itself."""
    if not target.endswith(SUFFIXES):
        return None
    path = project_path(project, target, cwd)
    if not path or owner(project.root, path) is not None or not os.path.isfile(project.workspace.full(path)):
        return None
    return path


class _Script:
    """One script: what it tracks that can be had (`found`, as targets), and why the rest can't (`lacking`)."""

    def __init__(self, project: Project, path: bytes, cwd: Path, recorded: Sequence[bytes], progress: Progress) -> None:
        self._project = project
        self._path = path
        self._name = named(path)
        self._cwd = cwd
        self.found: dict[str, None] = {}
        self.lacking: list[DatatoolError] = []
        self._here: list[str] = []
        told = script_inputs(Path(os.fsdecode(project.workspace.full(path))), project.root)
        for tracked in told.inputs:
            self._take(tracked)
        for item in recorded:
            self._take_path(item)
        if not self.found and not self.lacking:
            self.lacking.append(self._nothing(told))
            return
        for problem in told.problems:
            progress.warn(f"{problem}; what it tracks was left out")
        if told.unknown and not recorded:
            progress.hint(f"{self._name}: {_cannot_be_known(told.unknown)}")

    def _take(self, tracked: Tracked) -> None:
        places = self._places(tracked)
        path = next((place for place in places if self._is_there(place)), places[0] if places else None)
        if path is None or self._take_path(path):
            return
        if os.path.lexists(self._project.workspace.full(path)):
            self._here.append(named(path))
        elif tracked.sure:
            self.lacking.append(
                PathNotFound(
                    f"{named(path)}: {tracked.place} tracks it, and it is neither here nor recorded",
                    hint=f"whoever has it runs datatool add {named(path)}, commits {named(path)}.dt and pushes",
                    path=os.fsdecode(path),
                )
            )

    def _places(self, tracked: Tracked) -> list[bytes]:
        """Where a path may lie inside the project, by the rule of `track`: from the working directory, from the file
        with the call, from the project's root."""
        found: list[bytes] = []
        for base in (self._cwd, tracked.beside, self._project.root):
            try:
                found.append(project_path(self._project, tracked.path, base))
            except DatatoolError:
                continue
        return [path for path in found if path]

    def _is_there(self, path: bytes) -> bool:
        try:
            return os.path.lexists(self._project.workspace.full(path)) or owner(self._project.root, path) is not None
        except FormatError:
            return True  # a pointer that doesn't read is told where it is used

    def _take_path(self, path: bytes) -> bool:
        """Take a path of the project if anything tracked is there."""
        target = os.path.relpath(os.fsdecode(self._project.workspace.full(path)), self._cwd)
        try:
            select(self._project, [target], self._cwd)
        except PathNotFound:
            return False
        except FormatError:
            pass
        self.found[target] = None
        return True

    def _nothing(self, told: ScriptInputs) -> DatatoolError:
        """Why nothing can be had."""
        path = os.fsdecode(self._path)
        if told.problems:
            return FormatError(told.problems[0], hint=f"mend it, or name the data instead of {self._name}", path=path)
        if self._here:
            return PathNotFound(
                f"{self._name}: what it tracks is not recorded yet",
                hint=f"datatool add {' '.join(self._here[:_SHOWN])} records it, as does running {self._name}",
                path=path,
            )
        if told.tracked and not told.inputs and not told.unknown:
            made = [named(os.fsencode(item.path)) for item in told.tracked[:_SHOWN]]
            return PathNotFound(
                f"{self._name}: reads no data, it only writes",
                hint=f"running it makes {', '.join(made)}; to have what is recorded of that, name it instead",
                path=path,
            )
        looked = "looked for datatool.track(…) and datatool.File(…) in it and in the project's modules that it reaches"
        if told.unknown:
            looked = f"{_cannot_be_known(told.unknown)}: name the data itself"
        return PathNotFound(f"{self._name}: tracks no data", hint=looked, path=path)


def _cannot_be_known(places: Sequence[str]) -> str:
    more = f" and {len(places) - _SHOWN} more" if len(places) > _SHOWN else ""
    return f"what it tracks at {'; '.join(places[:_SHOWN])}{more} can't be known before it runs"
