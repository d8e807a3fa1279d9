"""A stage as its author wrote it: a function, what is declared for its parameters, and options."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable, Mapping, Sequence
from difflib import get_close_matches
from functools import cached_property
from importlib import import_module
from inspect import BoundArguments, Parameter, Signature
from pathlib import Path
from typing import Final, NoReturn

from msgspec import Struct

from datatool.errors import UsageError
from datatool.stages.callables import unwrapped
from datatool.stages.live import Ingredients, ingredients_of
from datatool.stages.loaded import note_loaded
from datatool.stages.options import OPTIONS, StageOptions, stage_options
from datatool.stages.secrets import without_secrets

MARK: Final = "__datatool_stage__"
"""The attribute by which a value tells that it is a stage; it holds the definition."""


class StageDefinition:
    """What makes a function a stage. It remembers what its code says, as long as that means the same.

    Another process finds it by the name of its module and its own. `carried` says that its code came with it instead,
    as that of a notebook does, whose module nobody can import.
    """

    def __init__(
        self,
        function: Callable[..., object],
        declared: Mapping[str, object],
        options: StageOptions,
        *,
        carried: bool = False,
    ) -> None:
        self.function = function
        self.declared = declared
        self.options = options
        self.carried = carried
        self.face: object = None
        """What the program calls."""
        self._code: tuple[Path, Ingredients] | None = None
        self._told: set[str] = set()

    def __reduce__(self) -> tuple[Callable[[str, str], object], tuple[str, str]]:
        module, name = self.function.__module__, self.function.__qualname__
        if _at(module, name) is not self:
            raise UsageError(
                f"stage {self.label}: another process can't find it: {module} has no such name at its top",
                hint="define it at the top of a module, as workers import it from there",
            )
        return stage_named, (module, name)

    @cached_property
    def label(self) -> str:
        """Its name, for people."""
        return unwrapped(self.function).__qualname__.rpartition("<locals>.")[2]

    @cached_property
    def _signature(self) -> Signature:
        return inspect.signature(self.function)

    @property
    def given_values(self) -> list[object]:
        """What its parameters are where a call gives nothing: declared values, and defaults."""
        defaults = {
            name: part.default
            for name, part in self._signature.parameters.items()
            if part.default is not Parameter.empty
        }
        return list({**defaults, **self.declared}.values())

    @property
    def signature(self) -> str:
        """Its parameters, for people, without the values of secrets."""
        return without_secrets(str(self._signature))

    @property
    def file(self) -> str:
        """The file that its code says it is from."""
        return unwrapped(self.function).__code__.co_filename

    def bound(self, args: tuple[object, ...], given: Mapping[str, object]) -> BoundArguments:
        """The arguments of a call: those given, then those declared, then the defaults. Raises TypeError as Python."""
        signature = self._signature
        bound = signature.bind_partial(*args, **given)
        rest = _named_rest(signature)
        for name, value in self.declared.items():
            if name in signature.parameters:
                bound.arguments.setdefault(name, value)
            elif rest is not None:
                bound.arguments[rest] = {name: value, **bound.arguments.get(rest, {})}
        missing = [name for name, part in signature.parameters.items() if _is_missing(part, bound)]
        if missing:
            names = ", ".join(map(repr, missing))
            raise TypeError(f"{self.label}() missing {'argument' if len(missing) == 1 else 'arguments'}: {names}")
        bound.apply_defaults()
        if rest is not None:  # the order in which they were given says nothing
            bound.arguments[rest] = dict(sorted(bound.arguments[rest].items()))
        return bound

    def code(self, root: Path, start: Path | None) -> Ingredients:
        """What its code says, looked at again when something was defined anew; `start` is where the program finds
        modules. Raises UsageError where there is no source."""
        if self._code is None or self._code[0] != root or not self._code[1].still_hold:
            self._code = root, ingredients_of(self.function, root, start=start)
        return self._code[1]

    def is_news(self, text: str) -> bool:
        """Whether a warning about it was not given yet."""
        if text in self._told:
            return False
        self._told.add(text)
        return True


def define(
    function: Callable[..., object],
    declared: Mapping[str, object],
    *,
    format: str | None = None,
    ttl: str | float | None = None,
    version: object = None,
    cache: bool = True,
    share: bool | None = None,
    packages: Sequence[str] = (),
) -> StageDefinition:
    """Make a function a stage. Raises UsageError for what can't be one, and for options that can't be."""
    options = stage_options(format=format, ttl=ttl, version=version, cache=cache, share=share, packages=packages)
    live = unwrapped(function)
    note_loaded(live.__globals__)
    made = StageDefinition(function, dict(declared), options)
    if inspect.isgeneratorfunction(live):
        raise UsageError(
            f"stage {made.label}: is a generator, whose result can't be kept", hint="return a list or a table"
        )
    if inspect.iscoroutinefunction(live) or inspect.isasyncgenfunction(live):
        raise UsageError(
            f"stage {made.label}: is asynchronous, so its result can't be kept",
            hint="make it a plain function that calls asyncio.run(…)",
        )
    signature = inspect.signature(function)
    for name in declared if _named_rest(signature) is None else ():
        if name not in signature.parameters:
            near = get_close_matches(name, [*signature.parameters, *OPTIONS], 1)
            known = ", ".join(signature.parameters) or "none"
            raise UsageError(
                f"stage {made.label}: has no parameter {name}",
                hint=f"did you mean {near[0]}?" if near else f"its parameters: {known}",
            )
    return made


class AbsentStage(Struct, frozen=True):
    """What a stage becomes in a process that can't find it; `reason` in words. Whoever unpickles is not stopped by it:
    that would end the whole worker."""

    reason: str

    def __call__(self, *_: object, **__: object) -> NoReturn:
        """Raises UsageError, which says why."""
        raise UsageError(
            f"a stage can't be called in this process: {self.reason}",
            hint="define it at the top of a module that this process can import, and not in the program itself",
        )


def stage_named(module: str, name: str) -> StageDefinition | AbsentStage:
    """The stage that a module has under a name."""
    try:
        found = _at(module, name)
    except ImportError as error:
        return AbsentStage(f"{module} can't be imported: {error}")
    return found if found is not None else AbsentStage(f"{module} has no stage {name}")


def carried(stage: StageDefinition) -> tuple[Callable[..., object], tuple[object, ...]]:
    """How a pickler that can carry code is to take a stage: by its name where others can import that."""
    module, name = stage.function.__module__, stage.function.__qualname__
    if module != "__main__" and _at(module, name) is stage:
        return stage.__reduce__()
    return _carried, (stage.function, stage.declared, stage.options)


def _carried(function: Callable[..., object], declared: Mapping[str, object], options: StageOptions) -> StageDefinition:
    return StageDefinition(function, declared, options, carried=True)


def _at(module: str, name: str) -> StageDefinition | None:
    """Raises ImportError."""
    found: object = sys.modules.get(module) or import_module(module)
    for part in name.split("."):
        found = getattr(found, part, None)
    return stage_in(found)


def stage_in(value: object) -> StageDefinition | None:
    """The stage that a value is, if it is one."""
    found = getattr(value, MARK, None)
    return found if isinstance(found, StageDefinition) else None


def _named_rest(signature: Signature) -> str | None:
    """The parameter that takes any name."""
    kinds = ((name, part.kind) for name, part in signature.parameters.items())
    return next((name for name, kind in kinds if kind is Parameter.VAR_KEYWORD), None)


def _is_missing(part: Parameter, bound: BoundArguments) -> bool:
    rest = part.kind in (Parameter.VAR_KEYWORD, Parameter.VAR_POSITIONAL)
    return not rest and part.name not in bound.arguments and part.default is Parameter.empty
