"""Results of stages that are kept here, told from their records alone: no code is imported."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path

from datatool.errors import PathNotFound
from datatool.model.oid import prefixed
from datatool.model.paths import show
from datatool.operations.result import Part, Result
from datatool.project.project import Project
from datatool.stages.cells import NAME as NOTEBOOK
from datatool.stages.run_store import Known, stage_runs


@dataclass(frozen=True, kw_only=True, slots=True)
class KeptResult(Part):
    """One result: the record of the run that made it, when that began (UTC, ISO 8601), how many seconds it took, the
    result's size in bytes, format and id, and whether the cache has its bytes."""

    run: str
    started: str
    duration: float
    size: int
    format: str
    oid: str
    cached: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class ListedStage(Part):
    """A stage by its name in records, `pipeline:clean`, and its results, the newest first."""

    name: str
    results: tuple[KeptResult, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class StageList(Result):
    """The stages of which results are kept, by name."""

    stages: tuple[ListedStage, ...]


def list_stages(project: Project, names: Sequence[str] = (), *, cwd: Path) -> StageList:
    """The results that are kept of the stages with some names, or in some files; of all by default. Raises PathNotFound
    for a name or file of which nothing is kept.

    >>> [stage.name for stage in list_stages(project, ["pipeline.py"], cwd=Path.cwd()).stages]  # doctest: +SKIP
    ['pipeline:clean', 'pipeline:total']
    """
    found: dict[str, list[KeptResult]] = {}
    for known in chosen_runs(project, names, cwd=cwd):
        found.setdefault(known.record.name, []).append(_kept(project, known))
    return StageList(stages=tuple(ListedStage(name=name, results=tuple(found[name])) for name in sorted(found)))


def chosen_runs(project: Project, names: Sequence[str], *, cwd: Path) -> list[Known]:
    """The records of stages with some names, or in some files, the newest first; all records of stages by default.
    Raises PathNotFound."""
    known = [one for one in stage_runs(project.cache, project.config.project or "") if one.record.outputs]
    if not names:
        return known
    there = {one.record.name for one in known}
    chosen = {name for word in names for name in _meant(project, word, there, cwd)}
    return [one for one in known if one.record.name in chosen]


def _meant(project: Project, word: str, there: Iterable[str], cwd: Path) -> set[str]:
    """The stages that a word means: `pipeline:clean`, `clean`, `pipeline.py`, or `pipeline.py:clean`."""
    file, colon, name = word.rpartition(":")
    module = _module(project, file if colon else word, cwd)
    wanted = {word, f"{module}:{name}" if colon and module else word}
    found = {one for one in there if one in wanted or one.partition(":")[2] == word}
    if module is not None and not colon:
        found |= {one for one in there if one.partition(":")[0] == module}
    if found:
        return found
    spellings = {**{one.partition(":")[2]: one for one in there}, **{one: one for one in there}}
    near = get_close_matches(word, spellings, 1)
    raise PathNotFound(
        f"{show(word)}: no result of such a stage is kept here",
        hint=f"did you mean {near[0]}?" if near else "datatool stage list shows what is kept",
        path=word,
    )


def _module(project: Project, file: str, cwd: Path) -> str | None:
    """The name by which records know the module in a file."""
    if file.endswith(".ipynb"):
        return NOTEBOOK
    path = Path(os.path.realpath(cwd / file))
    if not file.endswith(".py") or not path.is_relative_to(project.root):
        return None
    inside = path.relative_to(project.root).as_posix()
    return inside.removesuffix(".py").removesuffix("/__init__").replace("/", ".")


def _kept(project: Project, known: Known) -> KeptResult:
    record = known.record
    output = record.outputs[0]
    return KeptResult(
        run=prefixed(known.oid),
        started=record.started,
        duration=record.duration,
        size=output.size,
        format=record.stage.format if record.stage is not None else "",
        oid=prefixed(output.oid),
        cached=project.cache.has(output.oid),
    )
