"""Which stage runs right now: what its function tracks by itself counts for nothing, and its author should know."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Final

from msgspec import Struct

from datatool.operations.stage.definition import StageDefinition


class _Running(Struct, frozen=True):
    stage: StageDefinition
    inputs: frozenset[str]


_running: Final[ContextVar[_Running | None]] = ContextVar("datatool_stage", default=None)


@contextmanager
def running(stage: StageDefinition, inputs: Collection[str]) -> Iterator[None]:
    """Within the block the function of a stage runs; `inputs` are the absolute paths of the files that count for it."""
    token = _running.set(_Running(stage, frozenset(inputs)))
    try:
        yield
    finally:
        _running.reset(token)


def uncounted(given: str, full: str, *, output: bool) -> tuple[str, str] | None:
    """A warning with its hint about a path that is tracked (as it is given, and absolute), where the function of a
    stage does so and nothing tells that this counts; once for each path."""
    now = _running.get()
    if now is None or full in now.inputs or not now.stage.is_news(f"tracks {full}"):
        return None
    label = now.stage.label
    if output:
        return (
            f"stage {label}: tracks the output {given}, which is not written where its result is remembered",
            "return what is to be kept, and write it where the stage is called",
        )
    return (
        f"stage {label}: tracks {given} while it runs, so a change of that does not make it run again",
        f"pass it as an argument: datatool.File({given!r})",
    )
