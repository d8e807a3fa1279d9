"""Files of the workspace that become objects of the cache where they lie, under a second name."""

from __future__ import annotations

import os
import stat
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from datatool.formats.pack import object_path
from datatool.localfs.batch import Batch, Published
from datatool.localfs.leases import POSSIBLE, Lease, Rights, unseal
from datatool.localfs.links import hardlinks_safe
from datatool.localfs.mounts import on_own_disk
from datatool.model.oid import ObjectId
from datatool.model.settings import Durability

_TEMPORARY = b"tmp"
_READ_ONLY = 0o444
_TOGETHER = 1 << 15
"""Files that are published together, as none is to become read-only of an `add` that fails: about 90 MB of memory."""


class _Sealed(NamedTuple):
    temp: bytes
    target: bytes
    rights: Rights


class Adoption:
    """Lets a cache have files of the workspace itself, on Linux, on a disk of this machine's own.

    Each becomes read-only when it is taken, and an object when all are published (`flush`); where it comes to another
    end (`close`) it is given back its mode, owner and group.
    """

    def __init__(
        self, top: Path, least: int, durability: Durability, on_published: Callable[[list[Published]], None]
    ) -> None:
        """Files of at least so many bytes are taken into the cache at `top`, which is there."""
        self._top = os.fsencode(top)
        self._least = least
        self._possible = POSSIBLE and hardlinks_safe(top) and on_own_disk(top)
        self._device = os.stat(top).st_dev
        self._sealed: list[_Sealed] = []
        self._batch = Batch(
            top,
            durability=durability,
            like=top,
            on_published=on_published,
            max_files=_TOGETHER,
            max_bytes=sys.maxsize,
            whole_names=True,
        )

    def fits(self, found: os.stat_result) -> bool:
        """Whether a file is one to be taken: large enough, on the cache's filesystem, this user's own and under one
        name only, not executable, and with a time that will show whether it is written to."""
        return (
            found.st_size >= self._least
            and self._possible
            and stat.S_ISREG(found.st_mode)
            and not found.st_mode & 0o111
            and found.st_nlink == 1
            and found.st_uid == os.geteuid()
            and found.st_mtime_ns < time.time_ns()
            and found.st_dev == self._device
        )

    def take(self, lease: Lease, oid: ObjectId, *, tag: object) -> bool:
        """Take a file whose id was found while the lease held; `tag` is told when it is published.

        False, and nothing has changed, if somebody is about to write to it, or the filesystem can't do it. Raises
        LocalError.
        """
        fd = os.dup(lease.fd)
        temp = self._batch.adopt(_TEMPORARY, fd)
        if temp is None:
            self._possible = False  # nor will it be with the next one, as where two places are mounted of one disk
            return False
        item = _Sealed(temp, object_path(oid).encode(), lease.rights)
        try:
            if not _seal(lease):
                self._batch.discard(temp, fd=fd)
                return False
            self._sealed.append(item)
            size = os.fstat(fd).st_size
            self._batch.add(temp, item.target, fd=fd, mode=_READ_ONLY, size=size, replace=False, tag=tag)
        except BaseException:
            lease.unseal(unless=os.path.join(self._top, item.target))
            raise
        return True

    def flush(self) -> None:
        """Publish what was taken. Raises LocalError."""
        self._batch.flush()
        self._sealed.clear()

    def close(self) -> None:
        """Give what is not published its rights back."""
        try:
            while self._sealed:
                item = self._sealed[-1]
                with suppress(OSError):  # it is published, and has that name no longer
                    target = os.path.join(self._top, item.target)
                    unseal(os.path.join(self._top, item.temp), item.rights, unless=target)
                self._sealed.pop()
        finally:
            self._batch.close()


def _seal(lease: Lease) -> bool:
    try:
        return lease.seal()
    except OSError:  # whose mode nobody may change
        return False
