"""What a fork waits for, so that a child finds no lock of another thread's."""

from __future__ import annotations

import subprocess
import sys

import needs

WAITS = """
import os, signal, threading
from datatool.forks import Unforked

signal.alarm(20)
calls, inside, forking = Unforked(), threading.Event(), threading.Event()
locked = threading.Lock()

def work():
    with calls, locked:
        inside.set()
        forking.wait()
        for number in range(1000):
            os.stat(".")

thread = threading.Thread(target=work)
thread.start()
inside.wait()
forking.set()
child = os.fork()
if child == 0:
    signal.alarm(10)
    with calls, locked:
        os._exit(0)
thread.join()
assert os.waitpid(child, 0)[1] == 0, "the child hung"
with calls, calls:
    pass
"""


def test_a_fork_waits_for_calls_that_another_thread_is_in() -> None:
    needs.linux()
    done = subprocess.run([sys.executable, "-c", WAITS], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
