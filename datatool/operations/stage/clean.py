"""Forgetting results of stages, so that they are made again when somebody needs them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from datatool.errors import UsageError
from datatool.localfs.atomic import remove_file
from datatool.model.oid import prefixed
from datatool.operations.result import Part, Result
from datatool.operations.stage.list_ import chosen_runs
from datatool.project.project import Project
from datatool.stages.options import seconds
from datatool.stages.run_store import lookup_name


@dataclass(frozen=True, kw_only=True, slots=True)
class Forgotten(Part):
    """A result that is not found any more: its stage, the record of its run, when that began, its size in bytes."""

    name: str
    run: str
    started: str
    size: int


@dataclass(frozen=True, kw_only=True, slots=True)
class StagesCleaned(Result):
    """The results that were, or would be, forgotten, the newest first."""

    forgotten: tuple[Forgotten, ...]
    dry_run: bool = False


def clean_stages(
    project: Project,
    names: Sequence[str] = (),
    *,
    older_than: str | None = None,
    every: bool = False,
    dry_run: bool = False,
    now: float,
    cwd: Path,
) -> StagesCleaned:
    """Forget the results of stages with some names or in some files, or of every one; with `older_than`, only those
    made longer ago (`7d`; `now` in seconds since 1970). Records of other kinds stay, and so do all objects: whether
    something else needs one is not for this to tell.

    Raises UsageError where it is not said which results, PathNotFound for a name of which nothing is kept.
    """
    if every and names:
        raise UsageError("names and --all exclude each other", hint="leave out one of them")
    if not names and not every and older_than is None:
        raise UsageError(
            "nothing says which results to forget", hint="name stages or files, or --older-than 7d, or --all"
        )
    limit = now - seconds(older_than, "--older-than") if older_than is not None else None
    found = [known for known in chosen_runs(project, names, cwd=cwd) if limit is None or known.record.ended < limit]
    for known in found if not dry_run else ():
        remove_file(project.cache.top / lookup_name(known.record.fingerprint, known.oid))
    return StagesCleaned(
        forgotten=tuple(
            Forgotten(
                name=known.record.name,
                run=prefixed(known.oid),
                started=known.record.started,
                size=known.record.outputs[0].size,
            )
            for known in found
        ),
        dry_run=dry_run,
    )
