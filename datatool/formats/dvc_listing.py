"""DVC's lists of directories (`<md5>.dir`): JSON, one flat list of paths with hashes, no sizes and no modes.

They come from elsewhere, and DVC does not check them: a path that could leave the directory, twice the same one, or a
file that is also a directory, and the whole list is refused, before anything of it is used.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from typing import Final, NamedTuple

from datatool.errors import FormatError, UnsafeInput
from datatool.model.paths import PathRefused, check_escapes, show, show_bytes

LISTING_LIMIT: Final = 256 << 20
"""Bytes: a larger list is not read."""
ENTRIES_LIMIT: Final = 5_000_000
_LONGEST: Final = 4096
_DEEPEST: Final = 64
_MD5: Final = re.compile(r"[0-9a-f]{32}", re.ASCII)


class Listed(NamedTuple):
    """One file of a directory: its raw path from there, and the 32 hex digits of its hash."""

    path: bytes
    digits: str


def parse_listing(data: bytes, *, name: str) -> list[Listed]:
    """Read a list, sorted by path; `name` is what messages call it. Raises FormatError, UnsafeInput.

    >>> parse_listing(b'[{"md5": "d41d8cd98f00b204e9800998ecf8427e", "relpath": "a/b"}]', name="songs")
    [Listed(path=b'a/b', digits='d41d8cd98f00b204e9800998ecf8427e')]
    """
    if len(data) > LISTING_LIMIT:
        raise FormatError(f"{show(name)}: the list of the directory is too large", path=name)
    try:
        values = json.loads(data.decode(), object_pairs_hook=_entry)
    except (ValueError, RecursionError) as error:
        reason = str(error) if isinstance(error, _Wrong) else "no JSON"
        raise FormatError(f"{show(name)}: the list of the directory does not read: {show(reason)}", path=name) from None
    if not isinstance(values, list) or len(values) > ENTRIES_LIMIT:
        raise FormatError(f"{show(name)}: the list of the directory is no list, or too long", path=name)
    if not all(type(entry) is Listed for entry in values):
        raise FormatError(f"{show(name)}: the list of the directory has an entry that is no file", path=name)
    values.sort()
    check_paths((entry.path for entry in values), name=name)
    return values


def check_paths(paths: Iterable[bytes], *, name: str) -> None:
    """Refuse the paths of a directory, given in order, that could not all lie in it. Raises UnsafeInput."""
    known = list(paths)
    try:
        if known:
            check_escapes(known)
    except PathRefused as error:
        raise _refused(name, error.path, error.reason) from None
    files = set(known)
    directories: set[bytes] = set()
    before: bytes | None = None
    for path in known:
        if len(path) > _LONGEST or path.count(b"/") > _DEEPEST:
            raise _refused(name, path[:80], "the path is too long")
        if path == before:
            raise _refused(name, path, "is there twice")
        before = path
        parent = path.rpartition(b"/")[0]
        while parent and parent not in directories:
            if parent in files:
                raise _refused(name, parent, "is a file and a directory")
            directories.add(parent)
            parent = parent.rpartition(b"/")[0]


class _Wrong(ValueError):
    """An entry that can't be one; says why."""


def _entry(pairs: list[tuple[str, object]]) -> Listed:
    values = dict(pairs)
    path, md5 = values.get("relpath"), values.get("md5")
    if len(values) != len(pairs):
        raise _Wrong("a key twice in one entry")
    if not isinstance(path, str) or not isinstance(md5, str):
        raise _Wrong("an entry without path or hash")
    if not _MD5.fullmatch(md5 := md5.lower()):
        raise _Wrong(f"not a hash: {md5[:80]}")
    try:
        return Listed(path.encode("utf-8", "surrogateescape"), md5)
    except UnicodeEncodeError:
        raise _Wrong("a path with half a character") from None


def _refused(name: str, path: bytes, reason: str) -> UnsafeInput:
    return UnsafeInput(f"{show(name)}: its list names {show_bytes(path)}: {reason}", path=name)
