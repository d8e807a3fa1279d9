"""Waiting for a coroutine from an ordinary thread."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

LOST = """
import asyncio, os, signal, threading
from datatool.interruption import raised_by_signals
from datatool.remote.stores.event_loop import EventLoop

class Finalized:
    def __del__(self):
        os.kill(os.getpid(), signal.SIGINT)  # the interpreter drops what a finalizer raises
        for _ in range(1000):
            pass

with raised_by_signals():
    Finalized()
    try:
        EventLoop().run(asyncio.sleep(600))
    except KeyboardInterrupt:
        print("interrupted")
"""


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such signals")
def test_a_ctrl_c_that_was_swallowed_ends_the_next_wait() -> None:
    done = subprocess.run([sys.executable, "-c", LOST], capture_output=True, timeout=60, text=True)
    assert done.stdout == "interrupted\n"
