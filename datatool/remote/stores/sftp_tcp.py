"""A TCP connection within a time, whatever keeps it."""

from __future__ import annotations

import queue
import socket
import threading


def tcp(host: str, port: int, family: int, timeout: float) -> socket.socket:
    """A TCP connection within `timeout` seconds, even where a name takes longer to be looked up. Raises OSError."""
    outcome: queue.SimpleQueue[socket.socket | OSError] = queue.SimpleQueue()
    late = threading.Event()

    def attempt() -> None:
        found = _tcp(host, port, family, timeout)
        outcome.put(found)
        if late.is_set() and isinstance(found, socket.socket):
            found.close()

    threading.Thread(target=attempt, name="ssh connect", daemon=True).start()
    try:
        found = outcome.get(timeout=timeout)
    except queue.Empty:
        late.set()
        raise TimeoutError(f"no answer for {timeout:.0f} s") from None
    if isinstance(found, OSError):
        raise found
    return found


def _tcp(host: str, port: int, family: int, timeout: float) -> socket.socket | OSError:
    failure = OSError("it has no address")
    try:
        addresses = socket.getaddrinfo(host, port, family, socket.SOCK_STREAM)
    except OSError as error:
        return error
    for of_address, kind, protocol, _, address in addresses:
        sock = socket.socket(of_address, kind, protocol)
        sock.settimeout(timeout)
        try:
            sock.connect(address)
        except OSError as error:
            sock.close()
            failure = error
        else:
            return sock
    return failure
