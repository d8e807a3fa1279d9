"""Calling the function of a stage as if it were none."""

from __future__ import annotations

from inspect import BoundArguments

from datatool.model.file import File
from datatool.operations.stage.call import present
from datatool.operations.stage.chain import Around
from datatool.operations.stage.definition import stage_in
from datatool.operations.stage.home import Home
from datatool.stages.arguments import SAME, rebuilt


def plain_arguments(bound: BoundArguments, home: Home, around: Around) -> BoundArguments:
    """Arguments as the plain function takes them: other stages give their results, files are fetched. Raises what the
    stages raise, PathNotFound, and what `track` does."""

    def replace(value: object) -> object:
        if isinstance(value, File):
            return present(value, home, around.tracking)
        return value() if stage_in(value) is not None and callable(value) else SAME

    found = {name: rebuilt(value, replace) for name, value in bound.arguments.items()}
    return BoundArguments(bound.signature, found)
