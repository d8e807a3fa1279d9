"""Values that count by themselves in a fingerprint: None, truth, numbers, texts, bytes, and tuples of these."""

from __future__ import annotations

import hashlib

_PLAIN = (type(None), bool, int, float, complex, str, bytes)


def value_digest(value: object) -> str | None:
    """SHA-256 of a plain value (64 hex digits), or None for any other. Equal values of different types differ.

    >>> value_digest((1, "a")) == value_digest((1, "a")), value_digest([1]) is None
    (True, True)
    """
    data = plain_bytes(value)
    return None if data is None else hashlib.sha256(b"datatool value 1\n" + data).hexdigest()


def plain_bytes(value: object) -> bytes | None:
    """Bytes that two plain values share only if they are the same; None for any other value."""
    try:
        return _plain(value)
    except RecursionError:
        return None


def _plain(value: object) -> bytes | None:
    kind = type(value)  # exactly: a subclass, as an Enum's member, may be anything
    if isinstance(value, tuple | frozenset) and kind in (tuple, frozenset):
        parts = [_plain(item) for item in value]
        found = [part for part in parts if part is not None]
        if len(found) != len(parts):
            return None
        data = b"".join(sorted(found) if kind is frozenset else found)
    elif kind not in _PLAIN:
        return None
    elif isinstance(value, str):
        data = value.encode("utf-8", "surrogatepass")
    elif isinstance(value, bytes):
        data = value
    else:
        data = (hex(value) if kind is int and isinstance(value, int) else repr(value)).encode()
    return f"{kind.__name__} {len(data)}:".encode() + data
