"""What a process that tracks files does when it ends: its outputs are recorded, and everything is synced."""

from __future__ import annotations

import atexit
import os
import sys
import threading
from typing import NoReturn

from datatool.api.current_run import process_run
from datatool.api.ending import end, forget_program
from datatool.api.programs import ThisProgram, this_program
from datatool.api.telling import warn
from datatool.api.trackers import close_trackers
from datatool.errors import DatatoolError

_armed: dict[int, ThisProgram] = {}
"""By process: the program as it was when it first tracked something. Python forgets the file before it ends."""

_statuses: dict[int, object] = {}
"""By process: what `sys.exit` was called with last."""
_exit = sys.exit


def arm_process_end() -> None:
    """See that `end_process` is called when this process ends; in a child of `multiprocessing` by its own means, as it
    ends without what `atexit` has."""
    if os.getpid() in _armed:
        return
    _armed[os.getpid()] = this_program()
    sys.exit = _noting_exit  # Python tells nobody who is called at exit with which status it ends
    atexit.unregister(end_process)
    atexit.register(end_process)
    child = sys.modules.get("multiprocessing.util")
    if child is not None and _is_a_child():
        child.Finalize(None, end_process, exitpriority=0)


def end_process() -> None:
    """Record the run of this process with its outputs, unless it failed, and settle what was recorded before."""
    run = process_run()
    failed = _failed_by()
    if failed is not None:
        count = sum(len(item.outputs) for item in run.take())
        outputs = "1 output" if count == 1 else f"{count} outputs"
        if count:
            warn(f"{outputs} not recorded, as the program ended {failed}")
    elif run.is_noted:
        end(run, _armed.get(os.getpid()) or this_program())
    try:
        forget_program()
        close_trackers()
    except DatatoolError as problem:
        warn(problem.message, hint=problem.hint)


def _is_a_child() -> bool:
    process = sys.modules.get("multiprocessing.process")
    return process is not None and process.parent_process() is not None


def _noting_exit(status: object = None, /) -> NoReturn:
    """`sys.exit`, which notes the status; in another thread it ends only that thread."""
    if threading.current_thread() is threading.main_thread():
        _statuses[os.getpid()] = status
    _exit(status)  # type: ignore[arg-type]


def _failed_by() -> str | None:
    """How this process failed, if it did; at a prompt or in a notebook, an error that was shown ended nothing."""
    if hasattr(sys, "ps1") or "ipykernel" in sys.modules:
        return None
    found = getattr(sys, "last_exc", None) or getattr(sys, "last_value", None)
    if isinstance(found, BaseException):
        return f"by {type(found).__name__}"
    status = _statuses.get(os.getpid())
    if not status and (status is None or isinstance(status, int)):
        return None
    return f"with exit status {int(status) if isinstance(status, int) else 1}"
