"""Threads that work beside the one that waits for them, where they can still be had."""

from __future__ import annotations

import threading


def started(thread: threading.Thread) -> bool:
    """Start a thread. False when the interpreter is about to end: from Python 3.12 on no thread begins then, so the
    caller does its work itself."""
    try:
        thread.start()
    except RuntimeError:
        return False
    return True
