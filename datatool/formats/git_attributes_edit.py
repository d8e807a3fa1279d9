"""Taking Git LFS out of a `.gitattributes`: its words go, everybody else's lines, words and comments stay."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import Final

from datatool.formats.git_attributes import split_line
from datatool.formats.git_pattern import compile_pattern

FILTER: Final = b"filter=lfs"
_WORDS: Final = frozenset({FILTER, b"diff=lfs", b"merge=lfs", b"lockable"})
_WHOLE: Final = re.compile(rb"[^\n]*\n|[^\n]+")
_MACRO: Final = b"[attr]"
_NOT_TEXT: Final = b"-text"
OVERRIDES: Final = (b"*.dt !filter !diff !merge text eol=lf", b".gitignore !filter !diff !merge text")
"""Below lines that keep data in LFS, these keep what stands for other data, which they may match too, out of it."""


def names_lfs(text: bytes) -> bool:
    """Whether a `.gitattributes` may send anything to LFS.

    >>> names_lfs(b"*.bin filter=lfs -text"), names_lfs(b"# filter=lfs")
    (True, False)
    """
    return any(line is not None and FILTER in line.words for line in map(split_line, text.split(b"\n")))


def without_lfs(
    text: bytes, *, left: Iterable[bytes] = (), plain: Iterable[bytes] = (), macros: Iterable[bytes] = ()
) -> bytes:
    """A `.gitattributes` without what it says of LFS, but for lines that match a path of `left`.

    Paths are relative to its directory. `-text` goes too, unless the line matches one of `plain`, files that git keeps.
    `macros` are names that the top's `.gitattributes` gives (`lfs_macros`).

    >>> without_lfs(b"# big\\n*.bin filter=lfs diff=lfs merge=lfs -text\\n*.sh eol=lf\\n")
    b'# big\\n*.sh eol=lf\\n'
    """
    left, plain, names = list(left), list(plain), {FILTER, *macros}
    lines: list[bytes] = []
    for whole in _WHOLE.findall(text):
        ending = whole[len(whole.rstrip(b"\r\n")) :]
        line = split_line(whole.rstrip(b"\r\n").removeprefix(b"\xef\xbb\xbf"))
        if line is None:
            lines.append(whole)
        elif whole.strip() in OVERRIDES:
            continue
        elif not names & set(line.words) or _is_needed(line.pattern, left):
            lines.append(whole)
        else:
            words = [word for word in line.words if word not in _WORDS and word not in names]
            if _NOT_TEXT in words and not any(map(_matcher(line.pattern), plain)):
                words.remove(_NOT_TEXT)
            if words:
                lines.append(b" ".join([line.written, *words]) + (ending or b"\n"))
    return b"".join(lines)


def with_overrides(text: bytes) -> bytes:
    """The same with the lines of `OVERRIDES` at its end."""
    start = text if not text or text.endswith(b"\n") else text + b"\n"
    return start + b"".join(line + b"\n" for line in OVERRIDES)


def lfs_macros(text: bytes) -> frozenset[bytes]:
    """The macros that the top's `.gitattributes` makes for LFS.

    >>> lfs_macros(b"[attr]big filter=lfs -text")
    frozenset({b'big'})
    """
    found = [line for line in map(split_line, text.split(b"\n")) if line is not None and FILTER in line.words]
    return frozenset(line.pattern[len(_MACRO) :] for line in found if line.pattern.startswith(_MACRO))


def _is_needed(pattern: bytes, left: list[bytes]) -> bool:
    return bool(left) if pattern.startswith(_MACRO) else any(map(_matcher(pattern), left))


def _matcher(pattern: bytes) -> Callable[[bytes], re.Match[bytes] | None]:
    compiled = None if pattern.startswith((_MACRO, b"!")) else compile_pattern(pattern)
    if compiled is None:
        return lambda path: None
    expression, name_only = compiled
    if name_only:
        return lambda path: expression.fullmatch(path.rpartition(b"/")[2])
    return expression.fullmatch
