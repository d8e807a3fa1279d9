"""`with datatool.run()`: a block of a program, with its parameters and metrics, as one run."""

from __future__ import annotations

import math
import os
import threading
import time
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Final

from datatool.api.calling import calling_file
from datatool.api.current_run import CurrentRun, entered
from datatool.api.programs import this_program, working_directory
from datatool.api.run_end import end
from datatool.api.telling import warn
from datatool.errors import UsageError
from datatool.model.run import RunKind
from datatool.operations.open_project import project_around
from datatool.operations.runs.program_record import record_program

_DEEPEST: Final = 32


class Run:
    """A block that is one run: see `datatool.run`, which makes it."""

    def __init__(self, name: str, parameters: Mapping[str, object] | None) -> None:
        if not isinstance(name, str):
            raise UsageError(f"the name of a run must be a text, not {type(name).__name__}")
        self.name = name
        self.parameters = _plain({} if parameters is None else parameters, "params")
        self._metrics: dict[str, object] = {}
        self._lock = threading.Lock()
        self._entry = calling_file()
        self._program = this_program()
        self._current = CurrentRun()
        self._started = 0.0
        self._open: ExitStack | None = None
        self._ended = False

    def metrics(self, **values: object) -> None:
        """Note results of the run: numbers, texts, lists and mappings of these. A name that was noted before gets the
        new value. Any thread may. Raises UsageError (a ValueError) for anything else, once the block has ended, and
        in a forked child, from which nothing comes back."""
        plain = _plain(values, "metrics")
        if not self._current.is_ours:
            raise UsageError(
                f"run {self.name}: was begun by another process",
                hint="give the values back to that one, and note them there",
            )
        with self._lock:
            if self._ended:
                raise UsageError(f"run {self.name}: has ended", hint="note metrics in the block")
            self._metrics.update(plain)

    def __enter__(self) -> Run:
        if self._open is not None:
            raise UsageError(f"run {self.name}: is open already", hint="every block needs a datatool.run() of its own")
        self._started, self._ended = time.time(), False
        self._open = ExitStack()
        self._open.enter_context(entered(self._current))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._open is not None
        self._open.close()
        self._open = None
        if not self._current.is_ours:
            return
        with self._lock:
            metrics, self._metrics, self._ended = self._metrics, {}, True
        if kind is not None:
            self._current.take()
            warn(f"run {self.name}: not recorded, nor its outputs, as it ended by {kind.__name__}")
            return
        places = (working_directory(), os.path.dirname(self._entry) if self._entry else None)
        here = project_around(*(Path(place) for place in places if place is not None))
        end(
            self._current,
            kind=RunKind.BLOCK,
            name=self.name,
            entry=self._entry,
            texts=self._program.texts(),
            command=self._program.command,
            directory=self._program.directory,
            started=self._started,
            record=record_program,
            parameters=self.parameters,
            metrics=metrics,
            also=[here] if here is not None else (),
            always=True,
        )


def run(name: str = "run", params: Mapping[str, object] | None = None) -> Run:
    """Make a block of a program one run: a record says what was tracked in it, with parameters and metrics.

    >>> with datatool.run("train", params={"lr": 0.1}) as run:
    ...     table = pandas.read_csv(datatool.track("data/table.csv"))
    ...     model.save(datatool.track("model.bin", output=True))
    ...     run.metrics(accuracy=0.97)

    What `track()` is told in the block, in any thread that it starts, is the block's input or output; the outputs are
    recorded when it ends, and their pointers name its record. Blocks may lie in blocks: each has what is tracked
    directly in it. What a child process tracks is its own, and recorded when that one ends. A block that ends by an
    exception is not recorded, nor are its outputs. Values whose names say that they are secret (`password`, `api_key`,
    …) are kept out of the record. Inside `datatool run -- python …` it all belongs to the run of that command. Where
    `CI` or `DATATOOL_FROZEN=1` is set, nothing is recorded.

    `params` and metrics are numbers, texts, lists and mappings of these; anything else, and a name that is no text,
    raises UsageError (a ValueError).
    """
    return Run(name, params)


def _plain(values: Mapping[str, object], what: str) -> dict[str, object]:
    """Values as JSON has them."""
    if not isinstance(values, Mapping):
        raise UsageError(f"{what}: must be a mapping of names to values, not {type(values).__name__}")
    return {_name(name, what): _json(value, f"{what}: {name}", 0) for name, value in values.items()}


def _name(name: object, what: str) -> str:
    if not isinstance(name, str):
        raise UsageError(f"{what}: the name {name!r} is no text")
    return name


def _json(value: object, where: str, depth: int) -> object:
    if depth > _DEEPEST:
        raise UsageError(f"{where}: lies too deep")
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)  # JSON has no NaN, and a training that ran away is worth a record
    if value is None or isinstance(value, bool | int | float | str):
        return value if not isinstance(value, int | float) or type(value) in (bool, int, float) else _base(value)
    if isinstance(value, os.PathLike):
        return os.fspath(value)
    if isinstance(value, Mapping):
        return {_name(key, where): _json(item, f"{where}.{key}", depth + 1) for key, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        items = sorted(value, key=repr) if isinstance(value, set | frozenset) else value
        return [_json(item, where, depth + 1) for item in items]
    plain = getattr(value, "tolist", None)  # numbers and arrays of numpy, pandas, torch
    if callable(plain):
        return _json(plain(), where, depth + 1)
    raise UsageError(
        f"{where}: {type(value).__name__} can't be recorded", hint="numbers, texts, lists and mappings of these can"
    )


def _base(value: int | float) -> int | float:
    """A number as Python's own, of an enum or a library's kind of number."""
    return int(value) if isinstance(value, int) else float(value)
