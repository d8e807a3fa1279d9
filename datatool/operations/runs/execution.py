"""What a run was, and whether a record says so already."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from msgspec import Struct, field

from datatool.errors import Refused
from datatool.model.oid import ObjectId
from datatool.model.paths import PathRefused, check_escape, named
from datatool.model.run import RunCode, RunFile, RunKind
from datatool.project.project import Project
from datatool.stages.run_store import find_runs


class Execution(Struct, frozen=True, kw_only=True):
    """What a run was, but for what it made and on which machine; `started` in seconds since 1970, parameters and words
    without secrets."""

    kind: RunKind
    name: str
    fingerprint: str
    code: RunCode
    started: float
    duration: float
    inputs: Sequence[RunFile] = ()
    around: Sequence[RunFile] = ()
    """What else the same program had read when it ended, in other blocks and processes."""
    more_around: int = 0
    """How many files more it was."""
    parameters: Mapping[str, object] = field(default_factory=dict)
    metrics: Mapping[str, object] = field(default_factory=dict)
    command: tuple[str, ...] | None = None
    directory: str | None = None
    noted_parameters: Mapping[str, object] = field(default_factory=dict)
    """What blocks in the programs of a command had, which the command's line does not say."""
    secrets: str | None = None
    """The seal of what is hidden in its words and parameters."""


def directory_in(project: Project, directory: Path) -> str | None:
    """A directory from the project's root, `""` for the root itself; None for one outside, and for one that no record
    may name, as whoever reads it would refuse that."""
    place = os.path.relpath(os.path.realpath(directory), project.root).replace(os.sep, "/")
    if place == os.curdir:
        return ""
    return place if can_be_named(place) else None


def can_be_named(place: str) -> bool:
    """Whether a record may name a path (from the project's root)."""
    try:
        check_escape(os.fsencode(place))
    except PathRefused:
        return False
    return True


def refuse_unnamed(project: Project, directory: Path, paths: Sequence[bytes]) -> None:
    """Raises Refused for a directory of the project that a command is to run in, and for paths that it reads and
    writes, which its record could not name."""
    place = os.path.relpath(os.path.realpath(directory), project.root).replace(os.sep, "/")
    inside = [] if place == os.curdir or place.split("/")[0] == os.pardir else [os.fsencode(place)]
    for path in (*inside, *paths):
        try:
            check_escape(path)
        except PathRefused as error:
            raise Refused(
                f"{named(path)}: {error.reason}, so no record of a run can name it; nothing was run",
                hint="rename it, or run the command in another directory",
                path=os.fsdecode(path),
            ) from error


def recorded(project: Project, execution: Execution, outputs: tuple[RunFile, ...] = ()) -> ObjectId | None:
    """The record that says what would be said now of a run with such outputs."""
    for known in find_runs(project.cache, execution.fingerprint, project.config.project or ""):
        record = known.record
        same_around = (record.around, record.more_around) == (tuple(execution.around), execution.more_around)
        if record.outputs == outputs and record.metrics == execution.metrics and same_around:
            return known.oid
    return None
