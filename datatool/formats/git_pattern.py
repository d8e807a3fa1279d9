"""git's patterns for paths, as `.gitattributes` has them, made into regular expressions.

A library for `.gitignore` would not do: there a pattern that fits a directory holds for all that is in it, here not.
The expressions take time in proportion to the path whatever the pattern, as patterns come from strangers: what lies
between two stars is looked for from the left and never again.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import count
from typing import Final

_CLASSES: Final = {
    b"alnum": b"0-9A-Za-z",
    b"alpha": b"A-Za-z",
    b"blank": rb" \t",
    b"cntrl": rb"\x00-\x1f\x7f",
    b"digit": b"0-9",
    b"graph": rb"\x21-\x7e",
    b"lower": b"a-z",
    b"print": rb"\x20-\x7e",
    b"punct": rb"\x21-\x2f\x3a-\x40\x5b-\x60\x7b-\x7e",
    b"space": rb" \t-\r",
    b"upper": b"A-Z",
    b"xdigit": b"0-9A-Fa-f",
}
_STAR: Final = b"*"
_LITERAL: Final = re.compile(rb"[^*?\[\\]*", re.DOTALL)


class _NeverMatches(Exception):
    """A pattern that git takes, and that fits no path."""


def compile_pattern(pattern: bytes) -> tuple[re.Pattern[bytes], bool] | None:
    """An expression for a pattern, and whether it is for the last name of a path alone (else for the path from the
    pattern's directory on); None for a pattern that fits no file.

    >>> expression, name_only = compile_pattern(b"*.bin")
    >>> bool(expression.fullmatch(b"a.bin")), name_only
    (True, True)
    """
    if pattern.endswith(b"/") or not pattern:  # only directories, which have no attributes of their own
        return None
    literal = _LITERAL.match(pattern.removeprefix(b"/"))
    assert literal is not None
    try:
        # git compares what is literal apart, so that a `**` right behind it stands at a beginning.
        expression = re.escape(literal[0]) + _path(_names(literal.string[literal.end() :]))
        return re.compile(expression, re.DOTALL), b"/" not in pattern
    except _NeverMatches:
        return None


def _names(pattern: bytes) -> list[list[bytes]]:
    """The pieces of each name in a pattern for a path; a `/` in brackets divides nothing."""
    names: list[list[bytes]] = [[]]
    for token in _tokens(pattern):
        if token == b"/":
            names.append([])
        else:
            names[-1].append(token)
    return names


def _path(names: Sequence[Sequence[bytes]]) -> bytes:
    """Runs of names between `**`: each run is looked for from the left, the last one at the end."""
    runs: list[list[Sequence[bytes]]] = [[]]
    for name in names:
        if len(name) > 1 and set(name) == {_STAR}:
            runs.append([])
        else:
            runs[-1].append(name)
    made = [b"/".join(_name(name) for name in run) for run in runs]
    if len(made) == 1:
        return made[0]
    first, *middle, last = made
    parts = [first + b"/" if runs[0] else b""]
    parts += [b"(?>(?:[^/]*/)*?" + run + b"/)" for run, names in zip(middle, runs[1:-1], strict=True) if names]
    parts.append(b"(?:[^/]*/)*" + last if runs[-1] else b".*")
    return b"".join(parts)


def _name(tokens: Sequence[bytes]) -> bytes:
    """One name: what lies between stars is looked for from the left, what is behind the last one at the end."""
    parts: list[list[bytes]] = [[]]
    for token in tokens:
        if token == _STAR:
            parts.append([])
        else:
            parts[-1].append(token)
    first, *rest = [b"".join(part) for part in parts]
    if not rest:
        return first
    *middle, last = rest
    return first + b"".join(b"(?>[^/]*?" + part + b")" for part in middle if part) + b"[^/]*" + last


def _tokens(name: bytes) -> Iterator[bytes]:
    """The pieces of a pattern, as expressions; a star as itself."""
    at = 0
    while at < len(name):
        sign = name[at : at + 1]
        at += 1
        if sign == _STAR:
            yield _STAR
        elif sign == b"?":
            yield b"[^/]"
        elif sign == b"[":
            expression, at = _class(name, at)
            yield expression
        elif sign == b"\\":
            if at == len(name):
                raise _NeverMatches
            yield re.escape(name[at : at + 1])
            at += 1
        else:
            yield re.escape(sign)


def _class(name: bytes, at: int) -> tuple[bytes, int]:
    """The expression for `[…]`, whose inside begins at `at`, and where it ends."""
    negated = name[at : at + 1] in (b"!", b"^")
    at += negated
    inside: list[bytes] = []
    before: int | None = None  # what a range may begin with
    for number in count():
        sign = _at(name, at)
        if sign == ord("]") and number:
            break
        if sign == ord("\\"):
            at += 1
            before = _at(name, at)
            inside.append(_single(before))
        elif sign == ord("-") and before is not None and name[at + 1 : at + 2] not in (b"", b"]"):
            at += 1
            if name[at : at + 1] == b"\\":
                at += 1
            last = _at(name, at)
            if before <= last:
                inside.append(_single(before) + b"-" + _single(last))
            before = None
        elif name[at : at + 2] == b"[:" and (end := name.find(b"]", at + 2)) >= 0 and name[end - 1 : end] == b":":
            known = _CLASSES.get(name[at + 2 : end - 1]) if end - 1 >= at + 2 else None
            if known is None:
                raise _NeverMatches
            inside.append(known)
            at, before = end, None
        else:
            before = sign
            inside.append(_single(sign))
        at += 1
    found = b"".join(inside)
    if negated:
        return b"[^/" + found + b"]", at + 1
    return (b"(?!/)[" + found + b"]" if found else b"(?!)"), at + 1


def _at(name: bytes, at: int) -> int:
    if at >= len(name):
        raise _NeverMatches
    return name[at]


def _single(byte: int) -> bytes:
    return rb"\x%02x" % byte
