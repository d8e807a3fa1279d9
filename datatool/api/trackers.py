"""The projects in which this process tracks files: each is opened once."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from msgspec import Struct

from datatool.api.bringing import bring, bring_list, bring_rest, record
from datatool.api.telling import Told
from datatool.operations.track.tracker import Tracker

KEPT: Final = 8
"""So many projects stay open while nobody uses them."""

_Key = tuple[object, ...]


class _Open(Struct):
    tracker: Tracker
    users: int = 0


class _Trackers:
    """Open trackers by project and by the settings in the environment, the one used last at the end."""

    def __init__(self) -> None:
        self.start()

    def start(self) -> None:
        """Begin with none."""
        self.lock = threading.Lock()
        self.open: dict[_Key, _Open] = {}


_all: Final = _Trackers()
_abandoned: Final[list[object]] = []
"""What was open when this process was forked off: to close it would disturb the parent, which still uses it."""


@contextmanager
def tracking(root: Path) -> Iterator[Tracker]:
    """The tracker of a project, opened by whoever asks first, and anew when the project or a setting has changed."""
    with _all.lock:
        key = (root, *((name, os.environ[name]) for name in os.environ if name.startswith("DATATOOL_")))
        found = _all.open.pop(key, None)
        if found is not None and not found.tracker.is_current():
            if not found.users:
                found.tracker.close()
            found = None
        if found is None:
            made = Tracker(
                root,
                environ=os.environ,
                bring=bring,
                bring_list=bring_list,
                bring_rest=bring_rest,
                record=record,
                progress=Told(),
            )
            found = _Open(made)
        _all.open[key] = found
        found.users += 1
    try:
        yield found.tracker
    finally:
        with _all.lock:
            found.users -= 1
            _close_idle(found, key)


def settle_trackers() -> None:
    """Settle what was recorded in all projects, so that others may write there. Raises LocalError."""
    with _all.lock:
        found = [item.tracker for item in _all.open.values()]
    for tracker in found:
        tracker.settle()


def close_trackers() -> None:
    """Settle and close all that nobody uses. Raises LocalError."""
    with _all.lock:
        for key, item in list(_all.open.items()):
            if not item.users:
                del _all.open[key]
                item.tracker.close()


def _close_idle(left: _Open, key: _Key) -> None:
    if not left.users and _all.open.get(key) is not left:  # another one has its place
        left.tracker.close()
    if len(_all.open) > KEPT:
        for other, item in list(_all.open.items())[:-KEPT]:
            if not item.users:
                del _all.open[other]
                item.tracker.close()


def _leave_the_parents() -> None:
    _abandoned.append(_all.open)
    _all.start()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_leave_the_parents)
