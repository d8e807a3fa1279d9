"""`@stage`: functions whose results are remembered until something that determines them changes."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from functools import partial, update_wrapper
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, ParamSpec, TypeVar, cast, overload

from datatool.api.bringing import sharing
from datatool.api.calling import main_file, notebook_file
from datatool.api.current_run import current_run
from datatool.api.process_end import arm_process_end
from datatool.api.stage_doors import as_graph, as_html, explained, run_elsewhere
from datatool.api.telling import Told, say, warn
from datatool.api.trackers import tracking
from datatool.errors import DatatoolError, ProjectNotFound
from datatool.model.run import RunFile
from datatool.operations.stage.chain import Around, Chain, plain_value
from datatool.operations.stage.definition import AbsentStage, StageDefinition, define
from datatool.operations.stage.home import Home, home_of
from datatool.operations.stage.looking import refuse_while_looking
from datatool.operations.stage.plan import plan
from datatool.operations.stage.uncached import plain_arguments

if TYPE_CHECKING:
    from concurrent.futures import Executor

    from datatool.operations.stage.reason import Why
    from datatool.views.stage_graph import Graph

P = ParamSpec("P")
R = TypeVar("R")

_outside: set[int] = set()
"""The processes that were told that they are in no project."""


class Stage(Generic[P, R]):
    """A function whose results are remembered: see `datatool.stage`, which makes it."""

    def __init__(self, definition: StageDefinition) -> None:
        update_wrapper(self, definition.function)
        self.__datatool_stage__ = definition
        self._home: Home | None = None
        definition.face = self

    def __reduce__(self) -> tuple[Callable[[StageDefinition | AbsentStage], object], tuple[StageDefinition]]:
        return _face_of, (self.__datatool_stage__,)

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
        """The result for some arguments: remembered, or made by what has to run for it, in order."""
        return cast(R, self._result(args, kwargs))

    def run(self, *args: Any, executor: Executor | None = None, **kwargs: Any) -> R:
        """The same, with the stages that have to run submitted to an executor: each as soon as what it needs is known,
        and once. Without one it is a call.

        >>> with ProcessPoolExecutor() as pool:
        ...     total.run(executor=pool)
        42

        It may be any of `concurrent.futures`, or of other libraries, as Dask's `client.get_executor()`. What travels to
        a worker are names, arguments and ids; results are kept in its cache, and go to the project's remote where that
        is another one. What a stage raises reaches the caller; stages that were begun come to their end, and their
        results are kept, unless the executor cancels what runs, as Dask's own does. Raises Refused where a worker has
        other code, and what a remote fails with.
        """
        return cast(R, self._result(args, kwargs, executor))

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
            return explained(calls, home, tracker)

    def graph(self, *args: P.args, **kwargs: P.kwargs) -> Graph:
        """The stages that a call needs, and which of their results are kept. No stage runs.

        >>> print(total.graph())
        total (unknown)
        └─ clean (stale)

        `graph().dot()` is for Graphviz, `graph().mermaid()` for Markdown. Raises as `why` does.
        """
        return as_graph(self.why(*args, **kwargs))

    def __get__(self, instance: object, owner: type | None = None) -> Any:
        return self if instance is None else BoundStage(self, instance)

    def __repr__(self) -> str:
        return f"<stage {self.__datatool_stage__.label}>"

    def _repr_html_(self) -> str:
        """Name, signature, and what a call without arguments would do."""
        definition = self.__datatool_stage__
        found: Graph | str
        try:
            found = as_graph(cast("Callable[[], Why]", self.why)())
        except TypeError:
            found = "its arguments decide what is kept"
        except DatatoolError as problem:
            found = problem.message
        return as_html(definition.label, definition.signature, found)

    def _where(self) -> Home:
        """Where it belongs; looked up again as long as that is in no project."""
        if self._home is None or self._home.root is None:
            self._home = home_of(self.__datatool_stage__.file, notebook=notebook_file(), main=main_file())
        return self._home

    def _result(
        self, args: tuple[object, ...], given: Mapping[str, object], executor: Executor | None = None
    ) -> object:
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
            if executor is None:
                return Chain(calls, home, tracker, _around()).value()
            return run_elsewhere(calls, (args, given), home, tracker, _around(), executor)


class BoundStage:
    """A stage that is a method, of one object: that counts as its first argument."""

    def __init__(self, stage: Stage[..., Any], instance: object) -> None:
        self.__self__ = instance
        self.__func__ = stage
        for name in ("run", "uncached", "why", "graph"):
            setattr(self, name, partial(getattr(stage, name), instance))

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """The result for some arguments."""
        return self.__func__(self.__self__, *args, **kwargs)

    def __repr__(self) -> str:
        return f"<bound {self.__func__!r}>"


def _face_of(definition: StageDefinition | AbsentStage) -> object:
    """What a program calls, in the process that a definition came to."""
    if isinstance(definition, AbsentStage):
        return definition
    return definition.face or Stage(definition)


def _around() -> Around:
    run = current_run()

    def note(root: Path, file: RunFile) -> None:
        run.note_input(root, file)

    return Around(tracking=tracking, note=note, say=say, sharing=sharing, progress=Told())


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
