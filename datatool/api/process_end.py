"""What a process that tracks files does when it ends: its outputs are recorded, and everything is synced."""

from __future__ import annotations

import atexit
import os
import sys

from datatool.api.current_run import process_run
from datatool.api.ending import end
from datatool.api.programs import ThisProgram, this_program
from datatool.api.telling import warn
from datatool.api.trackers import close_trackers
from datatool.errors import DatatoolError

_armed: dict[int, ThisProgram] = {}
"""By process: the program as it was when it first tracked something. Python forgets the file before it ends."""


def arm_process_end() -> None:
    """See that `end_process` is called when this process ends; in a child of `multiprocessing` by its own means, as it
    ends without what `atexit` has."""
    if os.getpid() in _armed:
        return
    _armed[os.getpid()] = this_program()
    atexit.unregister(end_process)
    atexit.register(end_process)
    child = sys.modules.get("multiprocessing.util")
    if child is not None and _is_a_child():
        child.Finalize(None, end_process, exitpriority=0)


def end_process() -> None:
    """Record the run of this process with its outputs, unless it failed, and settle what was recorded before."""
    run = process_run()
    error = _failed_by()
    if error is not None:
        count = sum(len(item.outputs) for item in run.take())
        outputs = "1 output" if count == 1 else f"{count} outputs"
        if count:
            warn(f"{outputs} not recorded, as the program ended by {type(error).__name__}")
    elif run.is_noted:
        end(run, _armed.get(os.getpid()) or this_program())
    try:
        close_trackers()
    except DatatoolError as problem:
        warn(problem.message, hint=problem.hint)


def _is_a_child() -> bool:
    process = sys.modules.get("multiprocessing.process")
    return process is not None and process.parent_process() is not None


def _failed_by() -> BaseException | None:
    """The error that ended this process; at a prompt or in a notebook, one that was shown ended nothing."""
    if hasattr(sys, "ps1") or "ipykernel" in sys.modules:
        return None
    found = getattr(sys, "last_exc", None) or getattr(sys, "last_value", None)
    return found if isinstance(found, BaseException) else None
