"""The file that says what lies in a directory: `datatool-remote.json` of a remote, `FORMAT` of a cache."""

from __future__ import annotations

import re

from msgspec import Struct

from datatool.errors import FormatError
from datatool.formats.fields import Fields
from datatool.formats.json_text import read_json, required, write_json
from datatool.formats.pack import TARGET

REMOTE_FILE = "datatool-remote.json"
CACHE_FILE = "FORMAT"

_UUID = r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"


class RemoteFormat(Struct, frozen=True, kw_only=True):
    """What a remote is. A feature named in `features_read` that a datatool doesn't know keeps it from reading
    anything, in `features_write` from writing, in `features_gc` from collecting garbage; version 1 knows none.
    Objects from `loose_min` bytes on are files of their own; packs are closed at about `pack_target` bytes."""

    id: str
    features_read: tuple[str, ...] = ()
    features_write: tuple[str, ...] = ()
    features_gc: tuple[str, ...] = ()
    loose_min: int = 4 << 20
    pack_target: int = TARGET


class CacheFormat(Struct, frozen=True, kw_only=True):
    """What a cache is: version 1 has nothing to choose."""


def encode_remote_format(value: RemoteFormat) -> bytes:
    """The bytes of `datatool-remote.json`."""
    return _line(
        {
            "magic": "datatool-remote",
            "version": 1,
            "id": value.id,
            "hash": "sha256",
            "features": {
                "read": value.features_read,
                "write": value.features_write,
                "gc": value.features_gc,
            },
            "defaults": {"loose_min": value.loose_min, "pack_target": value.pack_target},
        }
    )


def decode_remote_format(data: bytes) -> RemoteFormat:
    """Read `datatool-remote.json`. Raises FormatError, and NewerFormat for a later version."""
    fields = _read(data, REMOTE_FILE, "datatool-remote")
    remote_id = required(fields, "id")
    if not re.fullmatch(_UUID, remote_id):  # it names a directory in the cache
        raise fields.wrong("id", "a UUID")
    features = fields.inner("features") or Fields({}, fields.name, "features.")
    defaults = fields.inner("defaults") or Fields({}, fields.name, "defaults.")
    return RemoteFormat(
        id=remote_id,
        features_read=features.texts("read"),
        features_write=features.texts("write"),
        features_gc=features.texts("gc"),
        loose_min=_size(defaults, "loose_min", RemoteFormat(id="").loose_min),
        pack_target=_size(defaults, "pack_target", RemoteFormat(id="").pack_target),
    )


def encode_cache_format(value: CacheFormat) -> bytes:
    """The bytes of a cache's `FORMAT`."""
    return _line({"magic": "datatool-cache", "version": 1, "hash": "sha256"})


def decode_cache_format(data: bytes) -> CacheFormat:
    """Read a cache's `FORMAT`. Raises FormatError, and NewerFormat for a later version."""
    _read(data, CACHE_FILE, "datatool-cache")
    return CacheFormat()


def _line(values: dict[str, object]) -> bytes:
    return write_json(values) + b"\n"


def _read(data: bytes, name: str, magic: str) -> Fields:
    fields = read_json(data, name, version="version")
    if fields.values.get("magic") != magic:
        raise FormatError(f"{name}: is not the file of a {magic.replace('-', ' ')}", path=name)
    if fields.values.get("hash") != "sha256":
        raise fields.wrong("hash", "sha256")
    return fields


def _size(fields: Fields, key: str, default: int) -> int:
    value = fields.number(key)
    if value is None:
        return default
    if not 0 < value <= TARGET:  # both together always leave room for one more object in the largest pack
        raise fields.wrong(key, f"a number of bytes up to {TARGET}")
    return value
