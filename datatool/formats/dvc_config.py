"""DVC's configuration files: the part of the ConfigObj dialect of INI that DVC writes and reads.

    [core]
        remote = storage          # a comment
    ['remote "storage"']
        url = s3://bucket/prefix

Names of sections and keys are case-insensitive; a value may stand in quotes; one with a comma outside of quotes is a
list. Nothing is interpolated.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from msgspec import Struct, field

from datatool.errors import FormatError
from datatool.model.paths import show

CONFIG_LIMIT: Final = 1 << 20
"""Bytes: no configuration file is larger."""

_SECTION: Final = re.compile(r"\[\s*(?P<name>'[^']*'|\"[^\"]*\"|[^\[\]'\"][^\[\]]*?)\s*\]\s*(?:#.*)?")
_REMOTE: Final = re.compile(r"remote\s*\"(?P<name>.*)\"|remote\s+(?P<bare>[^\"\s]+)", re.DOTALL)
_KEY: Final = re.compile(r"(?P<key>'[^']*'|\"[^\"]*\"|[^'\"=#\[][^=]*?)\s*=\s*(?P<value>.*)", re.DOTALL)
_ITEM: Final = re.compile(
    r"\s*(?:'(?P<single>[^']*)'|\"(?P<double>[^\"]*)\"|(?P<plain>[^'\"#,\s](?:[^#,]*[^#,\s])?))\s*"
)


class DvcConfig(Struct, frozen=True, kw_only=True):
    """One file's settings by section (`core`, `cache`, …), and those of each remote; all names in lower case, lists
    joined by commas."""

    sections: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    remotes: Mapping[str, Mapping[str, str]] = field(default_factory=dict)

    def setting(self, section: str, key: str) -> str | None:
        """The value of a key, None where there is none or it is empty."""
        return self.sections.get(section, {}).get(key) or None


def parse_dvc_config(data: bytes, *, name: str) -> DvcConfig:
    """Read a `.dvc/config`; `name` is the file's, for errors. Raises FormatError, with the line.

    >>> parse_dvc_config(b'[core]\\nremote = A\\n[\\'remote "A"\\']\\nurl = /srv\\n', name="config").remotes
    {'a': {'url': '/srv'}}
    """
    if len(data) > CONFIG_LIMIT:
        raise FormatError(f"{show(name)}: too large for a configuration", path=name)
    try:
        text = data.removeprefix(b"\xef\xbb\xbf").decode()
    except UnicodeDecodeError:
        raise FormatError(f"{show(name)}: not UTF-8", path=name) from None
    sections: dict[str, dict[str, str]] = {}
    remotes: dict[str, dict[str, str]] = {}
    current: dict[str, str] = {}
    for number, line in enumerate(re.split(r"\r\n|\n|\r", text), 1):
        line = line.strip()
        if not line or line.startswith("#"):
            continue
        if line.startswith("["):
            current = _section(line, sections, remotes)
            if current is _NONE:
                raise _wrong(name, number, "not the name of a section")
            continue
        found = _KEY.fullmatch(line)
        value = None if found is None else _value(found["value"])
        if found is None or value is None:
            raise _wrong(name, number, "not a setting")
        current[_unquoted(found["key"]).lower()] = value
    return DvcConfig(sections=sections, remotes=remotes)


_NONE: Final[dict[str, str]] = {}


def _section(line: str, sections: dict[str, dict[str, str]], remotes: dict[str, dict[str, str]]) -> dict[str, str]:
    """The mapping that a section's settings go into; the same name twice is one section."""
    found = _SECTION.fullmatch(line)
    if found is None:
        return _NONE
    name = _unquoted(found["name"]).strip()
    remote = _REMOTE.fullmatch(name)
    if remote is None:
        return sections.setdefault(name.lower(), {})
    return remotes.setdefault((remote["name"] or remote["bare"] or "").lower(), {})


def _value(text: str) -> str | None:
    """What stands behind `=`, without quotes and comment; a list joined by commas; None for what can't be read."""
    items: list[str] = []
    at = 0
    while at < len(text) and text[at:].lstrip()[:1] != "#":
        found = _ITEM.match(text, at)
        if found is None:
            if text[at:].strip():
                return None
            break
        items.append(next(part for part in (found["single"], found["double"], found["plain"]) if part is not None))
        at = found.end()
        if at < len(text) and text[at] == ",":
            at += 1
        elif at < len(text) and text[at] != "#":
            return None
    return ",".join(items)


def _unquoted(text: str) -> str:
    return text[1:-1] if len(text) > 1 and text[0] == text[-1] and text[0] in "'\"" else text


def _wrong(name: str, line: int, what: str) -> FormatError:
    return FormatError(f"{show(name)}: line {line}: {what}", path=name)
