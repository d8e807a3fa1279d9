"""Arguments of a stage: a hash of what each is, but for what in it counts by something else, such as files."""

from __future__ import annotations

import copy
import hashlib
from collections import Counter, OrderedDict, defaultdict, deque
from collections.abc import Callable, Iterator
from dataclasses import fields, is_dataclass
from datetime import date, datetime, time, timedelta, timezone
from decimal import Decimal
from enum import Enum
from fractions import Fraction
from functools import cached_property, partial
from inspect import getattr_static
from typing import TYPE_CHECKING, Any, Final
from uuid import UUID

from datatool.errors import UsageError
from datatool.stages.values import plain_bytes

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

KEY = "__stage_key__"
"""A method by which any object can say what it is, in values that count by themselves."""

Leaf = Callable[[object, str], bytes | None]
"""Looks at a value, and where it stands (`rows[2]`): how it counts, or None for a value that counts by itself."""

SAME: Final = object()
"""What stands for: not to be replaced."""

DEEPEST: Final = 100
"""Lists in lists."""

_EXACT = (date, datetime, time, timedelta, timezone, Decimal, Fraction, UUID, range, slice)
_SHOWN = 40
"""Characters of a dict's key that say where something stands."""
_DICTS = (dict, OrderedDict, defaultdict, Counter)


def argument_digest(value: object, name: str, leaf: Leaf) -> str:
    """SHA-256 (64 hex digits) of an argument: None, numbers, texts, bytes, dates, enums, dataclasses, objects with a
    `__stage_key__`, and tuples, lists, sets, dicts and Python's other collections of these; `leaf` may count anything
    else in it. Order counts, but in sets. Raises UsageError for what nobody can count, which would give one answer for
    different arguments."""
    return hashlib.sha256(b"datatool argument 1\n" + _encoded(value, name, leaf, 0)).hexdigest()


def too_deep(place: str) -> UsageError:
    """The error for an argument that nobody can look through."""
    return UsageError(f"argument {place:.80}: lies too deep, or in itself", hint="pass it as a file")


def rebuilt(value: object, replace: Callable[[object], object], depth: int = 0) -> object:
    """A value with other things in place of some that are found in it, in tuples, lists, sets and dicts; itself where
    `replace` gives `SAME` for all of it. Raises UsageError for one that is in itself."""
    found = replace(value)
    if found is not SAME:
        return found
    if depth > DEEPEST:
        raise too_deep("")
    if isinstance(value, list | tuple | set | frozenset | deque) and _is_sequence(value):
        items = list(value)
        changed = [rebuilt(item, replace, depth + 1) for item in items]
        same = all(new is old for new, old in zip(changed, items, strict=True))
        return value if same else _like(value, changed)
    if isinstance(value, dict) and type(value) in _DICTS:
        made = {key: rebuilt(item, replace, depth + 1) for key, item in value.items()}
        if all(made[key] is value[key] for key in value):
            return value
        other = copy.copy(value)
        for key, item in made.items():
            other[key] = item
        return other
    return value


def _is_sequence(value: object) -> bool:
    return type(value) in (list, tuple, set, frozenset, deque) or _is_named_tuple(value)


def _is_named_tuple(value: object) -> bool:
    return isinstance(value, tuple) and type(value).__bases__ == (tuple,) and hasattr(type(value), "_fields")


def _like(value: object, items: list[object]) -> object:
    """Other items in something of the same kind."""
    kind: Any = type(value)
    if isinstance(value, deque):
        return kind(items, value.maxlen)
    return kind._make(items) if _is_named_tuple(value) else kind(items)


def _encoded(value: object, place: str, leaf: Leaf, depth: int) -> bytes:
    if depth > DEEPEST:
        raise too_deep(place)
    counted = leaf(value, place)
    if counted is None and type(value) not in (tuple, frozenset):  # in these, something may count by something else
        counted = plain_bytes(value)
    if counted is not None:
        return _sized(b"", counted)
    parts = [_encoded(item, where, leaf, depth + 1) for item, where in _inside(value, place)]
    name, parts = _shape(value, place, parts)
    return _sized(name.encode(), b"".join(parts))


def _inside(value: object, place: str) -> Iterator[tuple[object, str]]:
    """What a value is made of, each with where it stands."""
    if isinstance(value, list | tuple | deque):
        yield from ((item, f"{place}[{number}]") for number, item in enumerate(value))
    elif isinstance(value, set | frozenset):  # its own order is another in each process
        yield from ((item, f"{place}[{number}]") for number, item in enumerate(sorted(value, key=repr)))
    elif isinstance(value, dict):
        for number, (key, item) in enumerate(value.items()):
            short = f"{key!r}"
            short = short if len(short) <= _SHOWN else f"{short:.{_SHOWN}}… {number}"  # else two may be called alike
            yield key, f"{place}: key {short}"
            yield item, f"{place}[{short}]"
        if isinstance(value, defaultdict):
            yield value.default_factory, f"{place}.default_factory"
    elif isinstance(value, partial):
        yield from ((item, place) for item in (value.func, value.args, value.keywords))
    elif isinstance(value, Enum):
        yield value.value, place
    elif hasattr(type(value), KEY):
        yield getattr(value, KEY)(), f"{place}.{KEY}()"
    elif is_dataclass(value) and not isinstance(value, type):
        yield from ((getattr(value, field.name), f"{place}.{field.name}") for field in fields(value))
        yield from _attributes_besides(value, place)


def _attributes_besides(value: DataclassInstance, place: str) -> Iterator[tuple[object, str]]:
    """The attributes that somebody gave a dataclass's instance, besides its fields and what it only remembers."""
    known = {field.name for field in fields(value)}
    for name in sorted(getattr(value, "__dict__", {}).keys() - known):
        if not isinstance(getattr_static(type(value), name, None), cached_property):
            yield name, f"{place}.{name}"
            yield getattr(value, name), f"{place}.{name}"


def _shape(value: object, place: str, parts: list[bytes]) -> tuple[str, list[bytes]]:
    """What a value is, without what it is made of; parts in an order that means something."""
    kind = type(value)
    name = f"{kind.__module__}.{kind.__qualname__}"
    if isinstance(value, set | frozenset) and kind in (set, frozenset):
        return name, sorted(parts)
    if kind in (list, tuple, partial, *_DICTS):
        return name, parts
    if isinstance(value, deque) and kind is deque:
        return f"{name} {value.maxlen}", parts
    if isinstance(value, bytearray) and kind is bytearray:
        return name, [bytes(value)]
    if _is_named_tuple(value):
        return f"named tuple {kind.__qualname__}({','.join(kind._fields)})", parts  # type: ignore[attr-defined]
    if isinstance(value, _EXACT) and kind in _EXACT:
        return name, [repr(value).encode()]
    if isinstance(value, Enum):
        return f"enum {kind.__qualname__}.{value.name}", parts
    if hasattr(kind, KEY) or (is_dataclass(value) and not isinstance(value, type)):
        return f"object {kind.__qualname__}", parts
    raise UsageError(
        f"argument {place:.80}: a {kind.__qualname__} does not say what it is, so its result can't be told from others",
        hint=f"pass numbers, texts, files or tables; or give {kind.__qualname__} a method {KEY}(self) that returns"
        " the values that count",
    )


def _sized(name: bytes, data: bytes) -> bytes:
    return b"%b %d:" % (name, len(data)) + data
