"""What a worker of an executor does for somebody's stage."""

from __future__ import annotations

import os
from copy import copy
from multiprocessing.process import parent_process
from pathlib import Path

from msgspec.structs import replace

from datatool.api.bringing import sharing
from datatool.api.process_end import arm_process_end
from datatool.api.telling import Told
from datatool.api.trackers import tracking
from datatool.errors import UsageError
from datatool.operations.stage.chain import Around
from datatool.operations.stage.definition import AbsentStage
from datatool.operations.stage.packed import Packed
from datatool.operations.stage.task import Answer, Lacks
from datatool.operations.stage.worker import WorkerChain
from datatool.operations.stage.worker_project import home_for


class _Heard(Told):
    """Keeps the warnings until it is known whom they concern: whoever asked, if the stage can't run for that reason."""

    def __init__(self) -> None:
        self.warnings: list[tuple[str, str | None]] = []

    def warn(self, message: str, *, hint: str | None = None) -> None:
        """A warning."""
        self.warnings.append((message, hint))

    def tell(self) -> None:
        """Say them here."""
        for message, hint in self.warnings:
            super().warn(message, hint=hint)


def work(packed: Packed) -> Answer:
    """Run one stage in this process. Raises what its function raises, and see `WorkerChain`."""
    task = packed.opened()
    if isinstance(task.stage, AbsentStage):
        raise UsageError(
            f"a worker can't find the stage: {task.stage.reason}",
            hint="its module has to be importable there: start the workers in the project, or set PYTHONPATH",
        )
    stage = task.stage
    root, home = home_for(task.origin, stage.file, carried=stage.carried, environ=os.environ, cwd=_working_directory())
    arm_process_end()
    heard = _Heard()
    around = Around(
        tracking=tracking,
        note=lambda root, file: None,
        say=lambda line: None,
        sharing=sharing,
        progress=heard,
    )
    try:
        with tracking(root) as tracker:
            answer = WorkerChain(task, home, tracker, around).answer()
    except Exception as problem:
        _refuse_unsendable(problem, stage.label)
        raise
    if isinstance(answer, Lacks):
        return replace(answer, reasons=tuple(message for message, _ in heard.warnings))
    heard.tell()
    return answer


def _refuse_unsendable(problem: Exception, label: str) -> None:
    """In a child of `multiprocessing`: an exception that can't be made again from its arguments would end the whole
    pool of whoever gets it, so another one tells of it."""
    if parent_process() is None:
        return
    try:
        copy(problem)
    except TypeError:
        told = f"stage {label} raised {type(problem).__qualname__}, which can't be sent from here: {problem}"
        raise RuntimeError(told) from None


def _working_directory() -> Path | None:
    try:
        return Path.cwd()
    except OSError:  # it was deleted
        return None
