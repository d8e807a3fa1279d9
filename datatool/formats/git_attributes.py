"""`.gitattributes` of a whole tree: the value that one attribute has for a path, by git's own rules."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Final, NamedTuple

from datatool.formats.git_pattern import compile_pattern

ATTRIBUTES: Final = b".gitattributes"
ATTRIBUTES_LIMIT: Final = 1 << 20
"""Bytes of one such file that are read."""

_LINE: Final = 2048
"""git leaves longer lines out."""
_NAME: Final = re.compile(rb"[A-Za-z0-9_.][-A-Za-z0-9_.]*", re.ASCII)
_MACRO: Final = b"[attr]"
_ESCAPES: Final = {
    b"a": b"\a",
    b"b": b"\b",
    b"f": b"\f",
    b"n": b"\n",
    b"r": b"\r",
    b"t": b"\t",
    b"v": b"\v",
    b"\\": b"\\",
    b'"': b'"',
}
_QUOTED: Final = re.compile(rb'"((?:[^"\\]|\\(?:[abfnrtv\\"]|[0-3][0-7]{2}))*)"(?=[ \t\r\n]|$)', re.DOTALL)

_Value = bytes | bool | None
"""What a line says of an attribute: a text, set, not set, or nothing (`!name`)."""
_States = tuple[tuple[bytes, _Value], ...]


class _Rule(NamedTuple):
    expression: re.Pattern[bytes]
    name_only: bool
    states: _States


class Attributes:
    """The attribute `name` all over a tree; `files` are the bytes of each `.gitattributes`, by its directory's path.

    >>> Attributes(b"filter", {b"": b"*.bin filter=lfs"}).value(b"data/a.bin")
    b'lfs'
    """

    def __init__(self, name: bytes, files: Mapping[bytes, bytes]) -> None:
        self._name = name
        lines = {top: list(_lines(text)) for top, text in files.items()}
        self._macros: dict[bytes, _States] = {}
        for pattern, states in lines.get(b"", ()):
            if pattern.startswith(_MACRO) and _NAME.fullmatch(pattern, len(_MACRO)):
                self._macros[pattern[len(_MACRO) :]] = states
        known = {name, *self._macros}
        self._rules = {top: rules for top, found in lines.items() if (rules := _rules(found, known))}
        self._chains: dict[bytes, list[tuple[int, list[_Rule]]]] = {}

    def __bool__(self) -> bool:
        """Whether any line says anything of the attribute."""
        return bool(self._rules)

    def value(self, path: bytes) -> _Value:
        """What holds for a file: a text, True, False, or None where nothing is said of it."""
        top, _, last = path.rpartition(b"/")
        values: dict[bytes, _Value] = {}
        for skip, rules in self._chain(top):
            for expression, name_only, states in rules:
                fits = expression.fullmatch(last) if name_only else expression.fullmatch(path, skip)
                if fits is not None:
                    self._fill(values, states)
                    if self._name in values:
                        return values[self._name]
        return None

    def _chain(self, top: bytes) -> list[tuple[int, list[_Rule]]]:
        """The rules for the files of a directory, the strongest first, each with where its own paths begin."""
        found = self._chains.get(top)
        if found is None:
            tops = [top]
            while tops[-1]:
                tops.append(tops[-1].rpartition(b"/")[0])
            found = [(len(top) + 1 if top else 0, self._rules[top]) for top in tops if top in self._rules]
            self._chains[top] = found
        return found

    def _fill(self, values: dict[bytes, _Value], states: _States) -> None:
        """What a line says of attributes that no stronger one has spoken of; a macro brings its own states."""
        for name, value in reversed(states):
            if name not in values:
                values[name] = value
                if value is True and name in self._macros:
                    self._fill(values, self._macros[name])


def _rules(lines: Iterable[tuple[bytes, _States]], known: set[bytes]) -> list[_Rule]:
    """The lines that say something of these attributes, the last one first."""
    rules: list[_Rule] = []
    for pattern, states in lines:
        relevant = tuple(state for state in states if state[0] in known)
        if not relevant or pattern.startswith((_MACRO, b"!")):
            continue
        compiled = compile_pattern(pattern)
        if compiled is not None:
            rules.append(_Rule(*compiled, relevant))
    rules.reverse()
    return rules


def _lines(text: bytes) -> Iterable[tuple[bytes, _States]]:
    for line in text.removeprefix(b"\xef\xbb\xbf").split(b"\n"):
        found = split_line(line)
        if found is None:
            continue
        states = [_state(word) for word in found.words]
        if None not in states:
            yield found.pattern, tuple(state for state in states if state is not None)


class Line(NamedTuple):
    """One line: its pattern (`[attr]NAME` where it makes a macro), the pattern as it is written, the words behind."""

    pattern: bytes
    written: bytes
    words: list[bytes]


def split_line(line: bytes) -> Line | None:
    """The parts of a line; None for one that says nothing, or that git leaves out.

    >>> split_line(b"*.bin filter=lfs -text").words
    [b'filter=lfs', b'-text']
    """
    line = line.strip(b" \t\r")
    if not line or line.startswith(b"#") or len(line) >= _LINE:
        return None
    quoted = _QUOTED.match(line)
    if quoted is not None:
        return Line(_unquoted(quoted[1]), quoted[0], line[quoted.end() :].split())
    pattern, *rest = re.split(rb"[ \t\r]+", line, maxsplit=1)
    return Line(pattern, pattern, rest[0].split() if rest else [])


def _state(word: bytes) -> tuple[bytes, _Value] | None:
    """One word behind a pattern; None for a word that makes git leave the whole line out."""
    value: _Value
    if word[:1] in (b"-", b"!"):
        name, value = word[1:], False if word[:1] == b"-" else None
    else:
        name, equals, text = word.partition(b"=")
        value = text if equals else True
    return (name, value) if _NAME.fullmatch(name) else None


def _unquoted(text: bytes) -> bytes:
    def meant(match: re.Match[bytes]) -> bytes:
        return _ESCAPES.get(match[1]) or bytes([int(match[1], 8)])

    return re.sub(rb"\\([0-7]{3}|.)", meant, text, flags=re.DOTALL)
