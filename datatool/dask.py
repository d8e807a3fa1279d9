"""Stages on Dask, by its own client: needs the extra `dask`."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Executor, Future
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar

from datatool.api.stage import Stage

if TYPE_CHECKING:
    from distributed import Client

P = ParamSpec("P")
R = TypeVar("R")


def run(final: Stage[P, R], client: Client, *args: Any, **kwargs: Any) -> R:
    """The result of a stage, with the stages that have to run as tasks of a Dask cluster.

    >>> with dask.distributed.Client("tcp://scheduler:8786") as client:
    ...     datatool.dask.run(total, client)
    ...
    42

    A task's key is the fingerprint of its result. Its future holds the record of that and no more: values lie in the
    workers' caches, and go from one to another through the project's remote, so workers need no shared disk. Dask runs
    the task of a worker that dies on another one. See `Stage.run`.
    """
    return final.run(*args, executor=_Keyed(client), **kwargs)


class _Keyed(Executor):
    """Submits tasks under their own keys, so that two programs that want the same result share its task."""

    def __init__(self, client: Client) -> None:
        self._inner = client.get_executor(pure=True)  # type: ignore[no-untyped-call]

    def submit(self, function: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        """A future of the client, as one of `concurrent.futures`."""
        (task,) = args
        found: Future[Any] = self._inner.submit(function, task, key=task.key)
        return found
