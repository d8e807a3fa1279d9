"""Block YAML with lists, as DVC writes it, read without a YAML library: thousands of pointers, and locks of megabytes.

Like `plain_yaml`, it takes only text about which all YAML readers agree; what else there is, right or wrong, is left to
`yaml_text`. Every scalar is a string.
"""

from __future__ import annotations

import re
from typing import Final, NamedTuple

from datatool.formats.plain_yaml import Value

MAX_DEPTH: Final = 16
"""Mappings and lists inside each other."""

_LINE: Final = re.compile(r"( *)(.*)")
_KEY: Final = re.compile(r"""([^\s\-?:,\[\]{}#&*!|>'"%@`~=<][^:#'"]*):(?: +(.*))?""")
_QUOTED: Final = re.compile(r"""'([^']*)'|"([^"\\]*)\"""")
_INDICATORS: Final = frozenset("?:,[]{}#&*!|>'\"%@`")


class _Other(Exception):
    """This is for another reader."""


class _Line(NamedTuple):
    number: int
    indent: int
    text: str


def read_blocks(text: str) -> dict[str, Value] | None:
    """Read a mapping, or give None for any other text, right or wrong.

    >>> read_blocks("outs:\\n- md5: 0a\\n  path: songs\\n")
    {'outs': [{'md5': '0a', 'path': 'songs'}]}
    """
    text = text.replace("\r\n", "\n")
    if not text.replace("\n", " ").isprintable():
        return None
    lines = []
    for number, line in enumerate(text.split("\n")):
        found = _LINE.fullmatch(line)
        assert found is not None
        content = found[2].rstrip(" ")
        if content and content[0] != "#":
            lines.append(_Line(number, len(found[1]), content))
    reader = _Reader(lines)
    try:
        value = reader.mapping(0, 0) if lines else {}
        return value if reader.done else None
    except _Other:
        return None


class _Reader:
    """Goes through the lines once; each method reads one value, whose first line is the current one."""

    def __init__(self, lines: list[_Line]) -> None:
        self._lines = lines
        self._at = 0

    @property
    def done(self) -> bool:
        return self._at == len(self._lines)

    def mapping(self, indent: int, depth: int) -> dict[str, Value]:
        values: dict[str, Value] = {}
        while (line := self._peek()) is not None and line.indent == indent and not _is_item(line.text):
            found = _KEY.fullmatch(line.text)
            if found is None or found[1][-1] == " " or found[1] in values or depth > MAX_DEPTH:
                raise _Other
            key = found[1]
            if found[2]:
                values[key] = self._scalar(found[2], line, indent)
            else:
                self._at += 1
                values[key] = self._behind(indent, depth)
        line = self._peek()
        if line is not None and line.indent > indent:
            raise _Other
        return values

    def _behind(self, indent: int, depth: int) -> Value:
        """What stands on the lines below a key that has nothing behind it: deeper, or a list at its own depth."""
        line = self._peek()
        if line is None or line.indent < indent:
            return None
        if _is_item(line.text):
            return self._sequence(line.indent, depth + 1)
        if line.indent == indent:
            return None
        if _KEY.fullmatch(line.text) is None:
            raise _Other
        return self.mapping(line.indent, depth + 1)

    def _sequence(self, indent: int, depth: int) -> list[Value]:
        values: list[Value] = []
        while (line := self._peek()) is not None and line.indent == indent and _is_item(line.text):
            rest = line.text[1:].lstrip(" ")
            if not rest or _is_item(rest) or depth > MAX_DEPTH:
                raise _Other  # an item that begins on the next line, or a list of lists
            inner = indent + len(line.text) - len(rest)
            if _KEY.fullmatch(rest) is None:
                values.append(self._scalar(rest, line, indent))
                continue
            self._lines[self._at] = _Line(line.number, inner, rest)
            values.append(self.mapping(inner, depth + 1))
        line = self._peek()
        if line is not None and line.indent > indent:
            raise _Other
        return values

    def _scalar(self, raw: str, line: _Line, indent: int) -> Value:
        """A one-line scalar, or a plain one that goes on below, as long commands do."""
        self._at += 1
        quoted = _QUOTED.fullmatch(raw)
        if quoted is not None:
            return quoted[1] if quoted[1] is not None else quoted[2]
        if raw == "[]":
            return []
        if raw == "{}":
            return {}
        parts = [raw]
        number = line.number
        while (below := self._peek()) is not None and below.indent > indent:
            number += 1
            if below.number != number:
                raise _Other
            parts.append(below.text)
            self._at += 1
        text = " ".join(parts)
        if raw[0] in _INDICATORS or raw == "-" or _is_item(raw) or ": " in text or " #" in text or ":\0" in text + "\0":
            raise _Other
        if any(part[-1] == ":" for part in parts):
            raise _Other
        return text

    def _peek(self) -> _Line | None:
        return self._lines[self._at] if self._at < len(self._lines) else None


def _is_item(text: str) -> bool:
    return text == "-" or text.startswith("- ")
