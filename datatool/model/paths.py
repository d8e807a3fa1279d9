"""Which paths data may have, and how to show any path to a person.

Two sets of rules (formats §3). The escape rules hold everywhere, at `add` as at reading what others wrote: a path
that breaks one could be written outside its place. The portability rules only name what some filesystem can't hold.
"""

from __future__ import annotations

import posixpath
import re
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from itertools import islice
from typing import Final

TEMP_PREFIX: Final = ".datatool-tmp-"
"""Our own unfinished files in the workspace are named this and 16 hex digits."""

LONGEST_NAME: Final = 255
"""Bytes: what nearly all file systems take, of one name in a path."""

_TEMP = re.compile(re.escape(TEMP_PREFIX).encode() + rb"[0-9a-f]{16}")
_TEMP_FOLDED = re.compile(_TEMP.pattern + rb"[ .]*(?::.*)?", re.IGNORECASE | re.DOTALL)

# NTFS drops trailing dots and spaces, reads what follows a colon as a stream's name, knows short names, ignores case.
_RESERVED = re.compile(rb"(?:\.git|git~[1-9]|\.datatool|datato~[1-9])[ .]*(?::.*)?", re.IGNORECASE | re.DOTALL)
# What HFS+ leaves out when it compares names: U+200C–F, U+202A–E, U+206A–F, U+FEFF, as UTF-8.
_HFS_IGNORED = re.compile(rb"\xe2\x80[\x8c-\x8f\xaa-\xae]|\xe2\x81[\xaa-\xaf]|\xef\xbb\xbf")
_DRIVE = re.compile(rb"[A-Za-z]:")
_SEPARATORS = re.compile(rb"[/\\]")

# Bytes without which no path breaks an escape rule, for screening many at once; only a hit costs a closer look.
_SUSPICIOUS = (b"\0", b"\\", b":", b"~", b"//", b"\xe2\x80", b"\xe2\x81", b"\xef\xbb\xbf")
_SUSPICIOUS_DOT = rb"/\.(?:\.?/|[gG][iI]|[dD][aA])"


class PathRefused(ValueError):
    """A path, or a link's target, that breaks an escape rule; `path` is raw bytes, `reason` says which rule."""

    def __init__(self, path: bytes, reason: str) -> None:
        super().__init__(f"{show_bytes(path)}: {reason}")
        self.path = path
        self.reason = reason


def check_escape(path: bytes) -> None:
    """Refuse a relative path (raw bytes, `/` between names) that could be written outside its place.

    Raises PathRefused.

    >>> check_escape(b"songs/1999.ogg")
    """
    reason = _reason(path)
    if reason is not None:
        raise PathRefused(path, reason)


def check_escapes(paths: Sequence[bytes]) -> None:
    """Refuse the first of many paths that breaks an escape rule: `check_escape` for thousands in one look."""
    blob = b"/" + b"/".join(paths) + b"/"
    if any(mark in blob for mark in _SUSPICIOUS) or (b"/." in blob and re.search(_SUSPICIOUS_DOT, blob) is not None):
        for path in paths:
            check_escape(path)


def check_link(path: bytes, target: bytes) -> None:
    """Refuse a symlink that could lead out of the tree it is in, alone or in a chain of links.

    Allowed are as many `../` as the link lies deep, then names (formats §3). `path` is the link's, relative to
    the tree. Raises PathRefused.

    >>> check_link(b"a/b/link", b"../c")
    """
    reason = _link_reason(path, target.split(b"/"), target)
    if reason is None and b"\\" in target:
        reason = _link_reason(path, _SEPARATORS.split(target), target)
    if reason is not None:
        raise PathRefused(path, reason)


def is_temp_name(name: bytes) -> bool:
    """Whether a single name is that of one of our own unfinished files."""
    return _TEMP.fullmatch(name) is not None


