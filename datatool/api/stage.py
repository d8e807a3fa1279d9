"""`@stage`: functions whose results are remembered until something that determines them changes."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from functools import update_wrapper
from pathlib import Path
from types import MethodType
from typing import Any, Generic, ParamSpec, TypeVar, cast, overload

from datatool.api.calling import main_file, notebook_file
from datatool.api.current_run import current_run
from datatool.api.process_end import arm_process_end
from datatool.api.telling import Told, say, warn
from datatool.api.trackers import tracking
from datatool.errors import DatatoolError, ProjectNotFound
from datatool.model.run import RunFile
from datatool.operations.stage_chain import Around, Chain, plain_value
from datatool.operations.stage_definition import StageDefinition, define
from datatool.operations.stage_home import Home, home_of
from datatool.operations.stage_looking import refuse_while_looking
from datatool.operations.stage_plan import plan
from datatool.operations.stage_reason import Why
from datatool.operations.stage_uncached import plain_arguments
from datatool.operations.stage_why import why
from datatool.views.install import install
from datatool.views.stage_graph import Graph, graph_of
from datatool.views.stages import show_stage

P = ParamSpec("P")
R = TypeVar("R")

install()

_outside: set[int] = set()
"""The processes that were told that they are in no project."""


class Stage(Generic[P, R]):
    """A function whose results are remembered: see `datatool.stage`, which makes it."""

    def __init__(self, definition: StageDefinition) -> None:
        update_wrapper(self, definition.function)
        self.__datatool_stage__ = definition
        self._home: Home | None = None

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
        """The result for some arguments: remembered, or made by what has to run for it, in order."""
        return cast(R, self._result(args, kwargs))

    def uncached(self, *args: P.args, **kwargs: P.kwargs) -> R:
        """Call the plain function: nothing is looked up, counted or kept for it. Declared stages give it their results,
        files are fetched."""
        definition = self.__datatool_stage__
        bound = definition.bound(args, kwargs)
        plain = plain_arguments(bound, self._where(), _around())
        return cast(R, definition.function(*plain.args, **plain.kwargs))

    def why(self, *args: P.args, **kwargs: P.kwargs) -> Why:
        """Whether a call would be answered from what is kept, and if not, what changed. No stage runs.

        >>> print(total.why())
        total: cannot be told before clean runs again, because default limit: 10 → 20 (pipeline.py:3)
        clean: would run: since its result of 2026-03-01 09:30 UTC, this changed
          default limit: 10 → 20 (pipeline.py:3)
          …
        >>> total.why().cached, [change.kind for change in clean.why().changes]

        Raises what a call raises for its arguments, and ProjectNotFound outside any project, where nothing is kept.
        """
        definition = self.__datatool_stage__
        calls = plan(definition, args, kwargs)
        home = self._where()
        if home.root is None:
            raise ProjectNotFound(
                f"stage {definition.label}: is in no datatool project, so nothing is kept", hint="datatool init"
            )
        with tracking(home.root) as tracker:
            return why(calls, home, tracker, tracking, os.environ)

    def graph(self, *args: P.args, **kwargs: P.kwargs) -> Graph:
        """The stages that a call needs, and which of their results are kept. No stage runs.

        >>> print(total.graph())
        total (unknown)
        └─ clean (stale)

        `graph().dot()` is for Graphviz, `graph().mermaid()` for Markdown. Raises as `why` does.
        """
        return graph_of(self.why(*args, **kwargs))

    def __get__(self, instance: object, owner: type | None = None) -> Any:
        return self if instance is None else MethodType(self, instance)

    def __repr__(self) -> str:
        return f"<stage {self.__datatool_stage__.label}>"

    def _repr_html_(self) -> str:
        """Name, signature, and what a call without arguments would do."""
        definition = self.__datatool_stage__
        found: Graph | str
        try:
            found = graph_of(cast("Callable[[], Why]", self.why)())
        except TypeError:
            found = "its arguments decide what is kept"
        except DatatoolError as problem:
            found = problem.message
        return show_stage(definition.label, definition.signature, found)

    def _where(self) -> Home:
        """Where it belongs; looked up again as long as that is in no project."""
        if self._home is None or self._home.root is None:
            self._home = home_of(self.__datatool_stage__.file, notebook=notebook_file(), main=main_file())
        return self._home

    def _result(self, args: tuple[object, ...], given: Mapping[str, object]) -> object:
        refuse_while_looking()
        definition = self.__datatool_stage__
        calls = plan(definition, args, given)
        home = self._where()
        if home.root is None:
            if os.getpid() not in _outside:
                _outside.add(os.getpid())
                warn(f"stage {definition.label}: is in no datatool project, so nothing is kept", hint="datatool init")
            return plain_value(calls, home, tracking)
        arm_process_end()
        with tracking(home.root) as tracker:
            return Chain(calls, home, tracker, _around()).value()


def _around() -> Around:
    run = current_run()

    def note(root: Path, file: RunFile) -> None:
        run.note_input(root, file)

    return Around(tracking=tracking, note=note, say=say, progress=Told())


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
    >>> @datatool.stage(rows=clean)
    ... def total(rows):
    ...     return int(rows["n"].sum())
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

    def decorate(wanted: Callable[..., object]) -> Stage[..., object]:
        return Stage(
            define(
                wanted,
                arguments,
                format=format,
                ttl=ttl,
                version=version,
                cache=cache,
                share=share,
                packages=packages,
            )
        )

    return decorate if function is None else decorate(function)
