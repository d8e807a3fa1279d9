"""Changing single values of a YAML text, and leaving every other character as it is: order, comments, spelling.

A rewrite from values would lose the comments, and a round trip through a library moves them and re-wraps lines.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set

from datatool.errors import FormatError
from datatool.formats.plain_yaml import OneLine, Slot, Value, one_line, plain_slots, read_plain, render
from datatool.formats.yaml_text import any_slots, read_any

Path = tuple[str, ...]
"""The keys that lead to a value."""


def edit(
    text: str,
    changes: Mapping[Path, Value],
    *,
    order: Sequence[Path] = (),
    typed: Set[str] = frozenset(),
    name: str = "the file",
) -> str:
    r"""Set the value at each path, or remove it (None), with the mapping around it when that becomes empty.

    A new key goes behind those that come before it in `order`, or last. `typed` as for reading. Raises FormatError
    for text that does not read.

    >>> edit("# mine\nkind: file   # so far\n", {("kind",): "directory", ("size",): 3})
    '# mine\nkind: directory # so far\nsize: 3\n'
    """
    for path, value in changes.items():
        before = _read(text, typed, name)
        wanted = _changed(before, path, value)
        if wanted == before:
            continue
        edited = _splice(text, before, wanted, path, order, name)
        if edited is None or not _reads_as(edited, wanted, typed):
            edited = render(wanted)  # a layout we don't know our way around in: right comes before pretty
        text = edited
    return text


def _read(text: str, typed: Set[str], name: str) -> dict[str, Value]:
    values = read_plain(text, typed=typed)
    return read_any(text, name=name, typed=typed) if values is None else values


def _reads_as(text: str, wanted: Mapping[str, Value], typed: Set[str]) -> bool:
    try:
        values = _read(text, typed, "")
    except FormatError:
        return False
    return values == {key: value if key in typed else _as_read(value) for key, value in wanted.items()}


def _as_read(value: Value) -> Value:
    """What comes back for a value that is written where every scalar reads as a string."""
    if isinstance(value, dict):
        return {key: _as_read(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_as_read(item) for item in value]
    return one_line(value) if isinstance(value, int) else value


def _changed(before: Mapping[str, Value], path: Path, value: Value) -> dict[str, Value]:
    after = dict(before)
    inner = after.get(path[0])
    if len(path) > 1:
        value = _changed(inner if isinstance(inner, dict) else {}, path[1:], value) or None
    if value is None:
        after.pop(path[0], None)
    else:
        after[path[0]] = value
    return after


def _splice(
    text: str, before: Mapping[str, Value], wanted: Mapping[str, Value], path: Path, order: Sequence[Path], name: str
) -> str | None:
    """The text with one change made in place; None where there is no place for it."""
    if text and not text.endswith("\n"):
        text += "\n"
    slots = any_slots(text, name=name) if read_plain(text) is None else plain_slots(text)
    at = next(
        top
        for top in (path[:depth] for depth in range(1, len(path) + 1))
        if top == path
        or top not in slots
        or slots[top].flow
        or not isinstance(_value(before, top), dict)
        or _value(wanted, top) is None
    )
    value, slot = _value(wanted, at), slots.get(at)
    if slot is None:
        return _insert(text, slots, at, value, order)
    lines = text.split("\n")
    block = isinstance(value, dict) and value and not isinstance(value, OneLine) and not slot.flow
    if value is None:
        lines[slot.first : slot.last + 1] = []
    elif slot.first != slot.last or block:
        lines[slot.first : slot.last + 1] = render({at[-1]: value}, slot.column).split("\n")[:-1]
    else:
        return _replace(text, slot, one_line(value))
    return "\n".join(lines)


def _value(tree: Mapping[str, Value], path: Path) -> Value:
    value = tree.get(path[0])
    return _value(value, path[1:]) if len(path) > 1 and isinstance(value, dict) else value if len(path) == 1 else None


def _replace(text: str, slot: Slot, spelled: str) -> str:
    """Put a value in the place of another on its line; a comment behind it stays in its column where it can."""
    line_end = text.index("\n", slot.end)
    rest = text[slot.end : line_end]
    gap = len(rest) - len(rest.lstrip(" "))
    if gap > 1 and len(rest) > gap:
        gap = max(1, gap + slot.end - slot.start - len(spelled))
    space = "" if text[slot.start - 1] == " " else " "
    return text[: slot.start] + space + spelled + " " * gap + rest.lstrip(" ") + text[line_end:]


def _insert(text: str, slots: Mapping[Path, Slot], at: Path, value: Value, order: Sequence[Path]) -> str | None:
    beside = [path for path in slots if path[:-1] == at[:-1]]
    if not beside:
        return text + render({at[-1]: value}) if len(at) == 1 else None
    line = slots[beside[-1]].last + 1
    if at in order:
        earlier = [path for path in order[: order.index(at)] if path in slots and path[:-1] == at[:-1]]
        line = slots[earlier[-1]].last + 1 if earlier else slots[beside[0]].first
    lines = text.split("\n")
    lines[line:line] = render({at[-1]: value}, slots[beside[0]].column).split("\n")[:-1]
    return "\n".join(lines)
