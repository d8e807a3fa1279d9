"""Lines in a `.gitignore` that keep data out of git: one `/<name>` for each artifact beside it (formats §2).

Pure text: everything else in the file, the user's own lines and their order, stays as it is.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterable

_PLAIN = re.compile(rb"[A-Za-z0-9_.-]+")
_SPECIAL = re.compile(rb"[\\*?\[]")
_TRAILING = re.compile(rb" +\Z")


def escape_name(name: bytes) -> bytes:
    r"""The line that makes git ignore exactly this file or directory, beside the `.gitignore`.

    A line break can't be written in a pattern, so `?` stands for it.

    >>> escape_name(b"what? [1].csv")
    b'/what\\? \\[1].csv'
    """
    if _PLAIN.fullmatch(name):
        return b"/" + name
    escaped = _SPECIAL.sub(rb"\\\g<0>", name).replace(b"\n", b"?").replace(b"\r", b"?")
    return b"/" + _TRAILING.sub(lambda match: b"\\ " * len(match[0]), escaped)


def has_line(text: bytes, name: bytes) -> bool:
    """Whether a `.gitignore` has the line for this name."""
    return _has(text, escape_name(name))


def add_line(text: bytes, name: bytes) -> bytes:
    """Add the line for a name: see `add_lines`."""
    return add_lines(text, [name])


def add_lines(text: bytes, names: Iterable[bytes]) -> bytes:
    """Add the lines for names that have none yet: sorted into the last block of such lines, else at the end.

    Nothing goes above a line with `!`, which might bring the data back into git's sight.
    """
    lines = _lines(text)
    known = set(lines)
    wanted = [line for line in dict.fromkeys(escape_name(name) for name in names) if line not in known]
    if not wanted:
        return text
    ending = b"\r\n" if b"\r\n" in text else b"\n"
    kept = _split(text)
    if kept and not kept[-1].endswith(b"\n"):
        kept[-1] += ending
    start, end = _block(lines)
    in_order = lines[start:end] == sorted(lines[start:end])
    for line in wanted:
        if in_order:
            place = bisect_right(lines, line, start, end)
        else:
            place = next((at for at in range(start, end) if lines[at] > line), end)
        lines.insert(place, line)
        kept.insert(place, line + ending)
        end += 1
    return b"".join(kept)


def append_lines(text: bytes, names: Iterable[bytes]) -> bytes:
    """Add the lines for names that have none yet at the end, for now: `sort_lines` sorts them in later."""
    ending = b"\r\n" if b"\r\n" in text else b"\n"
    wanted = [line for line in dict.fromkeys(escape_name(name) for name in names) if not _has(text, line)]
    return text + b"".join(line + ending for line in wanted)


def is_in_order(before: bytes, after: bytes) -> bool:
    """Whether what `append_lines` added is where it belongs: in order after a last line that is for a name, too.

    >>> is_in_order(b"/a\\n/c\\n", b"/a\\n/c\\n/d\\n"), is_in_order(b"*.tmp\\n", b"*.tmp\\n/a\\n")
    (True, False)
    """
    last = before.rfind(b"\n", 0, -1) + 1
    lines = _lines(after[last:])
    return lines[0].startswith(b"/") and lines == sorted(lines)


def sort_lines(text: bytes, names: Iterable[bytes]) -> bytes:
    """Put the lines for names where `add_lines` would.

    >>> sort_lines(b"*.tmp\\n/b\\n/c\\n/a\\n", [b"a", b"b"])
    b'*.tmp\\n/a\\n/b\\n/c\\n'
    """
    lines = set(_lines(text))
    there = {escape_name(name): name for name in names if escape_name(name) in lines}
    others = [whole for whole, line in zip(_split(text), _lines(text), strict=True) if line not in there]
    return add_lines(b"".join(others), there.values())


def remove_line(text: bytes, name: bytes) -> bytes:
    """Remove the line for a name, if it is there."""
    unwanted = escape_name(name)
    return b"".join(whole for whole, line in zip(_split(text), _lines(text), strict=True) if line != unwanted)


def _has(text: bytes, line: bytes) -> bool:
    """Whether a line is there; mostly without splitting all of a text that may be long."""
    return line in _lines(text) if b"\r" in text else b"\n%b\n" % line in b"\n%b\n" % text


def _split(text: bytes) -> list[bytes]:
    """The lines with their ends; git knows no other end than LF."""
    whole = [line + b"\n" for line in text.split(b"\n")]
    last = whole.pop()[:-1]
    return [*whole, last] if last else whole


def _lines(text: bytes) -> list[bytes]:
    lines = text.split(b"\n")
    if not lines[-1]:
        lines.pop()
    return [line.removesuffix(b"\r") for line in lines] if b"\r" in text else lines


def _block(lines: list[bytes]) -> tuple[int, int]:
    """Where the last block of lines for names begins and ends; an empty one at the end where there is none, or a `!`
    below it."""
    end = len(lines)
    while end and not lines[end - 1].startswith((b"/", b"!")):
        end -= 1
    start = end
    while start and lines[start - 1].startswith(b"/"):
        start -= 1
    return (start, end) if start < end else (len(lines), len(lines))
