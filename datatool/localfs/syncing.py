"""Making a batch of files, then the directories that name them, durable: with as few syncs as the system allows."""

from __future__ import annotations

import os
import stat
from collections.abc import Collection, Iterable
from pathlib import Path
from typing import Final

from datatool.localfs.atomic import fsync_dir
from datatool.localfs.native import can_sync_filesystem, full_sync, sync_filesystem
from datatool.localfs.safe_paths import Directories
from datatool.model.settings import Durability

FEW: Final = 64
"""Up to so many files, or directories, are synced one by one: cheaper than syncing a whole filesystem."""


class Syncs:
    """The syncs of one batch after the other, below one top.

    Few files: one fsync each. Many: one syncfs for all, where that reports errors (Linux 5.8 on). Elsewhere,
    and with FULL, each file is synced as it comes; on macOS, which then only hands the bytes to the disk, the
    disk is told once to write them down (git's `core.fsyncMethod=batch` does the same).
    """

    def __init__(self, durability: Durability, directories: Directories) -> None:
        self._durability = durability
        self._directories = directories
        self._waiting: list[int] = []
        self._many = False
        self._in_bulk = durability is Durability.BATCH and can_sync_filesystem()

    def take(self, fd: int) -> bool:
        """Sync a file now, or see to it that `files` does; whether its descriptor is kept, and closed, here."""
        if self._durability is Durability.NONE or self._many:
            return False
        if not self._in_bulk:
            if self._durability is Durability.FULL:
                full_sync(fd)
            else:
                os.fsync(fd)
            return False
        if len(self._waiting) < FEW:
            self._waiting.append(fd)
            return True
        self._many = True
        self.give_up()
        return False

    def files(self, taken: Iterable[tuple[bytes, os.stat_result]]) -> None:
        """Make the bytes of all files taken durable: the (path, lstat) of each. Raises OSError."""
        if self._durability is Durability.NONE:
            return
        for fd in self._waiting:
            os.fsync(fd)
        self.give_up()
        if not self._many:
            return
        found = list(taken)
        places = {was.st_dev: path for path, was in found}
        for path in places.values():
            if not self._filesystem(path.rpartition(b"/")[0]):  # a sandbox without the call
                self._in_bulk = False
        self._many = False
        if not self._in_bulk:
            for path, was in found:
                if stat.S_ISREG(was.st_mode):
                    self._by_name(path)

    def directories(self, touched: set[bytes]) -> None:
        """Make the names in directories durable. Raises OSError."""
        if self._durability is Durability.NONE or not touched:
            return
        if len(touched) > FEW and self._in_bulk:
            places: dict[int, bytes] = {}
            for directory in touched:
                fd, _ = self._directories.at(directory)
                if fd is not None:
                    places.setdefault(os.fstat(fd).st_dev, directory)
            if all(self._filesystem(directory) for directory in places.values()):
                return
        last = max(touched)
        for directory in sorted(touched - {last}):
            self._directories.sync(directory)
        self._directories.sync(last, completely=True)

    def give_up(self) -> None:
        """Close what is kept open."""
        while self._waiting:
            os.close(self._waiting.pop())

    def _filesystem(self, directory: bytes) -> bool:
        fd, _ = self._directories.at(directory)
        return fd is not None and sync_filesystem(fd)

    def _by_name(self, path: bytes) -> None:
        directory, _, name = path.rpartition(b"/")
        at, prefix = self._directories.at(directory)
        fd = os.open(prefix + name, os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0), dir_fd=at)
        try:
            os.fsync(fd)
        finally:
            os.close(fd)


def sync_written(paths: Collection[Path]) -> None:
    """Make files that were written without a sync durable, and the names they have; those that are gone are left out.

    Raises OSError.
    """
    there = [path for path in paths if os.path.lexists(path)]
    if len(there) > FEW and can_sync_filesystem() and _sync_filesystems({path.parent for path in there}):
        return
    for path in there:
        try:
            fd = os.open(path, os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_CLOEXEC", 0))
        except FileNotFoundError:
            continue
        try:
            full_sync(fd)
        finally:
            os.close(fd)
    for directory in {path.parent for path in there}:
        fsync_dir(directory)


def _sync_filesystems(directories: Collection[Path]) -> bool:
    """Sync every filesystem that any of the directories lies on, once."""
    devices = {os.stat(directory).st_dev: directory for directory in directories}
    for directory in devices.values():
        fd = os.open(directory, os.O_RDONLY | getattr(os, "O_CLOEXEC", 0))
        try:
            if not sync_filesystem(fd):
                return False
        finally:
            os.close(fd)
    return True
