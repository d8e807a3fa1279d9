"""Copies for the workspace that are made while their objects still arrive in the cache.

A pull of a large file writes it twice. The second copy follows the first, so that little is left to be done when the
last byte is there; it is a temporary file until a checkout, with all its checks, takes it for its own. Whatever speaks
against it, then there is no early copy, and the checkout makes one.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from msgspec import Struct

from datatool.errors import DatatoolError
from datatool.index.stamp import Stamp, stamp_of
from datatool.localfs.atomic import free_space
from datatool.localfs.copying import clone
from datatool.localfs.following import POSSIBLE, Following
from datatool.localfs.safe_paths import Directories
from datatool.localfs.temps import NEW_FILE, temp_name
from datatool.model.oid import ObjectId
from datatool.model.settings import LinkMethod
from datatool.store.objects import Wanted
from datatool.store.protocol import Kept

SPARE: Final = 1 << 30
"""Bytes that stay free beside all that is fetched, twice."""

_REOPENED = os.O_RDWR | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0)
_UNWANTED = {LinkMethod.HARDLINK, LinkMethod.SYMLINK}


class _Copy(Struct, frozen=True):
    """A temporary file (its path, from the root) and what it was when it was complete."""

    temp: bytes
    stamp: Stamp


class EarlyCopies:
    """Makes them below `root`, as a cache's writer follows; use with `with`. What no checkout took is deleted then."""

    def __init__(self, root: Path, links: Sequence[LinkMethod]) -> None:
        """`links` is how files get into the workspace: there are early copies only where that is by copying."""
        self._root = root
        self._links = links
        self._wanted = POSSIBLE and not _UNWANTED.intersection(links)
        self._copies: dict[tuple[bytes, ObjectId], _Copy] = {}

    def __enter__(self) -> EarlyCopies:
        return self

    def __exit__(self, *_: object) -> None:
        for copy in self._copies.values():
            self._delete(copy.temp)
        self._copies.clear()

    def has_room(self, size: int) -> bool:
        """Whether objects of so many bytes can be here twice without making it tight for anything else."""
        free = free_space(os.fspath(self._root)) if self._wanted else None
        return free is not None and free >= 2 * size + SPARE

    @contextmanager
    def following(self, wanted: Wanted, file: int, have: int) -> Iterator[int]:
        """See `cache.writer.Follower`. The label of what is wanted is where it is to lie."""
        begun = self._begin(wanted) if self._wanted and not wanted.metadata else None
        if begun is None:
            yield have
            return
        fd, temp = begun
        copy: _Copy | None = None
        try:
            if LinkMethod.REFLINK in self._links and clone(file, fd):  # the checkout has its copy for nothing
                yield have
                return
            following = Following(file, fd, have=have)
            kept = have if isinstance(have, Kept) else Kept.of((), least=have, note=_nobody)
            try:
                yield kept.heard_by(following.wrote)
                with suppress(OSError):
                    following.finish()
                    copy = self._copies[wanted.label, wanted.oid] = _Copy(temp, stamp_of(os.fstat(fd)))
            finally:
                following.stop()
        finally:
            os.close(fd)
            if copy is None:
                self._delete(temp)

    def take(self, path: bytes, oid: ObjectId) -> tuple[int, bytes] | None:
        """The complete copy of an object for a path: an open temporary file, now the caller's, and its path from the
        root; None if there is none."""
        copy = self._copies.pop((path, oid), None)
        if copy is None:
            return None
        directory, _, name = copy.temp.rpartition(b"/")
        try:
            with Directories(self._root) as directories:
                at, prefix = directories.at(directory)
                fd = os.open(prefix + name, _REOPENED, dir_fd=at)
        except (OSError, DatatoolError):
            return None
        if stamp_of(os.fstat(fd)) == copy.stamp:
            return fd, copy.temp
        os.close(fd)
        self._delete(copy.temp)
        return None

    def _begin(self, wanted: Wanted) -> tuple[int, bytes] | None:
        """An empty temporary file in the directory of a path, or the first one around it that is there: so it is on the
        same filesystem. None where what lies there may be right already."""
        try:
            with Directories(self._root) as directories:
                if _may_be_right(directories, wanted):
                    return None
                directory = wanted.label.rpartition(b"/")[0]
                while True:
                    try:
                        at, prefix = directories.at(directory)
                        break
                    except FileNotFoundError:
                        directory = directory.rpartition(b"/")[0]
                name = temp_name()
                fd = os.open(prefix + name, NEW_FILE, 0o600, dir_fd=at)
                return fd, directory + b"/" + name if directory else name
        except (OSError, DatatoolError):
            return None

    def _delete(self, temp: bytes) -> None:
        with suppress(OSError, DatatoolError), Directories(self._root) as directories:
            directories.remove(temp)


def _may_be_right(directories: Directories, wanted: Wanted) -> bool:
    try:
        return directories.lstat(wanted.label).st_size == wanted.size
    except FileNotFoundError:
        return False


def _nobody(start: int, end: int) -> None:
    """Nobody else wants to know."""
