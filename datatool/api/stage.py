"""`@stage`: functions whose results are remembered until something that determines them changes."""

from __future__ import annotations

import inspect
import os
from collections.abc import Callable, Mapping, Sequence
from difflib import get_close_matches
from functools import cached_property, update_wrapper
from pathlib import Path
from types import MethodType
from typing import Generic, ParamSpec, TypeVar, cast, overload

from datatool.api.file import File
from datatool.api.process_end import arm_process_end
from datatool.api.stage_call import present
from datatool.api.stage_chain import Chain, plain_value
from datatool.api.stage_home import Home, home_of, program_directory
from datatool.api.stage_plan import bind, plan
from datatool.api.telling import warn
from datatool.errors import UsageError
from datatool.stages.arguments import SAME, rebuilt
from datatool.stages.live import Ingredients, ingredients_of, unwrapped
from datatool.stages.options import StageOptions, stage_options

P = ParamSpec("P")
R = TypeVar("R")

_outside: set[int] = set()
"""The processes that were told that they are in no project."""


class Stage(Generic[P, R]):
    """A function whose results are remembered: see `datatool.stage`, which makes it."""

    __datatool_stage__ = True

    def __init__(self, function: Callable[P, R], declared: Mapping[str, object], options: StageOptions) -> None:
        update_wrapper(self, function)
        self.function = function
        self.declared = declared
        self.options = options
        self._code: tuple[Path, Ingredients] | None = None
        self._told: set[str] = set()
        self._home: Home | None = None

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
        """The result for some arguments: remembered, or made by what has to run for it, in order."""
        return cast(R, self._result(args, kwargs))

    def uncached(self, *args: P.args, **kwargs: P.kwargs) -> R:
        """Call the plain function: nothing is looked up, counted or kept for it. Declared stages give it their results,
        files are fetched."""
        bound = self.bound(args, kwargs)
        found = {name: rebuilt(value, self._present) for name, value in bound.arguments.items()}
        plain = inspect.BoundArguments(bound.signature, found)  # type: ignore[arg-type]
        return self.function(*plain.args, **plain.kwargs)

    def run(self, *args: P.args, **kwargs: P.kwargs) -> R:
        """The same as a call."""
        return self(*args, **kwargs)

    @property
    def label(self) -> str:
        """Its name, for people."""
        return unwrapped(self.function).__qualname__

    def bound(self, args: tuple[object, ...], given: Mapping[str, object]) -> inspect.BoundArguments:
        """The arguments of a call, with those that were declared and the defaults. Raises TypeError as Python does."""
        return bind(self._signature, self.declared, args, given, self.label)

    def code(self, root: Path) -> Ingredients:
        """What its code says, looked at again when something was defined anew. Raises UsageError where there is no
        source."""
        if self._code is None or self._code[0] != root or not self._code[1].still_hold:
            self._code = root, ingredients_of(self.function, root, start=program_directory(root))
        return self._code[1]

    def warn_once(self, text: str) -> None:
        """Warn of something in its code that can't be followed."""
        if text not in self._told:
            self._told.add(text)
            warn(f"stage {self.label}: {text}", hint="declare version=… and raise it by hand when that changes")

    def __repr__(self) -> str:
        return f"<stage {self.label}>"

    def __get__(self, instance: object, owner: type | None = None) -> object:
        return self if instance is None else MethodType(self, instance)

    def _present(self, value: object) -> object:
        """A file or another stage's result, for a call of the plain function."""
        if isinstance(value, File):
            return present(value, self._where())
        return value() if isinstance(value, Stage) else SAME

    def _where(self) -> Home:
        """Where it belongs; looked up again as long as that is in no project."""
        if self._home is None or self._home.root is None:
            self._home = home_of(self.function)
        return self._home

    @cached_property
    def _signature(self) -> inspect.Signature:
        return inspect.signature(self.function)

    def _result(self, args: tuple[object, ...], given: Mapping[str, object]) -> object:
        calls = plan(self, args, given)
        home = self._where()
        if home.root is None:
            if os.getpid() not in _outside:
                _outside.add(os.getpid())
                warn(f"stage {self.label}: is in no datatool project, so nothing is kept", hint="datatool init makes one")
            return plain_value(calls, home)
        arm_process_end()
        return Chain(calls, home, home.root).value()


