"""Stages on Dask, by its own client: needs the extra `dask`."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import CancelledError, Executor, Future
from contextlib import suppress
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
    42

    A task's key is the fingerprint of its result. Its future holds the record of that and no more: values lie in the
    workers' caches, and go from one to another through the project's remote, so workers need no shared disk. Dask runs
    the task of a worker that dies on another one. See `Stage.run`.
    """
    return final.run(*args, executor=_Keyed(client), **kwargs)


class _Keyed(Executor):
    """Submits tasks under their own keys, so that two programs that want the same result share its task."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._inner = client.get_executor(pure=True)  # type: ignore[no-untyped-call]

    def submit(self, function: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        """A future of the client, as one of `concurrent.futures`."""
        (task,) = args
        return _Submitted(self._inner.submit(function, task, key=task.key), lambda: self._runs(task.key))

    def _runs(self, key: str) -> bool:
        """Whether a worker is at it."""
        with suppress(KeyError, OSError, TimeoutError):  # nobody knows it, or the cluster is gone
            return any(key in running for running in self._client.call_stack(keys=[key]).values())  # type: ignore[no-untyped-call]
        return False


class _Submitted(Future[Any]):
    """A task of Dask. Unlike Dask's own future, and like one of a thread, it can't be cancelled while it runs: what
    its worker makes would be lost."""

    def __init__(self, inner: Future[Any], runs: Callable[[], bool]) -> None:
        super().__init__()
        self._inner = inner
        self._runs = runs
        inner.add_done_callback(self._settle)

    def cancel(self) -> bool:
        """Whether it will not run."""
        if self.done() or self._runs() or not super().cancel():
            return self.cancelled()
        self._inner.cancel()
        return True

    def _settle(self, inner: Future[Any]) -> None:
        if not self.set_running_or_notify_cancel():
            return
        problem = CancelledError() if inner.cancelled() else inner.exception()
        if problem is None:
            self.set_result(inner.result())
        else:
            self.set_exception(problem)
