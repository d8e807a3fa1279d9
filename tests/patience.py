"""How tests wait: a machine that is slow, or busy with other tests, is no failure."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from hypothesis import HealthCheck, settings

patient = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
"""For property tests."""

LONG = 120.0
"""Seconds in which anything has happened on any machine: what takes longer would never have happened."""


@contextmanager
def started(command: Sequence[str], **options: Any) -> Iterator[subprocess.Popen[Any]]:
    """A process that ends with the test, even one that fails while it waits for the process."""
    with subprocess.Popen(command, **options) as process:
        try:
            yield process
        finally:
            process.kill()
