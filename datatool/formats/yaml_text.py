"""YAML in general, for what is not plain: written by hand, by another program, or for another purpose.

The only module that touches ruamel.yaml, and only once there is something that `plain_yaml` refused: loading it costs
24 ms. Of YAML no more is accepted than a reader of these files has to understand: no aliases, tags, merge keys or
duplicate keys, one document. Every scalar is a string, unless the caller names its key as a number or a switch.
"""

from __future__ import annotations

from collections.abc import Iterator, Set
from typing import Any

from msgspec import Struct, field

from datatool.errors import FormatError
from datatool.forks import load_module
from datatool.formats.plain_yaml import MAX_DEPTH, Slot, Value, typed_scalar
from datatool.model.paths import show


def read_any(text: str, *, name: str, typed: Set[str] = frozenset(), depth: int = MAX_DEPTH) -> dict[str, Value]:
    """Read a YAML mapping; `name` is the file's, for errors. Raises FormatError, with the line, for anything else.

    `typed` names the top-level keys whose unquoted value is a number or true/false; `depth` is how many mappings and
    lists may be inside the outermost one.
    """
    return _build(text, name, typed, depth)[0]


def any_slots(text: str, *, name: str) -> dict[tuple[str, ...], Slot]:
    """Where each key of the block mappings lies, by its path. Raises as `read_any`."""
    return _build(text, name, frozenset(), MAX_DEPTH)[1]


class _Refused(Exception):
    """Something that YAML allows and we don't, or no YAML at all; `line` counts from 0."""

    def __init__(self, line: int, what: str) -> None:
        super().__init__(what)
        self.line = line


class _Container(Struct):
    """A mapping or list that is still open; `path` leads to a block mapping, and is None where no edit reaches."""

    value: dict[str, Value] | list[Value]
    path: tuple[str, ...] | None = None
    key: str | None = None
    key_end: int = 0


class _Builder(Struct):
    """Builds values and slots from ruamel's events, which come one by one: depth is bounded while reading."""

    text: str
    typed: Set[str]
    depth: int = MAX_DEPTH
    root: Value = None
    open: list[_Container] = field(default_factory=list)
    slots: dict[tuple[str, ...], Slot] = field(default_factory=dict)
    documents: int = 0

    def take(self, event: Any) -> None:
        """Take the next event."""
        kind = type(event).__name__
        if kind in ("ScalarEvent", "MappingStartEvent", "SequenceStartEvent"):
            if event.anchor is not None:
                raise _Refused(event.start_mark.line, "anchors and aliases are not allowed")
            if event.tag is not None:
                raise _Refused(event.start_mark.line, "tags are not allowed")
        if kind == "ScalarEvent":
            self._scalar(event)
        elif kind == "MappingStartEvent":
            self._start(event, {})
        elif kind == "SequenceStartEvent":
            self._start(event, [])
        elif kind in ("MappingEndEvent", "SequenceEndEvent"):
            self.open.pop()
            if event.end_mark.index > event.start_mark.index:  # a bracket; blocks end where the next thing starts
                self._reach(event.end_mark.index)
            if self.open:
                self.open[-1].key = None
        elif kind == "AliasEvent":
            raise _Refused(event.start_mark.line, "anchors and aliases are not allowed")
        elif kind == "DocumentStartEvent":
            self.documents += 1
            if self.documents > 1:
                raise _Refused(event.start_mark.line, "a second document")

    def _scalar(self, event: Any) -> None:
        plain = not event.style
        top = self.open[-1] if self.open else None
        if top is not None and isinstance(top.value, dict) and top.key is None:
            if plain and event.value == "<<":
                raise _Refused(event.start_mark.line, "merge keys are not allowed")
            if event.value in top.value:
                raise _Refused(event.start_mark.line, f"'{show(event.value[:80])}' a second time")
            top.key, top.key_end = event.value, event.end_mark.index
            if top.path is not None:
                first = self._line(event.start_mark.index)
                column = event.start_mark.index - (self.text.rfind("\n", 0, event.start_mark.index) + 1)
                self.slots[(*top.path, top.key)] = Slot(first, first, column, 0, 0, False)
            return
        value: Value = event.value
        if plain and not event.value:
            value = None
        elif plain and top is not None and top.path == () and top.key in self.typed:
            value = typed_scalar(event.value)
        start, end = event.start_mark.index, event.end_mark.index
        if value is None and top is not None and isinstance(top.value, dict):
            start = end = self.text.find(":", top.key_end) + 1
        elif event.style in ("|", ">"):
            end = start + len(self.text[start:end].rstrip())
        self._place(value, start, flow=False)
        self._reach(end)
        if top is not None:
            top.key = None

    def _start(self, event: Any, value: dict[str, Value] | list[Value]) -> None:
        top = self.open[-1] if self.open else None
        if len(self.open) > self.depth:
            raise _Refused(event.start_mark.line, "too deep")
        if top is not None and isinstance(top.value, dict) and top.key is None:
            raise _Refused(event.start_mark.line, "a key has to be one word")
        path: tuple[str, ...] | None = None
        if isinstance(value, dict) and not event.flow_style:
            if top is None:
                path = ()
            elif top.path is not None and top.key is not None:
                path = (*top.path, top.key)
        self._place(value, event.start_mark.index, flow=bool(event.flow_style) and isinstance(value, dict))
        self.open.append(_Container(value, path))

    def _place(self, value: Value, start: int, *, flow: bool) -> None:
        if not self.open:
            self.root = value
            return
        top = self.open[-1]
        if isinstance(top.value, list):
            top.value.append(value)
        elif top.key is not None:
            top.value[top.key] = value
            if top.path is not None:
                slot = (*top.path, top.key)
                self.slots[slot] = self.slots[slot]._replace(start=start, end=start, flow=flow)

    def _reach(self, end: int) -> None:
        """What has been read up to here belongs to all open keys."""
        line = self._line(max(end - 1, 0))
        for container in self.open:
            if container.path is not None and container.key is not None:
                slot = (*container.path, container.key)
                self.slots[slot] = self.slots[slot]._replace(end=end, last=line)

    def _line(self, index: int) -> int:
        return self.text.count("\n", 0, index)


def _build(text: str, name: str, typed: Set[str], depth: int) -> tuple[dict[str, Value], dict[tuple[str, ...], Slot]]:
    builder = _Builder(text, typed, depth)
    try:
        for event in _events(text):
            builder.take(event)
        if not isinstance(builder.root, dict | None):
            raise _Refused(0, "not keys with values")
    except _Refused as error:
        raise FormatError(f"{show(name)}: line {error.line + 1}: {error}", path=name) from None
    return builder.root or {}, builder.slots


def _events(text: str) -> Iterator[Any]:
    """ruamel's events, its errors translated. The import stands here, not at the top: most runs never need it."""
    ruamel: Any = load_module("ruamel.yaml")
    try:
        yield from ruamel.YAML(typ="safe", pure=True).parse(text)
    except ruamel.error.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        raise _Refused(mark.line if mark else 0, f"not YAML: {show(str(error.problem or error.context))}") from None
    except ruamel.error.YAMLError as error:
        raise _Refused(0, f"not YAML: {show(str(error).splitlines()[0])}") from None
    except (ValueError, OverflowError) as error:  # an escape for no character
        raise _Refused(0, f"not YAML: {show(str(error))}") from None
