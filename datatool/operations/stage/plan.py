"""The stages that a call of the last one needs, each once, in an order in which they can run."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from inspect import BoundArguments

from msgspec import Struct, field

from datatool.errors import UsageError
from datatool.operations.stage.definition import StageDefinition, stage_in
from datatool.stages.arguments import DEEPEST, too_deep


class Call(Struct, eq=False):
    """One call of a stage; `needs` are the calls whose results are among its arguments, by their stages."""

    stage: StageDefinition
    arguments: BoundArguments
    needs: dict[StageDefinition, Call] = field(default_factory=dict)


def plan(stage: StageDefinition, args: tuple[object, ...], given: Mapping[str, object]) -> list[Call]:
    """The calls, the one that was asked for last. Raises UsageError where a stage needs its own result, TypeError for
    arguments that do not fit."""
    last = Call(stage, stage.bound(args, given))
    known: dict[StageDefinition, Call] = {}
    order: list[Call] = []
    unfinished = {stage}
    stack = [(last, _stages_of(last))]
    while stack:
        call, needed = stack[-1]
        wanted = next(needed, None)
        if wanted is None:
            stack.pop()
            unfinished.discard(call.stage)
            order.append(call)
            continue
        if wanted in unfinished:
            raise UsageError(f"stage {wanted.label}: needs its own result", hint="take its input from another stage")
        if wanted not in known:
            known[wanted] = Call(wanted, wanted.bound((), {}))
            unfinished.add(wanted)
            stack.append((known[wanted], _stages_of(known[wanted])))
        call.needs[wanted] = known[wanted]
    return order


def stages_among(values: Iterable[object], place: str = "", depth: int = 0) -> Iterator[StageDefinition]:
    """The stages in values, in lists and dicts among them too; `place` says where the values stand. Raises UsageError
    for a list that is in itself."""
    if depth > DEEPEST:
        raise too_deep(place)
    for value in values:
        found = stage_in(value)
        if found is not None:
            yield found
        elif isinstance(value, list | tuple | set | frozenset | deque):
            yield from stages_among(value, place, depth + 1)
        elif isinstance(value, dict):
            yield from stages_among(value.values(), place, depth + 1)


def _stages_of(call: Call) -> Iterator[StageDefinition]:
    """The stages among the arguments."""
    for name, value in call.arguments.arguments.items():
        yield from stages_among([value], name)
