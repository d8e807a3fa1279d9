"""The stages that a call of the last one needs, each once, in an order in which they can run."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from inspect import BoundArguments, Parameter, Signature
from typing import Protocol

from datatool.errors import UsageError
from datatool.stages.options import StageOptions


class AnyStage(Protocol):
    """What is needed of a stage."""

    @property
    def options(self) -> StageOptions:
        """What its author says."""

    @property
    def label(self) -> str:
        """Its name, for people."""

    def bound(self, args: tuple[object, ...], given: Mapping[str, object]) -> BoundArguments:
        """The arguments of a call, with those that were declared and the defaults."""


@dataclass(eq=False, slots=True)
class Call:
    """One call of a stage; `needs` are the calls whose results are among its arguments, by their stages."""

    stage: AnyStage
    arguments: BoundArguments
    needs: dict[AnyStage, Call] = field(default_factory=dict)


def plan(stage: AnyStage, args: tuple[object, ...], given: Mapping[str, object]) -> list[Call]:
    """The calls, the one that was asked for last. Raises UsageError where a stage needs its own result, TypeError for
    arguments that do not fit."""
    last = Call(stage, stage.bound(args, given))
    known: dict[AnyStage, Call] = {}
    order: list[Call] = []
    open_: dict[AnyStage, None] = {stage: None}
    stack = [(last, iter(_stages_in(last.arguments)))]
    while stack:
        call, needed = stack[-1]
        wanted = next(needed, None)
        if wanted is None:
            stack.pop()
            open_.pop(call.stage, None)
            order.append(call)
            continue
        if wanted in open_:
            raise UsageError(f"stage {wanted.label}: needs its own result", hint="an input must come from another stage")
        if wanted not in known:
            known[wanted] = Call(wanted, wanted.bound((), {}))
            open_[wanted] = None
            stack.append((known[wanted], iter(_stages_in(known[wanted].arguments))))
        call.needs[wanted] = known[wanted]
    return order


def bind(
    signature: Signature,
    declared: Mapping[str, object],
    args: tuple[object, ...],
    given: Mapping[str, object],
    label: str,
) -> BoundArguments:
    """Arguments as the function gets them: those of the call, then those that were declared, then the defaults. Raises
    TypeError as Python does."""
    bound = signature.bind_partial(*args, **given)
    rest = next((name for name, part in signature.parameters.items() if part.kind is Parameter.VAR_KEYWORD), None)
    for name, value in declared.items():
        if name in signature.parameters:
            bound.arguments.setdefault(name, value)
        elif rest is not None:
            bound.arguments[rest] = {name: value, **bound.arguments.get(rest, {})}
    missing = [
        name
        for name, part in signature.parameters.items()
        if name not in bound.arguments
        and part.default is Parameter.empty
        and part.kind not in (Parameter.VAR_KEYWORD, Parameter.VAR_POSITIONAL)
    ]
    if missing:
        names = ", ".join(map(repr, missing))
        raise TypeError(f"{label}() missing {'argument' if len(missing) == 1 else 'arguments'}: {names}")
    bound.apply_defaults()
    if rest is not None:  # the order in which they were given says nothing
        bound.arguments[rest] = dict(sorted(bound.arguments[rest].items()))
    return bound


def _stages_in(arguments: BoundArguments) -> list[AnyStage]:
    return list(dict.fromkeys(found for value in arguments.arguments.values() for found in _found(value)))


def _found(value: object) -> Iterator[AnyStage]:
    if hasattr(type(value), "__datatool_stage__"):
        yield value  # type: ignore[misc]
    elif type(value) in (list, tuple, set, frozenset):
        for item in value:  # type: ignore[attr-defined]
            yield from _found(item)
    elif type(value) is dict:
        for item in value.values():  # type: ignore[attr-defined]
            yield from _found(item)
