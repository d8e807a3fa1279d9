"""What is said only when something takes long."""

from __future__ import annotations

import os
import subprocess
import sys
import threading

import pytest

from datatool.operations.stage.late_calls import when_late

PATIENCE = 60
"""Seconds; nobody waits for them unless something is broken."""


def test_a_block_that_takes_long_is_told_of_while_it_runs() -> None:
    said = threading.Event()
    with when_late(0.0, said.set):
        assert said.wait(PATIENCE)


def test_of_a_block_that_ended_in_time_nothing_is_said() -> None:
    said: list[str] = []
    done = threading.Event()
    with when_late(PATIENCE, lambda: said.append("late")):
        pass
    with when_late(0.0, done.set):
        assert done.wait(PATIENCE)
    assert said == []


def test_what_is_due_sooner_is_told_sooner() -> None:
    later, sooner = threading.Event(), threading.Event()
    with when_late(PATIENCE, later.set), when_late(0.0, sooner.set):
        assert sooner.wait(PATIENCE)
        assert not later.is_set()


def test_many_quick_blocks_start_one_thread_at_most() -> None:
    before = set(threading.enumerate())
    for _ in range(100):
        with when_late(PATIENCE, lambda: None):
            pass
    assert len(set(threading.enumerate()) - before) <= 1


@pytest.mark.skipif(not hasattr(os, "fork"), reason="nothing forks here")
def test_a_forked_child_is_told_too() -> None:
    program = """
import os, threading
import pytest

from datatool.operations.stage.late_calls import when_late
with when_late(3600, lambda: None):
    child = os.fork()
    if not child:
        said = threading.Event()
        with when_late(0.0, said.set):
            os._exit(0 if said.wait(60) else 1)
    assert os.waitpid(child, 0)[1] == 0
"""
    subprocess.run([sys.executable, "-W", "ignore", "-c", program], check=True, timeout=120)
