"""What an index shard says besides where objects lie: its packs, and which roots were pushed when (formats §5)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import NamedTuple

from msgspec import Struct, field

from datatool.errors import FormatError
from datatool.formats.fields import Fields
from datatool.formats.json_text import hex_text, oids, others, read_json, required, write_json
from datatool.model.oid import ObjectId, parse_oid

_SUFFIX = re.compile(r"[0-9a-f]{8}")
_HEADER_KEYS = ("v", "n", "nonce", "packs", "alt", "pushes", "supersedes")
_PUSH_KEYS = ("id", "time", "checked", "project", "commit", "roots")
_MAX = (1 << 63) - 1


class Root(NamedTuple):
    """One root of a push: `kind` is tree, file or run (or what a later version knows); sums of files and bytes."""

    kind: str
    oid: ObjectId
    files: int
    bytes: int


class PushRecord(Struct, frozen=True, kw_only=True):
    """Somebody pushed complete roots. `time` and `checked` (the final check) are the server's, in seconds since
    1970; `commit` is what was checked out, None before the first; `extra` is what a later version wrote."""

    id: str
    time: float
    checked: float
    project: str
    commit: str | None
    roots: tuple[Root, ...]
    extra: Mapping[str, object] = field(default_factory=dict)


class ShardHeader(Struct, frozen=True, kw_only=True):
    """The header of a shard of `n` records. `packs` and `alt` (suffixes of other names for loose objects) are what
    its records' ordinals count; `supersedes` names the shards that this one replaces."""

    n: int
    nonce: str
    packs: tuple[ObjectId, ...] = ()
    alt: tuple[str, ...] = ()
    pushes: tuple[PushRecord, ...] = ()
    supersedes: tuple[ObjectId, ...] = ()
    extra: Mapping[str, object] = field(default_factory=dict)


def encode_header(header: ShardHeader) -> bytes:
    """The header as compact JSON, keys in the order of the specification, unknown ones last."""
    return write_json(
        {
            "v": 1,
            "n": header.n,
            "nonce": header.nonce,
            "packs": header.packs,
            "alt": header.alt,
            "pushes": [_push_values(push) for push in header.pushes],
            "supersedes": header.supersedes,
            **header.extra,
        },
        compact=True,
    )


def decode_header(data: bytes) -> ShardHeader:
    """Read a header. Raises FormatError, and NewerFormat for a later version."""
    fields = read_json(data, "index shard", version="v")
    count = fields.number("n")
    if count is None:
        raise fields.missing("n")
    alt = fields.texts("alt")
    if not all(map(_SUFFIX.fullmatch, alt)):
        raise fields.wrong("alt", "a list of suffixes (8 lower-case hex digits)")
    pushes = fields.values.get("pushes", [])
    if not isinstance(pushes, list) or not all(isinstance(push, dict) for push in pushes):
        raise fields.wrong("pushes", "a list of push records")
    return ShardHeader(
        n=count,
        nonce=hex_text(fields, "nonce", 32),
        packs=oids(fields, "packs"),
        alt=alt,
        pushes=tuple(_push(Fields(push, fields.name, f"pushes[{number}].")) for number, push in enumerate(pushes)),
        supersedes=oids(fields, "supersedes"),
        extra=others(fields, _HEADER_KEYS),
    )


def _push_values(push: PushRecord) -> dict[str, object]:
    return {
        "id": push.id,
        "time": push.time,
        "checked": push.checked,
        "project": push.project,
        "commit": push.commit,
        "roots": push.roots,
        **push.extra,
    }


def _push(fields: Fields) -> PushRecord:
    roots = fields.values.get("roots")
    if not isinstance(roots, list):
        raise fields.wrong("roots", "a list of roots")
    return PushRecord(
        id=required(fields, "id"),
        time=_time(fields, "time"),
        checked=_time(fields, "checked"),
        project=required(fields, "project"),
        commit=fields.text("commit"),
        roots=tuple(_root(fields, root) for root in roots),
        extra=others(fields, _PUSH_KEYS),
    )


def _time(fields: Fields, key: str) -> float:
    value = fields.values.get(key)
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= _MAX:
        raise fields.wrong(key, "a time in seconds")
    return value


def _root(fields: Fields, value: object) -> Root:
    match value:
        case [str() as kind, str() as oid]:
            files, size = 0, 0
        case [str() as kind, str() as oid, int() as files, int() as size]:
            pass
        case _:
            raise fields.wrong("roots", "a list of [kind, id, files, bytes]")
    if isinstance(files, bool) or isinstance(size, bool) or not (0 <= files <= _MAX and 0 <= size <= _MAX):
        raise fields.wrong("roots", "a list of [kind, id, files, bytes]")
    try:
        return Root(kind, parse_oid(oid), files, size)
    except ValueError as error:
        raise FormatError(f"{fields.name}: {fields.at}roots: {error}", path=fields.name) from error
