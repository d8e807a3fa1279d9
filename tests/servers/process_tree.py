"""Which processes there are, as /proc tells it."""

from __future__ import annotations

import os
from pathlib import Path


def descendants(process: int) -> list[int]:
    """The children of a process, their children, and so on."""
    children: dict[int, list[int]] = {}
    for entry in _processes():
        try:
            parent = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
        except OSError:
            continue  # it has ended meanwhile
        children.setdefault(parent, []).append(int(entry.name))
    found = list(children.get(process, []))
    for child in found:  # which grows meanwhile
        found += children.get(child, [])
    return found


def speaking_of(text: str) -> list[str]:
    """The command lines of all running processes that contain this text."""
    found = []
    for entry in _processes():
        try:
            words = (entry / "cmdline").read_bytes().decode(errors="replace").split("\0")
        except OSError:
            continue
        if text in (line := " ".join(words)):
            found.append(f"{entry.name} {line}")
    return found


def is_open(file: Path) -> bool:
    """Whether any process that may be looked into has this file open."""
    return any(_target(handle) == str(file) for entry in _processes() for handle in _handles(entry))


def _handles(process: Path) -> list[Path]:
    try:
        return list((process / "fd").iterdir())
    except OSError:
        return []  # it has ended meanwhile, or is somebody else's


def _target(handle: Path) -> str:
    try:
        return os.readlink(handle)
    except OSError:
        return ""  # it was closed meanwhile


def _processes() -> list[Path]:
    return [entry for entry in Path("/proc").iterdir() if entry.name.isdigit()]
