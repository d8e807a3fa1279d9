"""Hashing bytes, open files, and copies while they are made.

Memory is bounded whatever the size, and sha256 lets other threads run, so callers may hash two files at once.
"""

from __future__ import annotations

import hashlib
import os
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING

from datatool.model.oid import ObjectId
from datatool.threads import started

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer as Buffer

STEP = 8 << 20
"""Bytes that are copied between two looks of the hashing thread; files of at least this size get that thread."""

_CHUNK = 256 << 10  # stays in the processor's own cache between the read and the hash


class Hasher:
    """Finds the object id of bytes that arrive piece by piece.

    >>> hasher = Hasher()
    >>> hasher.update(b"ab")
    >>> hasher.update(b"c")
    >>> hasher.oid == digest(b"abc")
    True
    """

    __slots__ = ("_sha", "update")

    def __init__(self) -> None:
        self._sha = hashlib.sha256(usedforsecurity=False)
        self.update: Callable[[Buffer], None] = self._sha.update
        """Take more bytes: the hash's own method, as an extra call per small piece would show."""

    @property
    def oid(self) -> ObjectId:
        """The id of everything given so far."""
        return ObjectId(self._sha.hexdigest())


def digest(data: Buffer) -> ObjectId:
    """The object id of bytes that are in memory (or mapped into it)."""
    return ObjectId(hashlib.sha256(data, usedforsecurity=False).hexdigest())


def hash_fd(fd: int, size: int, *, advance: Callable[[int], None] | None = None) -> ObjectId:
    """The object id of the next `size` bytes of an open file, or of what is left of it if that is less.

    A file that shrank gives the id of fewer bytes: callers compare `fstat` before and after. `advance` hears of the
    bytes as they are done.
    """
    if size <= _CHUNK:
        data = _read_exactly(fd, size)
        if advance is not None:
            advance(len(data))
        return ObjectId(hashlib.sha256(data, usedforsecurity=False).hexdigest())
    _advise(fd, size)
    sha = hashlib.sha256(usedforsecurity=False)
    if not _HAS_READV:
        while size > 0 and (data := os.read(fd, min(size, _CHUNK))):
            sha.update(data)
            size -= len(data)
            if advance is not None:
                advance(len(data))
        return ObjectId(sha.hexdigest())
    buffer = memoryview(bytearray(_CHUNK))
    told = 0
    while size > 0:
        count = os.readv(fd, [buffer[: min(size, _CHUNK)]])
        if not count:
            break
        sha.update(buffer[:count])
        size -= count
        told += count
        if advance is not None and (told >= STEP or size <= 0):
            advance(told)
            told = 0
    return ObjectId(sha.hexdigest())


def copy_and_hash(
    source: int, target: int, size: int, *, have: int = 0, advance: Callable[[int], None] | None = None
) -> ObjectId:
    """Copy `size` bytes from one open file into another one, and give the id of what is in that.

    It is empty, or has the first `have` bytes already; both files are at position 0. From 8 MiB on, one thread copies
    inside the kernel while this one hashes the *copy* right behind it (so `target` must be readable), and the disk
    starts writing meanwhile. `advance` hears of the other bytes as they are done. Raises OSError if the source ends
    early, or the copy can't be read back.
    """
    if size < STEP or not _HAS_PREAD:
        if have:
            os.ftruncate(target, 0)
        return _copy_in_turn(source, target, size, advance)
    _advise(source, size)
    if have:
        os.lseek(source, have, os.SEEK_SET)
        os.lseek(target, have, os.SEEK_SET)
    return _Copy(source, target, size, have, advance).run()


def _copy_in_turn(source: int, target: int, size: int, advance: Callable[[int], None] | None) -> ObjectId:
    sha = hashlib.sha256(usedforsecurity=False)
    left = size
    while left > 0:
        data = os.read(source, min(left, 1 << 20))
        if not data:
            raise _short(size - left, size)
        sha.update(data)
        _write_all(target, data)
        left -= len(data)
        if advance is not None:
            advance(len(data))
    return ObjectId(sha.hexdigest())


class _Copy:
    """One thread copies, the one that calls `run` hashes behind it."""

    def __init__(self, source: int, target: int, size: int, have: int, advance: Callable[[int], None] | None) -> None:
        self._source, self._target, self._size = source, target, size
        self._tell = advance
        self._have = self._copied = have
        self._failure: OSError | None = None
        self._over = False
        self._abandoned = False
        self._moved = threading.Condition()

    def run(self) -> ObjectId:
        copier = threading.Thread(target=self._copy, name="datatool-copy", daemon=True)
        if not started(copier):
            self._copy()
            return self._hash()
        try:
            return self._hash()
        finally:
            self._abandoned = True  # after Ctrl-C the copier ends with its step, before the file is closed
            copier.join()

    def _hash(self) -> ObjectId:
        sha = hashlib.sha256(usedforsecurity=False)
        buffer = memoryview(bytearray(_CHUNK))
        done = 0
        while done < self._size:
            with self._moved:
                while self._copied == done and not self._over:
                    self._moved.wait()
                if self._copied == done:
                    raise self._failure or _short(done, self._size)
                ready = self._copied
            before = done
            while done < ready:
                count = os.preadv(self._target, [buffer[: min(_CHUNK, ready - done)]], done)
                if not count:
                    raise _short(done, self._size)
                sha.update(buffer[:count])
                done += count
            if self._tell is not None and done > self._have:
                self._tell(done - max(before, self._have))
        return ObjectId(sha.hexdigest())

    def _copy(self) -> None:
        try:
            in_kernel = hasattr(os, "copy_file_range")
            while self._copied < self._size and not self._abandoned:
                done = self._copied
                want = min(STEP, self._size - done)
                count = -1
                if in_kernel:
                    try:
                        count = os.copy_file_range(self._source, self._target, want)
                    except OSError:
                        in_kernel = False  # another filesystem, or one that can't; a real error comes again below
                    if count == 0:
                        in_kernel = False  # some special filesystems say 0 though there is more
                if count <= 0:
                    data = os.read(self._source, min(want, 1 << 20))
                    if not data:
                        raise _short(done, self._size)
                    _write_all(self._target, data)
                    count = len(data)
                self._advance(done + count)
                _start_writing(self._target, done, count)
        except OSError as error:
            self._failure = error  # raised by the thread that waits
        finally:
            with self._moved:
                self._over = True
                self._moved.notify()

    def _advance(self, copied: int) -> None:
        with self._moved:
            self._copied = copied
            self._moved.notify()


_HAS_READV = hasattr(os, "readv")
_HAS_PREAD = hasattr(os, "preadv")
_HAS_ADVICE = hasattr(os, "posix_fadvise")


def _read_exactly(fd: int, size: int) -> bytes:
    data = os.read(fd, size)
    while len(data) < size:
        more = os.read(fd, size - len(data))
        if not more:
            break
        data += more
    return data


def _write_all(fd: int, data: bytes) -> None:
    written = os.write(fd, data)
    while written < len(data):
        written += os.write(fd, data[written:])


def _advise(fd: int, size: int) -> None:
    if _HAS_ADVICE:
        try:
            os.posix_fadvise(fd, 0, size, os.POSIX_FADV_SEQUENTIAL)
        except OSError:
            return  # advice only


def _start_writing(fd: int, start: int, count: int) -> None:
    if _HAS_ADVICE:
        try:
            os.posix_fadvise(fd, start, count, os.POSIX_FADV_DONTNEED)
        except OSError:
            return  # advice only


def _short(found: int, size: int) -> OSError:
    return OSError(f"ends after {found} of {size} bytes")
