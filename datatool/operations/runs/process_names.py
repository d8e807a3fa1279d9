"""Names of processes that no other process of this machine has, now or later."""

from __future__ import annotations


def name_of_process(pid: int | str) -> str | None:
    """A process of this machine by its number and when it began; None where there is none, or nobody says."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            began = file.read().rpartition(b")")[2].split()[19]
        return f"{pid}-{int(began)}"
    except (OSError, IndexError, ValueError):
        return None