@overload
def stage(function: Callable[P, R], /) -> Stage[P, R]: ...


@overload
def stage(
    *,
    format: str | None = None,
    ttl: str | float | None = None,
    version: object = None,
    cache: bool = True,
    share: bool | None = None,
    packages: Sequence[str] = (),
    **arguments: object,
) -> Callable[[Callable[..., R]], Stage[..., R]]: ...


def stage(
    function: Callable[..., object] | None = None,
    /,
    *,
    format: str | None = None,
    ttl: str | float | None = None,
    version: object = None,
    cache: bool = True,
    share: bool | None = None,
    packages: Sequence[str] = (),
    **arguments: object,
) -> object:
    """Remember the results of a function: it runs again only when something changed that determines them.

    >>> @datatool.stage(raw=datatool.File("raw/in.csv"), format="parquet")
    ... def clean(raw, limit=10):
    ...     return pandas.read_csv(raw).dropna().head(limit)
    ...
    >>> @datatool.stage(rows=clean)
    ... def total(rows):
    ...     return int(rows["n"].sum())
    ...
    >>> total()  # runs clean and total; the next time, nothing
    42

    What determines a result: the code of the function, and of the functions and classes of the project that it
    reaches; constants, closures, defaults; every argument; the contents of files; the results of other stages; the
    versions of the packages it uses. Comments, docstrings and formatting do not. What else an argument may be is
    numbers, texts, dates, enums, dataclasses, tables, arrays, and lists and dicts of these; anything else has to say
    what it is by a method `__stage_key__`.

    `arguments` are values for the function's parameters: a `File` or a text that names a file counts by content,
    another stage stands for its result. `format` is that in which the result is kept (parquet, arrow, csv, json, npy,
    npz, text, bytes, pickle), else its type decides; a pickle never leaves this machine. `ttl` is how long a result
    holds (seconds, or a text such as "7d"), `version` something to raise by hand, `packages` names modules whose
    versions count too. With `cache=False` nothing is kept, and the function runs whenever somebody needs its result.
    `share=True` pushes the result to the project's remote, and asks there before it runs; the setting `stages.share`
    does so for all. Exceptions are not remembered.

    Raises UsageError (a ValueError) for generators, coroutines and options that can't be.
    """
    options = stage_options(format=format, ttl=ttl, version=version, cache=cache, share=share, packages=packages)

    def decorate(wanted: Callable[..., object]) -> Stage[..., object]:
        _check(wanted, arguments)
        return Stage(wanted, arguments, options)

    return decorate if function is None else decorate(function)


def _check(function: Callable[..., object], arguments: Mapping[str, object]) -> None:
    """Raise UsageError for what can't be a stage."""
    live = unwrapped(function)
    name = live.__qualname__
    if inspect.iscoroutinefunction(live) or inspect.isasyncgenfunction(live) or inspect.isgeneratorfunction(live):
        kind = "generator" if inspect.isgeneratorfunction(live) else "coroutine"
        raise UsageError(
            f"stage {name}: is a {kind}, whose result can't be kept",
            hint="return a list or a table" if kind == "generator" else "await inside: asyncio.run(…) in a plain function",
        )
    parameters = inspect.signature(function).parameters
    if any(part.kind is inspect.Parameter.VAR_KEYWORD for part in parameters.values()):
        return
    for argument in arguments:
        if argument not in parameters:
            near = get_close_matches(argument, [*parameters, *_OPTIONS], 1)
            raise UsageError(
                f"stage {name}: has no parameter {argument}",
                hint=f"did you mean {near[0]}?" if near else f"parameters: {', '.join(parameters) or 'none'}",
            )


_OPTIONS = ("format", "ttl", "version", "cache", "share", "packages")
