"""Object ids: the sha256 of an object's raw bytes, as 64 lower-case hex digits."""

from __future__ import annotations

import re
from typing import NewType

ObjectId = NewType("ObjectId", str)
"""64 lower-case hex digits; made only by the functions below, so holding one means it was checked."""

EMPTY = ObjectId("e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855")
"""The id of zero bytes: implicit everywhere, never stored or fetched (formats §5)."""

_HEX64 = re.compile(r"[0-9a-f]{64}", re.ASCII)
_PREFIX = "sha256:"


def parse_oid(text: object) -> ObjectId:
    """Check a bare id, before any use and above all before it becomes part of a path.

    Raises ValueError unless `text` is exactly 64 lower-case hex digits.

    >>> parse_oid("e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855") == EMPTY
    True
    """
    if not isinstance(text, str) or not _HEX64.fullmatch(text):
        raise ValueError(f"not an object id (64 lower-case hex digits): {text!r:.80}")
    return ObjectId(text)


def parse_prefixed(text: object) -> ObjectId:
    """Read `sha256:<64 hex>`, the spelling of pointer files and JSON; ValueError otherwise."""
    if not isinstance(text, str) or not text.startswith(_PREFIX):
        raise ValueError(f"not an object id (sha256:<64 hex digits>): {text!r:.80}")
    return parse_oid(text[len(_PREFIX) :])


def prefixed(oid: ObjectId) -> str:
    """Write an id as pointer files and JSON spell it: `sha256:<64 hex>`."""
    return _PREFIX + oid


def from_digest(digest: bytes) -> ObjectId:
    """The id for a raw 32-byte sha256 digest."""
    if len(digest) != 32:
        raise ValueError(f"a sha256 digest has 32 bytes, not {len(digest)}")
    return ObjectId(digest.hex())


def to_digest(oid: ObjectId) -> bytes:
    """The raw 32 bytes of an id, as packs and index shards hold them."""
    return bytes.fromhex(oid)
