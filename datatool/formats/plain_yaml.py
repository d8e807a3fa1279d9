"""The plain shape of YAML: what we write, and a strict reader of just that, without a YAML library.

Plain means: block mappings of simple keys, one-line scalars, lists and small mappings, comments. Every YAML reader
agrees on such text, whatever its version; what is not plain is left to `yaml_text`, which costs thirty times as much.
Every scalar is a string, unless the caller names its key as a number or a switch.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Set
from functools import lru_cache
from typing import NamedTuple, TypeAlias

Value: TypeAlias = "str | int | bool | list[Value] | dict[str, Value] | None"
"""What a YAML file of ours can hold; None is a key with nothing after it."""


class OneLine(dict[str, Value]):
    """A mapping to be written on one line, as `{a: b}`."""


MAX_DEPTH = 8
"""Mappings and lists inside each other; ours have three."""
MAX_NUMBER = (1 << 63) - 1

_INDICATORS = frozenset("-?:,[]{}#&*!|>'\"%@`")
_KEY = r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,99}"
_LINE = re.compile(rf"( *)({_KEY}):(?: +(.*))?")
_TAIL = r" *(?: #.*)?"
_QUOTED = re.compile(rf"""(?P<value>"([^"\\]*)"|'([^']*)'){_TAIL}""")
_ITEM = r"""(?!-)[A-Za-z0-9_./+-]+(?: [A-Za-z0-9_./+]+)*|"[^"\\]*"|'[^']*'"""
_LIST = rf"(?P<value>\[ *((?:(?:{_ITEM})(?: *, *(?:{_ITEM}))*)?) *\]){_TAIL}"
_PAIR = rf"({_KEY}): +({_ITEM})"
_MAP = rf"(?P<value>\{{ *((?:{_PAIR}(?: *, *{_PAIR})*)?) *\}}){_TAIL}"
_NUMBER = re.compile(r"0|[1-9][0-9]{0,18}")


def read_plain(text: str, *, typed: Set[str] = frozenset()) -> dict[str, Value] | None:
    """Read plain text, or return None for anything else, right or wrong: then `yaml_text.read` is to judge.

    `typed` names the top-level keys whose unquoted value is a number or true/false.

    >>> read_plain('size: 3\\nrev: "1.10"\\n', typed={"size"})
    {'size': 3, 'rev': '1.10'}
    """
    if not text.replace("\n", " ").isprintable():
        return None
    current: dict[str, Value] = {}
    indent = 0
    parents: list[tuple[int, dict[str, Value]]] = []
    waiting: str | None = None  # a key with nothing after it, which a deeper line makes a mapping
    for line in text.split("\n"):
        match = _LINE.fullmatch(line)
        if match is None:
            rest = line.lstrip(" ")
            if not rest or rest[0] == "#":
                continue
            return None
        spaces, key, raw = match.groups()
        depth = len(spaces)
        if depth > indent:
            if waiting is None or len(parents) >= MAX_DEPTH:
                return None
            parents.append((indent, current))
            child: dict[str, Value] = {}
            current[waiting] = child
            current, indent = child, depth
        else:
            while depth < indent:
                indent, current = parents.pop()
            if depth != indent:
                return None
        if key in current:
            return None
        waiting = None
        if not raw or raw[0] == "#":
            current[key] = None
            waiting = key
        elif raw[0] not in _INDICATORS:
            if (cut := raw.find(" #")) >= 0:
                raw = raw[:cut]
            raw = raw.rstrip(" ")
            if ": " in raw or raw[-1] == ":":
                return None
            current[key] = typed_scalar(raw) if key in typed and not parents else raw
        else:
            value = _quoted_or_flow(raw)
            if value is None:
                return None
            current[key] = value
    return parents[0][1] if parents else current


def typed_scalar(text: str) -> str | int | bool:
    """A decimal number or true/false for what was written as one; the text itself otherwise, for errors to show."""
    if _NUMBER.fullmatch(text) and (number := int(text)) <= MAX_NUMBER:
        return number
    return text == "true" if text in ("true", "false") else text


def _quoted_or_flow(raw: str) -> Value:
    if raw[0] == "[" and (match := re.fullmatch(_LIST, raw)):
        return [_item_text(item) for item in re.findall(_ITEM, match[2])]
    if raw[0] == "{" and (match := re.fullmatch(_MAP, raw)):
        pairs = re.findall(_PAIR, match[2])
        values: dict[str, Value] = {key: _item_text(item) for key, item in pairs}
        return values if len(values) == len(pairs) else None
    if raw[0] in "\"'" and (match := _QUOTED.fullmatch(raw)):
        return match[2] if match[2] is not None else match[3]
    return None


