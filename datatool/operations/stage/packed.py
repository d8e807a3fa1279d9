"""Tasks on their way to a worker: pickled at the start and unpickled at the end, never by whoever passes them on."""

from __future__ import annotations

import pickle
import sys
from collections.abc import Callable

from datatool.errors import UsageError
from datatool.operations.stage.definition import StageDefinition, carried
from datatool.operations.stage.task import Task

Reduced = tuple["type[Packed]", tuple[str, Task | bytes]]


class Packed:
    """A task as an executor takes it. A scheduler between here and the worker, which may lack the project's modules,
    sees bytes; a worker in this process the task itself."""

    def __init__(self, key: str, content: Task | bytes) -> None:
        self.key = key
        """See `Task.key`."""
        self._content = content

    def __reduce__(self) -> Reduced:
        try:
            return self.reduced(pickle.dumps)
        except (UsageError, pickle.PicklingError, TypeError, AttributeError):
            return Packed, (self.key, self._content)  # the pickler that asks may know what to do, or say what is wrong

    def reduced(self, dumps: Callable[[Task], bytes]) -> Reduced:
        """What a pickler takes instead, made by its own kind."""
        content = self._content
        return Packed, (self.key, dumps(content) if isinstance(content, Task) else content)

    def opened(self) -> Task:
        """The task. Raises UsageError for one that names what this process can't import."""
        if isinstance(self._content, Task):
            return self._content
        try:
            task: Task = pickle.loads(self._content)  # noqa: S301 - from the executor, which would unpickle it itself
        except (ImportError, AttributeError) as error:
            raise UsageError(
                f"a worker can't read the arguments of {self.key}: {error}",
                hint="what they are made of has to be importable there, as the stage itself",
            ) from error
        return task


def packed(task: Task) -> Packed:
    """A task as an executor takes it."""
    return Packed(task.key, task)


def teach_carrying() -> None:
    """Let cloudpickle, where an executor has loaded it, take stages that nobody can import."""
    found = sys.modules.get("cloudpickle")
    if found is not None:
        table = {StageDefinition: carried, Packed: lambda task: task.reduced(found.dumps)}
        found.CloudPickler.dispatch_table.update(table)
