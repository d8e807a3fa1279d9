"""The small text that Git LFS commits in place of a file: which object it stands for."""

from __future__ import annotations

import re
from itertools import pairwise
from typing import Final

from msgspec import Struct

from datatool.model.oid import ObjectId

LFS_POINTER_LIMIT: Final = 1024
"""Bytes: what is larger is an ordinary file (the format's own rule)."""

_VERSIONS: Final = frozenset(
    {b"https://git-lfs.github.com/spec/v1", b"https://hawser.github.com/spec/v1", b"http://git-media.io/v/2"}
)
"""The format's address now, and those it had before; git-lfs reads all of them alike."""
_EXTENSION: Final = re.compile(rb"ext-\d-(\w+)", re.ASCII)
_OID: Final = re.compile(rb"sha256:([0-9a-f]{64})", re.ASCII)
_SIZE: Final = re.compile(rb"\d{1,19}", re.ASCII)
_LARGEST: Final = (1 << 63) - 1


class LfsPointer(Struct, frozen=True, kw_only=True):
    """What a pointer says: the object that LFS keeps, and its size in bytes.

    `extensions` are programs that made that object from the file's own bytes, the last one last; without running
    them backwards nobody has the file.
    """

    oid: ObjectId
    size: int
    extensions: tuple[str, ...] = ()


def parse_lfs_pointer(data: bytes) -> LfsPointer | None:
    """The pointer that a git file is; None for any other content, which is then the file's own.

    As git-lfs reads them: lines may end in CR LF, and the last one needs no end.
    https://github.com/git-lfs/git-lfs/blob/main/docs/spec.md

    >>> oid = b"6c5a35a2ab1bf6f1dd8bbd0f6a6a7a3f7d6ac3d1b1a5f6d2a8e6b3f1c9e7d5a4"
    >>> parse_lfs_pointer(b"version https://git-lfs.github.com/spec/v1\\noid sha256:" + oid + b"\\nsize 3\\n").size
    3
    """
    if len(data) > LFS_POINTER_LIMIT or not data.startswith(b"version "):
        return None
    pairs = _pairs(data)
    if pairs is None:
        return None
    (_, version), *rest = pairs
    if version not in _VERSIONS:
        return None
    extensions: list[str] = []
    while rest and (match := _EXTENSION.fullmatch(rest[0][0])) is not None:
        if _OID.fullmatch(rest.pop(0)[1]) is None:
            return None
        extensions.append(match[1].decode("ascii"))
    if [key for key, _ in rest] != [b"oid", b"size"]:
        return None
    oid, size = _OID.fullmatch(rest[0][1]), _SIZE.fullmatch(rest[1][1])
    if oid is None or size is None or int(size[0]) > _LARGEST:
        return None
    return LfsPointer(oid=ObjectId(oid[1].decode("ascii")), size=int(size[0]), extensions=tuple(extensions))


def _pairs(data: bytes) -> list[tuple[bytes, bytes]] | None:
    """Keys and values, if they are in the format's order: `version`, then sorted, each once."""
    lines = data.strip().split(b"\n")
    pairs = []
    for line in lines:
        key, blank, value = line.removesuffix(b"\r").partition(b" ")
        if not blank or b"\r" in value:
            return None
        pairs.append((key, value))
    keys = [key for key, _ in pairs[1:]]
    return pairs if all(a < b for a, b in pairwise(keys)) else None
