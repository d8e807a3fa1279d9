"""What a run was, and whether a record says so already."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from datatool.model.oid import ObjectId
from datatool.model.run import RunCode, RunFile, RunKind
from datatool.project.project import Project
from datatool.stages.run_store import find_runs


@dataclass(frozen=True, kw_only=True, slots=True)
class Execution:
    """What a run was, but for what it made and on which machine; `started` in seconds since 1970, parameters and words
    without secrets."""

    kind: RunKind
    name: str
    fingerprint: str
    code: RunCode
    started: float
    duration: float
    inputs: Sequence[RunFile] = ()
    parameters: Mapping[str, object] = field(default_factory=dict)
    metrics: Mapping[str, object] = field(default_factory=dict)
    command: tuple[str, ...] | None = None
    directory: str | None = None
    noted_parameters: Mapping[str, object] = field(default_factory=dict)
    """What blocks in the programs of a command had, which the command's line does not say."""


def directory_in(project: Project, directory: Path) -> str | None:
    """A directory from the project's root, `""` for the root itself; None for one outside."""
    place = os.path.relpath(os.path.realpath(directory), project.root)
    if place.split(os.sep)[0] == os.pardir:
        return None
    return "" if place == os.curdir else place.replace(os.sep, "/")


def recorded(project: Project, execution: Execution, outputs: tuple[RunFile, ...] = ()) -> ObjectId | None:
    """The record that says what would be said now of a run with such outputs."""
    for known in find_runs(project.cache, execution.fingerprint, project.config.project or ""):
        if known.record.outputs == outputs and known.record.metrics == execution.metrics:
            return known.oid
    return None