def _item_text(item: str) -> str:
    return item[1:-1] if item[0] in "\"'" else item


class Slot(NamedTuple):
    """Where a key of a block mapping lies in a text: the lines it takes, from the key's to the last with content, the
    column of the key, and the characters of a value on one line. `flow` tells a one-line mapping from a block."""

    first: int
    last: int
    column: int
    start: int
    end: int
    flow: bool


def plain_slots(text: str) -> dict[tuple[str, ...], Slot]:
    """Where each key lies, by its path; for text that `read_plain` accepts."""
    slots: dict[tuple[str, ...], Slot] = {}
    path: list[tuple[int, str]] = []
    position = 0
    for number, line in enumerate(text.split("\n")):
        if match := _LINE.fullmatch(line):
            column, raw = len(match[1]), match[3] or ""
            while path and path[-1][0] >= column:
                path.pop()
            path.append((column, match[2]))
            keys = tuple(key for _, key in path)
            for depth in range(1, len(keys)):
                slots[keys[:depth]] = slots[keys[:depth]]._replace(last=number)
            value = "" if raw[:1] == "#" else raw[: _value_length(raw)]
            start = position + (match.start(3) if value else match.end(2) + 1)
            slots[keys] = Slot(number, number, column, start, start + len(value), value[:1] == "{")
        position += len(line) + 1
    return slots


def _value_length(raw: str) -> int:
    if match := _QUOTED.fullmatch(raw) or re.fullmatch(_LIST, raw) or re.fullmatch(_MAP, raw):
        return match.end("value")
    cut = raw.find(" #")
    return len((raw if cut < 0 else raw[:cut]).rstrip(" "))


_SPECIAL = r"""(?ix)
    y|n|yes|no|on|off|true|false|null|none|~|=|<<    # switches and nothing, in YAML 1.1 or 1.2
    | [-+]?[0-9._][0-9._,:]*(?:e[-+]?[0-9_]*)?          # integers, floats, sexagesimal
    | [-+]?0[xob][0-9a-f_]*
    | [-+]?\.?(?:inf|nan)
    | [0-9]{4}-[0-9]{1,2}-[0-9]{1,2}.*                  # dates
    """
_SIMPLE = r"[A-Za-z0-9_./][A-Za-z0-9_./@+ -]*"
_ESCAPES = {'"': '\\"', "\\": "\\\\", "\n": "\\n", "\t": "\\t", "\r": "\\r"}


def scalar(text: str, *, simple: bool = False) -> str:
    """Spell a string so that YAML 1.1 and 1.2 both read it as that string; `simple` for keys and list items.

    >>> scalar("1.10"), scalar("no"), scalar("Songs: 2011"), scalar("a/b c")
    ('"1.10"', '"no"', '"Songs: 2011"', 'a/b c')
    """
    plain = (
        text.isprintable()
        and text.strip(" ") == text != ""
        and text[0] not in _INDICATORS
        and not re.fullmatch(_SPECIAL, text)
        and (
            re.fullmatch(_SIMPLE, text) is not None if simple else not (": " in text or " #" in text or text[-1] == ":")
        )
    )
    return text if plain else '"' + "".join(_escaped(character) for character in text) + '"'


def _escaped(character: str) -> str:
    if character in _ESCAPES:
        return _ESCAPES[character]
    if character.isprintable():
        return character
    number = ord(character)  # never a pair of surrogates for one character, as JSON has: YAML would read two
    return f"\\x{number:02x}" if number < 0x100 else f"\\u{number:04x}" if number < 0x10000 else f"\\U{number:08x}"


def one_line(value: Value) -> str:
    """Spell what stands behind a key on its line; a list as `[a, b]`, a mapping as `{a: b}`."""
    if isinstance(value, str):
        return scalar(value)
    return "" if value is None else _item(value)


def _item(value: Value) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{scalar(key, simple=True)}: {_item(inner)}" for key, inner in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(_item(item) for item in value) + "]"
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value) if isinstance(value, int) else scalar(value or "", simple=True)


@lru_cache(maxsize=256)
def _key(text: str) -> str:
    return scalar(text, simple=True)


def render(tree: Mapping[str, Value], indent: int = 0) -> str:
    """Write a whole mapping, in its own order, plain."""
    lines = []
    for key, value in tree.items():
        start = " " * indent + _key(key) + ":"
        if isinstance(value, dict) and value and not isinstance(value, OneLine):
            lines.append(start + "\n" + render(value, indent + 2))
        else:
            lines.append(f"{start} {one_line(value)}".rstrip(" ") + "\n")
    return "".join(lines)
