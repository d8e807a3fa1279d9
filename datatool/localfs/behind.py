"""Publishing one batch while the next one is written."""

from __future__ import annotations

import threading
from collections.abc import Callable

from datatool.localfs.batch import Batch, Published
from datatool.threads import started


class Behind:
    """A thread that syncs and names the files of one batch, while its user fills another; use it with `with`.

    `on_published` hears of each batch in the user's own thread. Leaving the block waits for the last one; what went
    wrong behind is raised at the next step.
    """

    def __init__(self, on_published: Callable[[list[Published]], None]) -> None:
        self._on_published = on_published
        self._thread: threading.Thread | None = None
        self._published: list[Published] = []
        self._error: BaseException | None = None

    def __enter__(self) -> Behind:
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        if kind is None:
            self.wait()
        elif self._thread is not None:
            self._thread.join()

    def publish(self, batch: Batch, published: list[Published]) -> None:
        """Hand over a full batch, which fills `published` when its files have their names; waits for the one before."""
        try:
            self.wait()
        except BaseException as error:
            batch.__exit__(type(error), error, error.__traceback__)
            raise
        self._published = published
        thread = threading.Thread(target=self._run, args=(batch,), name="publish", daemon=True)
        if started(thread):
            self._thread = thread
        else:
            self._run(batch)
            self.wait()

    def wait(self) -> None:
        """Wait for the batch that was handed over last."""
        if self._thread is not None:
            self._thread.join()
            self._thread = None
        published, self._published = self._published, []
        if published:
            self._on_published(published)
        if self._error is not None:
            error, self._error = self._error, None
            raise error

    def _run(self, batch: Batch) -> None:
        try:
            batch.__exit__(None)
        except BaseException as error:  # noqa: BLE001 - raised by `wait`, in the thread that can handle it
            self._error = error
