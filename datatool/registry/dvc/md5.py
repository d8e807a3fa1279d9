"""Whether bytes are those that DVC's hash means.

DVC 3 hashes the raw bytes. Before, text had its line ends converted first, CRLF to LF, in chunks of 1 MiB: a pair that
straddles two chunks stays. DVC 2 looked at the first 512 bytes of a file to tell text from other data; DVC 3, when it
checks an old hash, looks at the first 512 of every chunk. Objects of old carry any of the three.
"""

from __future__ import annotations

import hashlib
from typing import Final

from datatool.formats.dvc_file import Md5

CHUNK: Final = 1 << 20
"""Bytes in which DVC converts and hashes."""
_PROBE: Final = 512
_TEXT: Final = bytes(range(0x20, 0x7F)) + b"\n\r\t\f\b"
_MOST: Final = 0.30


class Md5Check:
    """Takes a file's bytes piece by piece, then tells whether they are what a hash means.

    >>> check = Md5Check(legacy=True)
    >>> check.update(b"a\\r\\nb\\r\\n")
    >>> check.matches("dd8c6a395b5dd36c56d23275028f526c")
    True
    """

    def __init__(self, *, legacy: bool) -> None:
        self._raw = _new()
        self._converted = (_new(), _new()) if legacy else None
        self._is_text = False
        self._rest = bytearray()
        self._started = False

    def update(self, data: bytes | memoryview) -> None:
        """Take more bytes."""
        self._raw.update(data)
        if self._converted is None:
            return
        if not self._rest and len(data) == CHUNK:
            self._chunk(bytes(data))
            return
        self._rest += data
        while len(self._rest) >= CHUNK:
            self._chunk(bytes(self._rest[:CHUNK]))
            del self._rest[:CHUNK]

    def matches(self, digits: str) -> bool:
        """Whether all bytes given so far are what these 32 hex digits stand for."""
        return digits in self.found()

    def found(self) -> tuple[str, ...]:
        """The hashes that DVC may have given to the bytes so far: the plain one first, then those of old."""
        raw = self._raw.hexdigest()
        if self._converted is None:
            return (raw,)
        if self._rest or not self._started:
            self._chunk(bytes(self._rest))
            self._rest.clear()
        return (raw, *(hasher.hexdigest() for hasher in self._converted))

    def _chunk(self, chunk: bytes) -> None:
        assert self._converted is not None
        by_file, by_chunk = self._converted
        here = looks_like_text(chunk[:_PROBE])
        if not self._started:
            self._started = True
            self._is_text = here
        converted = chunk.replace(b"\r\n", b"\n") if self._is_text or here else chunk
        by_file.update(converted if self._is_text else chunk)
        by_chunk.update(converted if here else chunk)


def is_content_of(data: bytes, md5: Md5) -> bool:
    """Whether bytes in memory are what a hash means."""
    if _new(data).hexdigest() == md5.digits:
        return True
    if not md5.legacy or md5.directory:
        return False
    check = Md5Check(legacy=True)
    for start in range(0, len(data), CHUNK):
        check.update(data[start : start + CHUNK])
    return check.matches(md5.digits)


def looks_like_text(start: bytes) -> bool:
    """DVC's rule for the first bytes of a file: empty is text, a NUL is none, and at most 30 % may be odd."""
    if not start:
        return True
    return b"\0" not in start and len(start.translate(None, _TEXT)) / len(start) <= _MOST


def _new(data: bytes = b"") -> hashlib._Hash:
    return hashlib.md5(data, usedforsecurity=False)
