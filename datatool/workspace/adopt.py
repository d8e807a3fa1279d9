"""Workspace → cache without a copy: a file that the cache takes over where it lies, under a second name."""

from __future__ import annotations

import os

from msgspec import Struct

from datatool.cache.writer import CacheWriter
from datatool.errors import LocalError
from datatool.hashing import hash_fd
from datatool.index.stamp import Stamp, stamp_of
from datatool.localfs.leases import leased
from datatool.model.oid import ObjectId
from datatool.progress import Task
from datatool.workspace.present import OPEN, Workspace


class Saved(Struct, frozen=True):
    """A file whose object is in the cache, or will be with the writer's next batch, as it was when it was read. What
    became an object itself is remembered when that is published, as its stamp changes until then."""

    oid: ObjectId
    stamp: Stamp
    adopted: bool = False


def adopt(workspace: Workspace, writer: CacheWriter, path: bytes, task: Task) -> Saved | None:
    """Hash a file while nobody can write to it, and let the cache have it, read-only, if it lacks the object.

    None where that can't be, or somebody writes to it; then it is as it was, and is to be copied. Who wants to write to
    it meanwhile waits for 8 MiB of the hash at most. Raises LocalError if the cache can't be written to.
    """
    if not writer.adopting:
        return None
    try:
        fd = os.open(workspace.full(path), OPEN)
    except OSError:
        return None  # a link, or something to be told of by whoever reads it next
    hashed = 0
    try:
        before = os.fstat(fd)
        if not writer.adopts(before):
            return None
        with leased(fd) as lease:
            if lease is None:
                return None

            def advance(count: int) -> None:
                nonlocal hashed
                task.advance(bytes=count)
                hashed += count
                if not lease.holds:
                    raise _Disturbed

            oid = hash_fd(fd, before.st_size, advance=advance)
            stamp = stamp_of(before)
            unchanged = stamp_of(os.fstat(fd)) == stamp
            lacking = unchanged and writer.lacks(oid)
            if lacking and writer.adopt(lease, oid, tag=(path, oid)):
                return Saved(oid, stamp, adopted=True)
        if unchanged and not lacking and writer.has_right(oid):
            return Saved(oid, stamp)
    except _Disturbed:
        pass
    except OSError as error:
        if isinstance(error, LocalError):
            raise
    finally:
        os.close(fd)
    task.advance(bytes=-hashed)
    return None


class _Disturbed(Exception):
    """Somebody wants to write to the file."""