def _reason(path: bytes) -> str | None:
    if not path:
        return "the path is empty"
    if b"\0" in path:
        return "a name contains a NUL byte"
    if path[0] in b"/\\":
        return "the path is absolute"
    if _DRIVE.match(path):
        return "the path starts with a drive letter"
    for name in path.split(b"/"):
        if not name:
            return "a name in the path is empty"
        if name == b".":
            return "a name in the path is `.`"
    # Windows splits at `\` too: what is one name here would be two there.
    for name in _SEPARATORS.split(path):
        if name in (b".", b".."):
            return f"a name in the path is `{name.decode()}`"
        reason = _reserved(name)
        if reason is not None:
            return reason
    return None


def _reserved(name: bytes) -> str | None:
    bare = _HFS_IGNORED.sub(b"", name)
    if _RESERVED.fullmatch(bare):
        own = b"d" in bare[:2].lower()
        return f"`{'.datatool' if own else '.git'}`, in any spelling, can't be the name of data"
    if _TEMP_FOLDED.fullmatch(bare):
        return "the name is one of datatool's own temporary names"
    return None


def _link_reason(path: bytes, names: list[bytes], target: bytes) -> str | None:
    if not target:
        return "the link's target is empty"
    if b"\0" in target:
        return "the link's target contains a NUL byte"
    if target[0] in b"/\\" or _DRIVE.match(target):
        return "the link's target is absolute"
    up = 0
    while up < len(names) and names[up] == b"..":
        up += 1
    if b".." in names[up:]:
        return "the link's target has `..` behind a name"
    if up > path.count(b"/"):
        return "the link leads out of the directory"
    for name in names[up:]:
        if (reason := _reserved(name)) is not None:
            return f"the link's target: {reason}"
    return None


# Portability. What few commands need is compiled when it is first used.

_CHUNK = 4096
# Without any of these no name is unportable by itself; they are looked for in thousands of names at once.
_ODD_BYTES = bytes((*range(0x20), *b'<>:"|?*\\', *range(0x7F, 0x100)))
_ODD_NAME = rb"/(?:con|prn|aux|nul|com[0-9]|lpt[0-9]|conin\$|conout\$)[ ./]"
_FORBIDDEN = r'[<>:"|?*\\\x00-\x1f]'
_DEVICE = r"(?is)(?:con|prn|aux|nul|com[0-9¹²³]|lpt[0-9¹²³]|conin\$|conout\$) *(?:\..*)?"


def portability_problems(paths: Iterable[bytes]) -> Iterator[tuple[bytes, str]]:
    """What some filesystem in use can't hold, as (path, problem), each path at most once, in the order given.

    Names that Windows reserves or changes, bytes that are not text, and names that differ only in case or in the
    composition of their letters, which macOS and Windows take for one; directories count as their files do.
    """
    seen = _Spellings()
    rest = iter(paths)
    while chunk := list(islice(rest, _CHUNK)):
        blob = b"/" + b"/".join(chunk) + b"/"
        lower = blob.lower()
        odd = (
            len(blob.translate(None, _ODD_BYTES)) != len(blob)
            or b" /" in blob
            or b"./" in blob
            or re.search(_ODD_NAME, lower) is not None
        )
        folded = [_fold(path) for path in chunk] if odd else [path.lower() for path in chunk]
        if not odd and seen.take_all(folded, chunk):
            continue
        for path, name in zip(chunk, folded, strict=True):
            problem = portability_problem(path) or seen.take(name, path)
            if problem is not None:
                yield path, problem


