"""The two records of garbage collection in a remote: what is condemned, and what was dropped (formats §5)."""

from __future__ import annotations

from msgspec import Struct

from datatool.formats.json_text import hex_text, oids, read_json, required, store_names, write_json
from datatool.model.oid import ObjectId


class Condemn(Struct, frozen=True, kw_only=True):
    """Names that are not to be counted on any more, for good: what lies there may be dropped a day later.

    `reason` is unused, duplicate or damaged, or what a later version says: a condemned name is condemned for any.
    """

    nonce: str
    project: str
    reason: str
    names: tuple[str, ...]


class Drop(Struct, frozen=True, kw_only=True):
    """Names that are being deleted, by the ids of the condemn records they were in; and push records that count
    no more."""

    nonce: str
    condemn: tuple[ObjectId, ...]
    names: tuple[str, ...]
    expired: tuple[str, ...] = ()


def encode_condemn(value: Condemn) -> bytes:
    """The bytes of a condemn record; `gc/<sha256 of them>.condemn` is its name."""
    return write_json(
        {
            "v": 1,
            "nonce": value.nonce,
            "project": value.project,
            "reason": value.reason,
            "names": value.names,
        }
    )


def decode_condemn(data: bytes) -> Condemn:
    """Read a condemn record. Raises FormatError, and NewerFormat for a later version."""
    fields = read_json(data, "condemn record", version="v")
    return Condemn(
        nonce=hex_text(fields, "nonce", 32),
        project=required(fields, "project"),
        reason=required(fields, "reason"),
        names=store_names(fields, "names"),
    )


def encode_drop(value: Drop) -> bytes:
    """The bytes of a drop record; `gc/<sha256 of them>.drop` is its name."""
    return write_json(
        {
            "v": 1,
            "nonce": value.nonce,
            "condemn": value.condemn,
            "names": value.names,
            "expired": value.expired,
        }
    )


def decode_drop(data: bytes) -> Drop:
    """Read a drop record. Raises FormatError, and NewerFormat for a later version."""
    fields = read_json(data, "drop record", version="v")
    return Drop(
        nonce=hex_text(fields, "nonce", 32),
        condemn=oids(fields, "condemn"),
        names=store_names(fields, "names"),
        expired=fields.texts("expired"),
    )
