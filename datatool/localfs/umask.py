"""The permission bits that this process takes from what it creates."""

from __future__ import annotations

import os


def umask() -> int:
    """The process's umask, without changing it where the system can tell."""
    try:
        with open("/proc/self/status", "rb") as file:
            for line in file:
                if line.startswith(b"Umask:"):
                    return int(line.split()[1], 8)
    except OSError:
        pass
    found = os.umask(0o077)  # for a moment others of this process create private files, never open ones
    os.umask(found)
    return found
