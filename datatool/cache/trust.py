"""When a file in the cache may be used without hashing it again.

A file is trusted only while its lstat (size, mtime, inode) equals what it was when its bytes were last known to
be right. Mode bits prove nothing: root writes through 0444 (formats §4).
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from typing import Protocol

_63 = (1 << 63) - 1


class Memory(Protocol):
    """Where verified files are remembered between commands."""

    def verified(self, name: str) -> tuple[int, int, int] | None:
        """size, mtime_ns, ino of a name, if it was ever verified."""

    def set_verified(self, rows: Iterable[tuple[str, int, int, int]]) -> None:
        """Remember (name, size, mtime_ns, ino)."""

    def commit(self) -> None:
        """Let other commands see what was remembered."""


class Trust:
    """The verified files of one cache, by their name inside it."""

    def __init__(self, memory: Memory) -> None:
        self._memory = memory

    def holds(self, name: str, path: Path) -> bool:
        """Whether a file is still what was verified."""
        known = self._memory.verified(name)
        if known is None:
            return False
        try:
            stat = os.lstat(path)
        except OSError:
            return False
        return known == _key(stat)

    def settle(self) -> None:
        """Let other commands see what was learnt."""
        self._memory.commit()

    def learn(self, name: str, stat: os.stat_result) -> None:
        """The bytes of a file are right; `stat` is its lstat from before they were read, or after they were written."""
        self.learn_many([(name, stat)])

    def learn_many(self, files: Iterable[tuple[str, os.stat_result]]) -> None:
        """`learn` for many files at once."""
        self._memory.set_verified([(name, *_key(stat)) for name, stat in files])


def _key(stat: os.stat_result) -> tuple[int, int, int]:
    return stat.st_size, stat.st_mtime_ns & _63, stat.st_ino & _63
