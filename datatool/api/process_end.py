"""What a process that tracks files does when it ends: its outputs are recorded, and everything is synced."""

from __future__ import annotations

import atexit
import os
import sys
from collections.abc import Sequence

from datatool.api.current_run import Noted, process_run
from datatool.api.telling import say, warn
from datatool.api.trackers import close_trackers, tracking
from datatool.errors import DatatoolError
from datatool.model.paths import named
from datatool.operations.frozen import is_frozen
from datatool.operations.track_state import Action
from datatool.operations.tracker import Tracker

_armed: set[int] = set()


def arm_process_end() -> None:
    """See that `end_process` is called when this process ends; in a child of `multiprocessing` by its own means, as it
    ends without what `atexit` has."""
    if os.getpid() in _armed:
        return
    _armed.add(os.getpid())
    atexit.unregister(end_process)
    atexit.register(end_process)
    child = sys.modules.get("multiprocessing.util")
    if child is not None and _is_a_child():
        child.Finalize(None, end_process, exitpriority=0)


def end_process() -> None:
    """Record the outputs of this process, unless it failed, and settle what was recorded."""
    noted = process_run().take()
    outputs = [item for item in noted if item.outputs]
    error = _failed_by()
    if outputs and error is not None:
        count = sum(len(item.outputs) for item in outputs)
        warn(f"{count} output{'s' if count > 1 else ''} not recorded, as the program ended by {type(error).__name__}")
    else:
        record_outputs(outputs)
    try:
        close_trackers()
    except DatatoolError as problem:
        warn(problem.message, hint=problem.hint)


def record_outputs(noted: Sequence[Noted]) -> None:
    """Record what a run was to write, as `CurrentRun.take` tells it; not where nothing is to be recorded. What can't be
    recorded is told, and costs only itself."""
    if is_frozen(os.environ):
        return
    for item in noted:
        with tracking(item.root) as tracker:
            for path in sorted(item.outputs):
                _record_output(tracker, path)


def _record_output(tracker: Tracker, path: bytes) -> None:
    try:
        result = tracker.record_output(path)
    except DatatoolError as problem:
        warn(problem.message, hint=problem.hint)
        return
    if result.action is Action.LACK:
        warn(f"{named(path)}: was to be an output, and is not there")
    line = tracker.line(result)
    if line is not None:
        say(line)


def _is_a_child() -> bool:
    process = sys.modules.get("multiprocessing.process")
    return process is not None and process.parent_process() is not None


def _failed_by() -> BaseException | None:
    """The error that ended this process; at a prompt or in a notebook, one that was shown ended nothing."""
    if hasattr(sys, "ps1") or "ipykernel" in sys.modules:
        return None
    found = getattr(sys, "last_exc", None) or getattr(sys, "last_value", None)
    return found if isinstance(found, BaseException) else None
