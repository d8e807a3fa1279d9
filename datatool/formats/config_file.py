"""Configuration files: nested YAML mappings, read as flat keys such as `cache.link` (cli.md, Configuration)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from datatool.errors import FormatError, NewerFormat
from datatool.formats.conflict import refuse_conflict
from datatool.formats.plain_yaml import Value, one_line, read_plain
from datatool.formats.yaml_edit import edit
from datatool.formats.yaml_text import read_any
from datatool.model.paths import show

VERSION: Final = 1
LIMIT: Final = 256 << 10
"""Bytes: a configuration file is never larger."""

_TYPED: Final = frozenset({"datatool"})
_FIRST: Final = (("datatool",), ("project",), ("remote",), ("remotes",))
_NAMED: Final = ("remotes", "registries")


def parse_config(data: bytes, *, name: str) -> dict[str, str]:
    """Read a configuration file as flat keys; lists as `a, b`. `name` is the file's, for errors.

    Raises MergeConflict for conflict markers, NewerFormat for a later version, FormatError for anything else wrong.

    >>> parse_config(b"cache:\\n  link: [reflink, copy]\\njobs: 4\\n", name="config.yaml")
    {'cache.link': 'reflink, copy', 'jobs': '4'}
    """
    return {key: value for key, (_, value) in _flat(_read(data, name), name).items() if value is not None}


def edit_config(data: bytes | None, changes: Mapping[str, Value], *, name: str) -> bytes:
    """Set flat keys, or remove them (None), keeping everything else of the file as it is; None for a new file.

    Raises as `parse_config`.
    """
    if data is None:
        data = f"datatool: {VERSION}\n".encode()
    there = _flat(_read(data, name), name)
    paths = {key: there[key][0] if key in there else split_key(key) for key in changes}
    text = data.decode("utf-8-sig").replace("\r\n", "\n")
    return edit(
        text, {paths[key]: value for key, value in changes.items()}, order=_FIRST, typed=_TYPED, name=name
    ).encode()


def split_key(key: str) -> tuple[str, ...]:
    """The parts of a flat key; the name of a remote or registry may hold dots itself.

    >>> split_key("remotes.my.nas.url")
    ('remotes', 'my.nas', 'url')
    """
    first, _, rest = key.partition(".")
    if first in _NAMED and "." in rest:
        middle, _, last = rest.rpartition(".")
        return first, middle, last
    return tuple(key.split("."))


def _read(data: bytes, name: str) -> dict[str, Value]:
    if len(data) > LIMIT:
        raise FormatError(f"{show(name)}: too large for a configuration file (at most 256 kB)", path=name)
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise FormatError(f"{show(name)}: is not UTF-8 text (byte {error.start})", path=name) from None
    values = read_plain(text, typed=_TYPED)
    if values is None:
        refuse_conflict(text, name=name)
        values = read_any(text, name=name, typed=_TYPED)
    version = values.get("datatool", VERSION)
    if isinstance(version, int) and not isinstance(version, bool) and version > VERSION:
        raise NewerFormat(
            f"{show(name)}: written by a newer datatool (format {version}, this one reads {VERSION})",
            hint="install a newer datatool",
            path=name,
        )
    if version != VERSION:
        raise FormatError(f"{show(name)}: datatool must be {VERSION}", path=name)
    return values


def _flat(values: Mapping[str, Value], name: str) -> dict[str, tuple[tuple[str, ...], str | None]]:
    flat: dict[str, tuple[tuple[str, ...], str | None]] = {}
    for path, value in _leaves(values, ()):
        key = ".".join(path)
        if key in flat:
            raise FormatError(f"{show(name)}: {show(key)} a second time", path=name)
        if isinstance(value, list):
            if not all(isinstance(item, str) for item in value):
                raise FormatError(f"{show(name)}: {show(key)} must be a word or a list of words", path=name)
            flat[key] = path, ", ".join(str(item) for item in value)
        elif key != "datatool":
            flat[key] = path, None if value is None else one_line(value) if isinstance(value, int) else str(value)
    return flat


def _leaves(values: Mapping[str, Value], path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], Value]]:
    for key, value in values.items():
        if isinstance(value, dict):
            yield from _leaves(value, (*path, key))
        else:
            yield (*path, key), value
