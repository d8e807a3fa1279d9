"""Something to write to that keeps a hash and a size, and no bytes."""

from __future__ import annotations

import hashlib
from io import RawIOBase
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer


class Sink(RawIOBase):
    """Hashes and counts what is written to it."""

    def __init__(self) -> None:
        self._hash = hashlib.sha256(usedforsecurity=False)
        self._at = 0

    def writable(self) -> bool:
        """It is for nothing else."""
        return True

    def write(self, data: ReadableBuffer, /) -> int:
        """Take bytes."""
        size = memoryview(data).nbytes
        self._hash.update(data)
        self._at += size
        return size

    def tell(self) -> int:
        """How many there were."""
        return self._at

    def digest(self) -> bytes:
        """Of all that was written."""
        return self._hash.digest()
