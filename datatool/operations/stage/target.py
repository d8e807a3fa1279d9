"""A stage that is named on the command line, as `pipeline.py:final`, and what a call of it would do."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager
from difflib import get_close_matches
from pathlib import Path
from types import ModuleType

from msgspec.structs import replace

from datatool.errors import PathNotFound, ProjectNotFound, UsageError
from datatool.model.paths import show
from datatool.operations.contents.fetch_list import bring_list
from datatool.operations.stage.definition import StageDefinition, stage_in
from datatool.operations.stage.home import home_of
from datatool.operations.stage.importing import imported
from datatool.operations.stage.plan import plan, stages_among
from datatool.operations.stage.reason import Why
from datatool.operations.stage.why import why
from datatool.operations.track.recording import Recording
from datatool.operations.track.tracker import Tracker
from datatool.progress import Progress


def why_target(target: str, *, cwd: Path, environ: Mapping[str, str], progress: Progress) -> Why:
    """Why a call of a stage without arguments would run, or would not. Its module is imported; no stage runs.

    `target` is `FILE.py:STAGE`, `MODULE:STAGE`, or either without `:STAGE` where only one stage is not an input of
    another. Raises PathNotFound for what is not there, UsageError for a stage that needs arguments or one of several,
    CommandFailed for a module that can't be imported, ProjectNotFound.
    """
    place, name = _parted(target)
    with imported(place, cwd) as (module, start):
        stage = _named(module, name, place) if name else _last(module, place)
        try:
            calls = plan(stage, (), {})
        except TypeError as error:
            hint = f"call {stage.label}.why(…) with them, in Python"
            raise UsageError(f"{show(target)}: {error}", hint=hint) from error
        home = home_of(stage.file, notebook=None, main=None)
        root = home.root
        if root is None:
            message = f"{show(target)}: is in no datatool project, so nothing is kept"
            raise ProjectNotFound(message, hint="datatool init")
        home = replace(home, start=start if start.is_relative_to(root) else None)
        with _Trackers(environ, progress) as trackers, trackers.tracking(root) as tracker:
            return why(calls, home, tracker, trackers.tracking, environ)


class _Trackers:
    """Projects that are open as long as somebody looks at stages; only lists are fetched there."""

    def __init__(self, environ: Mapping[str, str], progress: Progress) -> None:
        self._environ = environ
        self._progress = progress
        self._open: dict[Path, Tracker] = {}
        self._stack = ExitStack()

    def __enter__(self) -> _Trackers:
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    @contextmanager
    def tracking(self, root: Path) -> Iterator[Tracker]:
        """The project at a root."""
        if root not in self._open:
            made = Tracker(
                root,
                environ=self._environ,
                bring=lambda *_: [],
                bring_list=bring_list,
                bring_rest=lambda *_: [],
                record=Recording,
                progress=self._progress,
            )
            self._open[root] = self._stack.enter_context(closing(made))
        yield self._open[root]


def _parted(target: str) -> tuple[str, str]:
    """The module and the stage in it; a drive's letter ends in a colon too."""
    place, colon, name = target.rpartition(":")
    is_name = bool(name) and all(part.isidentifier() for part in name.split("."))
    return (place, name) if colon and place and is_name else (target, "")


def _named(module: ModuleType, name: str, place: str) -> StageDefinition:
    value: object = module
    for part in name.split("."):
        value = getattr(value, part, None)
    found = stage_in(value)
    if found is not None:
        return found
    known = list(_stages(module))
    near = get_close_matches(name, known, 1)
    what = f"{show(place)}: has no stage {show(name)}" if value is None else f"{show(place)}: {show(name)} is no stage"
    raise PathNotFound(what, hint=f"did you mean {show(place)}:{near[0]}?" if near else _listed(known), path=place)


def _last(module: ModuleType, place: str) -> StageDefinition:
    """The one stage that no other needs."""
    stages = _stages(module)
    needed = {inner for stage in stages.values() for inner in stages_among(stage.given_values)}
    last = {stage: name for name, stage in stages.items() if stage not in needed}
    if len(last) == 1:
        return next(iter(last))
    if not stages:
        raise PathNotFound(
            f"{show(place)}: has no stage",
            hint="a stage is a function below @datatool.stage; behind a call of one, none is looked for",
            path=place,
        )
    raise UsageError(
        f"{show(place)}: has several stages that are no input of another",
        hint="name one: " + ", ".join(f"{show(place)}:{name}" for name in last.values()),
    )


def _stages(module: ModuleType) -> dict[str, StageDefinition]:
    found = {name: stage_in(value) for name, value in vars(module).items()}
    return {name: stage for name, stage in found.items() if stage is not None}


def _listed(known: list[str]) -> str:
    return f"its stages: {', '.join(known)}" if known else "a stage is a function below @datatool.stage"
