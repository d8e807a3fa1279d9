"""Where the bytes of an upload come from: memory, or a local file."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from datatool.errors import ReadFailed
from datatool.model.paths import show
from datatool.store.protocol import WrongBytes


class BytesSource:
    """Bytes that are in memory."""

    def __init__(self, data: bytes) -> None:
        self._data = data

    @property
    def size(self) -> int:
        """How many there are."""
        return len(self._data)

    def read(self, offset: int, count: int) -> bytes:
        """So many of them."""
        return bytes(self._data[offset : offset + count])


class FileSource:
    """A local file, as long as it was when it was opened. Used by one thread at a time."""

    def __init__(self, fd: int, path: Path, name: str) -> None:
        self._fd = fd
        self._path = path
        self._name = name
        self.size = os.fstat(fd).st_size

    @classmethod
    @contextmanager
    def opened(cls, path: Path, name: str) -> Iterator[FileSource]:
        """The file at `path`, which is to become `name`. Raises ReadFailed."""
        try:
            fd = os.open(path, os.O_RDONLY | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0))
        except OSError as error:
            raise _unreadable(path, error) from error
        try:
            yield cls(fd, path, name)
        finally:
            os.close(fd)

    def read(self, offset: int, count: int) -> bytes:
        """So many bytes. Raises ReadFailed, and WrongBytes if the file has become shorter."""
        parts: list[bytes] = []
        try:
            os.lseek(self._fd, offset, os.SEEK_SET)
            while count and (data := os.read(self._fd, count)):
                parts.append(data)
                count -= len(data)
        except OSError as error:
            raise _unreadable(self._path, error) from error
        if count:
            raise WrongBytes(self._name)
        return parts[0] if len(parts) == 1 else b"".join(parts)


def _unreadable(path: Path, error: OSError) -> ReadFailed:
    return ReadFailed(f"{show(str(path))}: can't be read: {error.strerror}", path=str(path))
