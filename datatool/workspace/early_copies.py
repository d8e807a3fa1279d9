"""Copies for the workspace that are made while their objects still arrive in the cache.

A pull of a large file writes it twice. The second copy follows the first, so that little is left to be done when the
last byte is there. It is a file without a name until a checkout, with all its checks, takes it for its own: nobody
sees it meanwhile, neither git nor a user, and a kill leaves nothing of it. Whatever speaks against it, then there is no
early copy, and the checkout makes one.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import Path
from typing import Final

from msgspec.structs import replace

from datatool.cache.writer import Follower
from datatool.errors import DatatoolError
from datatool.localfs.atomic import free_at
from datatool.localfs.copying import clone
from datatool.localfs.following import Following
from datatool.localfs.safe_paths import Directories
from datatool.localfs.temps import NAMELESS, open_nameless
from datatool.model.oid import ObjectId
from datatool.model.settings import LinkMethod
from datatool.store.objects import Wanted
from datatool.store.protocol import Kept

SPARE: Final = 1 << 30
"""Bytes that stay free beside all that is fetched, twice."""
MOST: Final = 64
"""Each is an open file."""

_UNWANTED = {LinkMethod.HARDLINK, LinkMethod.SYMLINK}


class EarlyCopies:
    """Makes them below `root`, as a cache's writer follows; use with `with`. What no checkout took is gone then."""

    def __init__(self, root: Path, links: Sequence[LinkMethod]) -> None:
        """`links` is how files get into the workspace: there are early copies only where that is by copying."""
        self._root = root
        self._wanted = NAMELESS and not _UNWANTED.intersection(links)
        self._copies: dict[tuple[bytes, ObjectId], int] = {}
        self._needed = 0
        self._roomy: dict[int, bool] = {}
        """Of the filesystems that were looked at whether there is room."""

    def __enter__(self) -> EarlyCopies:
        return self

    def __exit__(self, *_: object) -> None:
        for fd in self._copies.values():
            os.close(fd)
        self._copies.clear()

    def expect(self, size: int) -> None:
        """Hear that objects of so many bytes are to come: copies are made where they can be here twice without making
        it tight for anything else."""
        self._needed = 2 * size + SPARE
        self._roomy.clear()

    def of(self, size: int, place: Callable[[bytes], bytes]) -> Follower:
        """Expect objects of so many bytes whose labels are other paths: `place` tells where each is to lie."""
        self.expect(size)
        return _Elsewhere(self, place)

    @contextmanager
    def following(self, wanted: Wanted, file: int, have: int) -> Iterator[int]:
        """See `cache.writer.Follower`. The label of what is wanted is where it is to lie."""
        fd = self._begin(wanted)
        following = self._follow(file, fd, have) if fd is not None else None
        if fd is None or following is None:
            yield have
            return
        complete = False
        try:
            kept = have if isinstance(have, Kept) else Kept.of((), least=have, note=_nobody)
            yield kept.heard_by(following.wrote)
            with suppress(OSError):
                following.finish()
                complete = os.fstat(fd).st_size == os.fstat(file).st_size
        finally:
            try:
                following.stop()
            finally:
                if complete:
                    self._copies[wanted.label, wanted.oid] = fd
                else:
                    os.close(fd)

    def _follow(self, file: int, fd: int, have: int) -> Following | None:
        """None, and nothing stays open, where the checkout has its copy for nothing, or no file can be opened."""
        try:
            if not clone(file, fd):
                return Following(file, fd, have=have)
        except OSError:
            pass
        os.close(fd)
        return None

    def take(self, path: bytes, oid: ObjectId) -> int | None:
        """The complete copy of an object for a path: an open file without a name, now the caller's; None if there is
        none."""
        return self._copies.pop((path, oid), None)

    def _begin(self, wanted: Wanted) -> int | None:
        """An empty file on the filesystem of a path. None where what lies there may be right already."""
        key = wanted.label, wanted.oid
        if not self._wanted or wanted.metadata or len(self._copies) >= MOST or key in self._copies:
            return None
        with suppress(OSError, DatatoolError), Directories(self._root) as directories:
            if _may_be_right(directories, wanted):
                return None
            directory = wanted.label.rpartition(b"/")[0]
            while True:
                try:
                    at, _ = directories.at(directory)
                    return open_nameless(at) if self._has_room(at) else None
                except FileNotFoundError:
                    if not directory:
                        raise
                    directory = directory.rpartition(b"/")[0]
        return None

    def _has_room(self, directory: int | None) -> bool:
        if directory is None:
            return False
        device = os.fstat(directory).st_dev
        if device not in self._roomy:
            self._roomy[device] = free_at(directory) >= self._needed
        return self._roomy[device]


class _Elsewhere:
    def __init__(self, early: EarlyCopies, place: Callable[[bytes], bytes]) -> None:
        self._early = early
        self._place = place

    def following(self, wanted: Wanted, file: int, have: int) -> AbstractContextManager[int]:
        """See `cache.writer.Follower`."""
        return self._early.following(replace(wanted, label=self._place(wanted.label)), file, have)


def _may_be_right(directories: Directories, wanted: Wanted) -> bool:
    try:
        return directories.lstat(wanted.label).st_size == wanted.size
    except FileNotFoundError:
        return False


def _nobody(start: int, end: int) -> None:
    """Nobody else wants to know."""
