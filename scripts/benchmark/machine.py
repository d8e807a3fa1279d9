"""What the machine can do whatever the tool."""

from __future__ import annotations

import hashlib
import os
import platform
import time
from pathlib import Path

_SAMPLE = 8 << 20
_TIMES = 12
_CPUINFO = Path("/proc/cpuinfo")
_SHA_FLAGS = frozenset({"sha_ni", "sha2"})
"""As Linux calls the instructions of x86 and ARM."""


def hash_rate(name: str) -> float:
    """Bytes per second of one core at its best, in its own time, so that others who use it don't count."""
    data = os.urandom(_SAMPLE)
    best = float("inf")
    for _ in range(_TIMES):
        started = time.thread_time()
        hashlib.new(name, data, usedforsecurity=False).digest()
        best = min(best, time.thread_time() - started)
    return _SAMPLE / best


def has_sha_instructions() -> bool | None:
    """Whether the processor has instructions for sha256; None where that can't be told."""
    if not _CPUINFO.exists():
        return None
    flags = {
        flag
        for line in _CPUINFO.read_text().splitlines()
        if line.startswith(("flags", "Features"))
        for flag in line.split()
    }
    return bool(flags & _SHA_FLAGS)


def describe(sha256: float) -> str:
    """One line for the head of a table."""
    instructions = {True: "with", False: "without", None: "perhaps with"}[has_sha_instructions()]
    return (
        f"Python {platform.python_version()}, {os.cpu_count()} cores {instructions} SHA instructions"
        f" (one hashes {sha256 / 1e6:,.0f} MB/s with sha256, {hash_rate('md5') / 1e6:,.0f} MB/s with md5),"
        f" {platform.system()}"
    )
