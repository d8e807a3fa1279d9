"""A file that arrives: written and hashed piece by piece."""

from __future__ import annotations

import os

from datatool.hashing import Hasher
from datatool.localfs.atomic import local_error, write_all
from datatool.model.oid import ObjectId
from datatool.store.protocol import Advance, Kept

_STEP = 1 << 20
"""What is written between two words about progress."""


class ArrivingFile:
    """Fills an open local file, from its start or behind `have` bytes that are in it. Raises NoSpace and other
    LocalErrors."""

    def __init__(self, target: int, size: int, advance: Advance | None, *, have: int = 0) -> None:
        self._target = target
        self._size = size
        self._advance = advance
        self._hasher = Hasher()
        self._note = have.note if isinstance(have, Kept) else None
        self.position = min(have, os.fstat(target).st_size, size)
        """How many bytes are in it."""
        self._told = self.position
        self._begin()

    @property
    def oid(self) -> ObjectId:
        """The id of what has arrived."""
        return self._hasher.oid

    def restart(self) -> None:
        """Begin again, with an empty file."""
        self.position = 0
        self._begin()

    def _begin(self) -> None:
        """Hash what is in it, and stand behind that."""
        self._hasher = Hasher()
        try:
            os.ftruncate(self._target, self.position)
            os.lseek(self._target, 0, os.SEEK_SET)
            left = self.position
            while left and (data := os.read(self._target, min(left, _STEP))):
                self._hasher.update(data)
                left -= len(data)
        except OSError as error:
            raise local_error(error, "the file being fetched", self._size) from error

    def take(self, data: bytes) -> None:
        """Add bytes."""
        view = memoryview(data)
        for start in range(0, len(view), _STEP):
            piece = view[start : start + _STEP]
            self._hasher.update(piece)
            try:
                write_all(self._target, piece)
                if self._note is not None:
                    self._note(self.position, self.position + len(piece))
            except OSError as error:
                raise local_error(error, "the file being fetched", self._size) from error
            self.position += len(piece)
            if self._advance is not None and self.position > self._told:
                self._advance(self.position - self._told)
                self._told = self.position
