"""`index.list`: the shards that count now, for readers who can't list a remote (plain HTTP). Advisory only."""

from __future__ import annotations

from msgspec import Struct

from datatool.formats.json_text import oids, read_json, store_names, write_json
from datatool.model.oid import ObjectId


class IndexList(Struct, frozen=True, kw_only=True):
    """The ids of the current shards, and the names that gc dropped."""

    shards: tuple[ObjectId, ...]
    dropped: tuple[str, ...] = ()


def encode_index_list(value: IndexList) -> bytes:
    """The bytes of `index.list`."""
    return write_json({"v": 1, "shards": value.shards, "dropped": value.dropped}) + b"\n"


def decode_index_list(data: bytes) -> IndexList:
    """Read `index.list`. Raises FormatError, and NewerFormat for a later version."""
    fields = read_json(data, "index.list", version="v")
    return IndexList(shards=oids(fields, "shards"), dropped=store_names(fields, "dropped"))
