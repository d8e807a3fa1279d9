"""Arguments of a stage: a hash of what each is, but for what in it counts by something else, such as files."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import fields, is_dataclass
from datetime import date, datetime, time, timedelta, timezone
from decimal import Decimal
from enum import Enum
from fractions import Fraction
from functools import partial
from typing import Final
from uuid import UUID

from datatool.errors import UsageError
from datatool.stages.values import plain_bytes

KEY = "__stage_key__"
"""A method by which any object can say what it is, in values that count by themselves."""

Leaf = Callable[[object, str], bytes | None]
"""Looks at a value, and where it stands (`rows[2]`): how it counts, or None for a value that counts by itself."""

SAME: Final = object()
"""What stands for: not to be replaced."""

_EXACT = (date, datetime, time, timedelta, timezone, Decimal, Fraction, UUID, range, slice)
_DEEPEST = 100


def argument_digest(value: object, name: str, leaf: Leaf) -> str:
    """SHA-256 (64 hex digits) of an argument: None, numbers, texts, bytes, dates, enums, dataclasses, objects with a
    `__stage_key__`, and tuples, lists, sets and dicts of these; `leaf` may count anything else in it. Order counts, but
    in sets. Raises UsageError for what nobody can count, which would give one answer for different arguments."""
    return hashlib.sha256(b"datatool argument 1\n" + _encoded(value, name, leaf, 0)).hexdigest()


def rebuilt(value: object, replace: Callable[[object], object]) -> object:
    """A value with other things in place of some that are found in it, in tuples, lists, sets and dicts; itself where
    `replace` gives `SAME` for all of it."""
    found = replace(value)
    if found is not SAME:
        return found
    if type(value) in (list, tuple, set, frozenset):
        items = list(value)  # type: ignore[call-overload]
        changed = [rebuilt(item, replace) for item in items]
        same = all(new is old for new, old in zip(changed, items, strict=True))
        return value if same else type(value)(changed)  # type: ignore[call-arg]
    if isinstance(value, dict) and type(value) is dict:
        made = {key: rebuilt(item, replace) for key, item in value.items()}
        return value if all(made[key] is value[key] for key in value) else made
    return value


def _encoded(value: object, place: str, leaf: Leaf, depth: int) -> bytes:
    if depth > _DEEPEST:
        raise UsageError(f"argument {place:.80}: lies too deep, or in itself", hint="pass it as a file")
    counted = leaf(value, place)
    if counted is None:
        counted = plain_bytes(value)
    if counted is not None:
        return _sized(b"", counted)
    parts = [_encoded(item, where, leaf, depth + 1) for item, where in _inside(value, place)]
    name, parts = _shape(value, place, parts)
    return _sized(name.encode(), b"".join(parts))


def _inside(value: object, place: str) -> Iterator[tuple[object, str]]:
    """What a value is made of, each with where it stands."""
    if isinstance(value, list | tuple | set | frozenset):
        yield from ((item, f"{place}[{number}]") for number, item in enumerate(value))
    elif isinstance(value, dict):
        for key, item in value.items():
            yield key, f"{place}: key {key!r:.40}"
            yield item, f"{place}[{key!r:.40}]"
    elif isinstance(value, partial):
        yield from ((item, place) for item in (value.func, value.args, value.keywords))
    elif isinstance(value, Enum):
        yield value.value, place
    elif hasattr(type(value), KEY):
        yield getattr(value, KEY)(), f"{place}.{KEY}()"
    elif is_dataclass(value) and not isinstance(value, type):
        yield from ((getattr(value, field.name), f"{place}.{field.name}") for field in fields(value))


def _shape(value: object, place: str, parts: list[bytes]) -> tuple[str, list[bytes]]:
    """What a value is, without what it is made of; parts in an order that means something."""
    kind = type(value)
    name = f"{kind.__module__}.{kind.__qualname__}"
    if isinstance(value, set | frozenset) and kind in (set, frozenset):
        return name, sorted(parts)
    if kind in (list, tuple, dict, partial):
        return name, parts
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
