"""Free ports of the loopback interface, and waiting until something listens there."""

from __future__ import annotations

import random
import socket
import time
from collections.abc import Callable

HOST = "127.0.0.1"
_OURS = range(20_000, 32_000)
"""Below the ports that the kernel gives to outgoing connections, so that none of those gets in the way."""


def free_port() -> int:
    """A port that nobody listens on now; a server that finds it taken after all is started again with another."""
    chooser = random.SystemRandom()  # `random` itself is seeded alike in every worker
    while True:
        port = chooser.choice(_OURS)
        with socket.socket() as probe:
            try:
                probe.bind((HOST, port))
            except OSError:
                continue
            return port


def listens(port: int) -> bool:
    try:
        socket.create_connection((HOST, port), timeout=5).close()
    except OSError:
        return False
    return True


def wait_until(happened: Callable[[], bool], *, seconds: float, what: str) -> None:
    """Ask again and again, in ever longer steps; a deadline that passes is a TimeoutError that names `what`."""
    deadline = time.monotonic() + seconds
    pause = 0.005
    while not happened():
        if time.monotonic() > deadline:
            raise TimeoutError(f"waited {seconds} s for {what}")
        time.sleep(pause)
        pause = min(pause * 1.5, 0.25)
