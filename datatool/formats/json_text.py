"""JSON as our own records have it: UTF-8 read strictly, one object at the top, a version in it."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping, Sequence
from typing import NoReturn

from datatool.errors import FormatError, NewerFormat
from datatool.formats.fields import Fields
from datatool.model.oid import ObjectId, parse_oid

_STORE_NAME = (
    r"objects/[0-9a-f]{2}/[0-9a-f]{62}(?:\.[0-9a-f]{8})?"
    r"|packs/[0-9a-f]{2}/[0-9a-f]{62}\.pack"
    r"|index/[0-9a-f]{64}\.dti"
    r"|gc/[0-9a-f]{64}\.(?:condemn|drop)"
    r"|runs/[0-9a-f]{2}/[0-9a-f]{62}/[0-9a-f]{64}"
)


def read_json(data: bytes, name: str, *, version: str) -> Fields:
    """The object in a file, for typed access; `version` is the key that holds the format's version, which is 1.

    Raises FormatError, and NewerFormat for a later version.
    """
    fields = read_json_object(data, name)
    found = fields.number(version)
    if found is None or found < 1:
        raise fields.missing(version) if found is None else fields.wrong(version, "1")
    if found > 1:
        raise NewerFormat(f"{name}: written by a newer datatool (version {found})", hint="upgrade datatool", path=name)
    return fields


def read_json_object(data: bytes, name: str) -> Fields:
    """The object in a text that has no version of ours, for typed access. Raises FormatError."""
    try:
        value = json.loads(data.decode(), parse_constant=_no_constant, parse_float=_finite)
    except (ValueError, RecursionError) as error:
        raise FormatError(f"{name}: is not JSON: {error}", path=name) from error
    if not isinstance(value, dict):
        raise FormatError(f"{name}: is no JSON object", path=name)
    return Fields(value, name)


def write_json(values: Mapping[str, object], *, compact: bool = False) -> bytes:
    """One line of JSON, ASCII only, keys in the order given; `compact` where nobody is going to read it."""
    separators = (",", ":") if compact else None
    return json.dumps(values, separators=separators, allow_nan=False).encode()


def required(fields: Fields, key: str) -> str:
    """A string that has to be there."""
    value = fields.text(key)
    if value is None:
        raise fields.missing(key)
    return value


def oids(fields: Fields, key: str) -> tuple[ObjectId, ...]:
    """A list of bare ids; empty when missing."""
    values = fields.texts(key)
    try:
        return tuple(map(parse_oid, values))
    except ValueError:
        raise fields.wrong(key, "a list of ids (64 lower-case hex digits)") from None


def store_names(fields: Fields, key: str) -> tuple[str, ...]:
    """Those of a list of names in a store that have a shape known here.

    The list comes from elsewhere and its names may be deleted, so others are not for us to touch; nor are they a
    reason to stop, as a later version may have more shapes.
    """
    return tuple(filter(is_store_name, fields.texts(key)))


def is_store_name(name: str) -> bool:
    """Whether a name is one that a version 1 store gives to objects, packs, shards and records."""
    return re.fullmatch(_STORE_NAME, name) is not None


def hex_text(fields: Fields, key: str, digits: int) -> str:
    """A string of so many lower-case hex digits that has to be there."""
    value = required(fields, key)
    if not re.fullmatch(f"[0-9a-f]{{{digits}}}", value):
        raise fields.wrong(key, f"{digits} lower-case hex digits")
    return value


def others(fields: Fields, known: Sequence[str]) -> dict[str, object]:
    """The keys that this version does not know, to be kept."""
    return {key: value for key, value in fields.values.items() if key not in known}


def _no_constant(text: str) -> NoReturn:
    raise ValueError(f"{text} is no JSON")


def _finite(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise ValueError(f"{text} is too large")
    return value