class _Spellings:
    """Paths by what a filesystem that ignores case and composition makes of them."""

    def __init__(self) -> None:
        self._first: dict[bytes, bytes] = {}
        self._directories: dict[bytes, str | None] = {b"": None}

    def take(self, folded: bytes, path: bytes) -> str | None:
        """Remember a path; say which earlier one it collides with, by itself or through a directory."""
        return self._in_directory(path.rpartition(b"/")[0]) or self._differing(folded, path)

    def take_all(self, folded: list[bytes], paths: list[bytes]) -> bool:
        """Remember many paths if none of them collides; else none of them, but for their directories."""
        for parent in dict.fromkeys([path.rpartition(b"/")[0] for path in paths]):
            if self._in_directory(parent) is not None:
                return False
        if len(set(folded)) != len(folded) or not self._first.keys().isdisjoint(folded):
            return False
        self._first.update(zip(folded, paths, strict=True))
        return True

    def _in_directory(self, path: bytes) -> str | None:
        """What is wrong with everything in a directory."""
        new = []
        while path not in self._directories:
            new.append(path)
            path = path.rpartition(b"/")[0]
        problem = self._directories[path]
        for directory in reversed(new):
            problem = problem or self._differing(_fold(directory), directory)
            self._directories[directory] = problem
        return problem

    def _differing(self, folded: bytes, path: bytes) -> str | None:
        first = self._first.setdefault(folded, path)
        return None if first == path else f"differs only in case or composition from {show_bytes(first)}"


def portability_problem(path: bytes) -> str | None:
    """What keeps some filesystem in use from holding a path, whatever lies beside it."""
    try:
        text = path.decode()
    except UnicodeDecodeError:
        return "the name is not valid UTF-8"
    for name in text.split("/"):
        if (match := re.search(_FORBIDDEN, name)) is not None:
            return f"Windows does not allow {show(match[0])} in a name"
        if name.endswith((".", " ")):
            return "Windows drops the dot or space at the end of a name"
        if re.fullmatch(_DEVICE, name):
            return "Windows reserves the name for a device"
    return None


def _fold(path: bytes) -> bytes:
    if path.isascii():
        return path.lower()
    text = unicodedata.normalize("NFD", path.decode("utf-8", "surrogateescape")).casefold()
    return unicodedata.normalize("NFC", text).encode("utf-8", "surrogateescape")


# Showing


def show(text: str) -> str:
    r"""Make a path fit for a terminal or a log: control, bidirectional, invisible characters and stray bytes escaped.

    A byte that is not UTF-8 (a surrogate, as `os.fsdecode` makes it) becomes `\xff`, a character `\u202e`.

    >>> show("song\x1b[2J.ogg")
    'song\\x1b[2J.ogg'
    """
    return text if text.isprintable() else "".join(map(_shown, text))


def show_bytes(path: bytes) -> str:
    """Make a raw path fit to be shown, as `show` does."""
    return show(path.decode("utf-8", "surrogateescape"))


_VIEWPOINT: ContextVar[bytes] = ContextVar("viewpoint", default=b"")


def see_from(directory: bytes) -> None:
    """Say from which directory of the project (raw bytes, `b""` for its root) the user looks at it: a shell's names, in
    messages and in the commands that they suggest, are relative to where the shell stands. Holds for this thread."""
    _VIEWPOINT.set(directory)


@contextmanager
def viewpoint_kept() -> Iterator[None]:
    """Forget after the block what `see_from` said in it, for programs that work with several projects."""
    before = _VIEWPOINT.get()
    try:
        yield
    finally:
        _VIEWPOINT.set(before)


def named(path: bytes) -> str:
    """Show a path of the project (raw bytes, from its root) as the user must type it from where `see_from` said."""
    viewpoint = _VIEWPOINT.get()
    return show_bytes(posixpath.relpath(path or b".", viewpoint) if viewpoint else path or b".")


_NAMED = {"\n": "\\n", "\r": "\\r", "\t": "\\t"}


def _shown(character: str) -> str:
    if character.isprintable():
        return character
    if character in _NAMED:
        return _NAMED[character]
    number = ord(character)
    if 0xDC80 <= number <= 0xDCFF:
        return f"\\x{number - 0xDC00:02x}"
    if number < 0x80:
        return f"\\x{number:02x}"
    return f"\\u{number:04x}" if number < 0x10000 else f"\\U{number:08x}"
