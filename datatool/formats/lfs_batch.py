"""What is said to a Git LFS server, and what it answers: which object is where, or why it is not to be had.

https://github.com/git-lfs/git-lfs/blob/main/docs/api/batch.md
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from msgspec import Struct

from datatool.errors import FormatError
from datatool.formats.fields import Fields
from datatool.formats.json_text import read_json_object, required, write_json
from datatool.model.oid import ObjectId, parse_oid
from datatool.model.paths import show

LFS_MEDIA_TYPE: Final = "application/vnd.git-lfs+json"
OBJECTS_PER_BATCH: Final = 100
"""What servers take at once; git-lfs asks for as many."""
ANSWER_LIMIT: Final = 4 << 20
"""Bytes of an answer that are read: 40 kB for an object are more than any server says of one."""

_HEADER_NAME: Final = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]{1,100}", re.ASCII)
_HEADER_VALUE: Final = re.compile(r"[\x20-\x7e]{0,8192}", re.ASCII)
_OURS: Final = frozenset(
    {"accept-encoding", "connection", "content-length", "expect", "host", "if-range", "range", "te", "trailer"}
    | {"transfer-encoding", "upgrade", "proxy-authorization", "proxy-connection"}
)
"""Headers that say how a request is made; a server's wish for them is not followed."""
_HEADERS: Final = 32


@dataclass(frozen=True, kw_only=True, slots=True)
class LfsAction:
    """Where an object is: a URL, and headers to be sent there and nowhere else (they hold secrets). `expires` is in
    seconds since 1970; `authenticated` says that the headers are all it takes."""

    href: str = field(repr=False)
    headers: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    expires: float | None = None
    authenticated: bool = False


class LfsRefusal(Struct, frozen=True, kw_only=True):
    """Why a server does not give one object: a number as HTTP has them, and its own words, fit to be shown."""

    code: int
    message: str


def encode_batch(wanted: Sequence[tuple[ObjectId, int]]) -> bytes:
    """The question where objects, given with their sizes, can be downloaded."""
    objects = [{"oid": oid, "size": size} for oid, size in wanted]
    return write_json({"operation": "download", "transfers": ["basic"], "objects": objects, "hash_algo": "sha256"})


def decode_batch(data: bytes, *, name: str, now: float) -> dict[ObjectId, LfsAction | LfsRefusal]:
    """A server's answer, by object. `name` is the server's, for errors; `now` in seconds since 1970.

    Raises FormatError.
    """
    fields = read_json_object(data, name)
    transfer, algorithm = fields.text("transfer"), fields.text("hash_algo")
    if transfer not in (None, "", "basic"):
        raise fields.wrong("transfer", "basic")
    if algorithm not in (None, "", "sha256"):
        raise fields.wrong("hash_algo", "sha256")
    objects = fields.values.get("objects")
    if not isinstance(objects, list):
        raise fields.wrong("objects", "a list")
    found: dict[ObjectId, LfsAction | LfsRefusal] = {}
    for number, item in enumerate(objects):
        if not isinstance(item, dict):
            raise fields.wrong("objects", "a list of objects")
        inner = Fields(item, name, f"objects[{number}].")
        try:
            oid = parse_oid(required(inner, "oid"))
        except ValueError:
            raise inner.wrong("oid", "64 lower-case hex digits") from None
        found[oid] = _outcome(inner, now)
    return found


def _outcome(fields: Fields, now: float) -> LfsAction | LfsRefusal:
    error = fields.inner("error")
    if error is not None:
        return LfsRefusal(code=error.number("code") or 0, message=_words(error))
    actions = fields.inner("actions")
    download = actions.inner("download") if actions is not None else None
    if download is None:
        return LfsRefusal(code=404, message="")
    return _action(download, now, authenticated=fields.switch("authenticated") or False)


def decode_authentication(data: bytes, *, name: str, now: float) -> LfsAction:
    """What `git-lfs-authenticate` at the end of an ssh connection said: the server's URL, which may be empty, and
    headers for it. Raises FormatError."""
    return _action(read_json_object(data, name), now, authenticated=True)


def decode_message(data: bytes) -> str:
    """What a server says of a request that it refuses, fit to be shown; empty where it does not speak JSON."""
    try:
        return _words(read_json_object(data, "answer"))
    except FormatError:
        return ""


def _words(fields: Fields) -> str:
    message = fields.values.get("message")
    return show(message[:200]) if isinstance(message, str) else ""


def _action(fields: Fields, now: float, *, authenticated: bool) -> LfsAction:
    return LfsAction(
        href=fields.text("href") or "",
        headers=_headers(fields),
        expires=_expires(fields.values, now),
        authenticated=authenticated,
    )


def _headers(fields: Fields) -> tuple[tuple[str, str], ...]:
    headers = fields.pairs("header")
    if len(headers) > _HEADERS:
        raise fields.wrong("header", f"at most {_HEADERS} headers")
    for key, value in headers:
        # What is wrong is not shown: it may be most of a secret.
        if not _HEADER_NAME.fullmatch(key) or not _HEADER_VALUE.fullmatch(value):
            raise FormatError(f"{fields.name}: {fields.at}header holds what no header can be", path=fields.name)
    return tuple((key, value) for key, value in headers if key.lower() not in _OURS)


def _expires(values: Mapping[str, object], now: float) -> float | None:
    """Until when an action holds. Servers in Go write the year 1 for "never"."""
    seconds = values.get("expires_in")
    if isinstance(seconds, int) and not isinstance(seconds, bool) and 0 < seconds < 1 << 31:
        return now + seconds
    text = values.get("expires_at")
    try:
        moment = datetime.fromisoformat(text) if isinstance(text, str) else None
        return moment.timestamp() if moment is not None and moment.year > 1970 and moment.tzinfo else None
    except (ValueError, OverflowError):
        return None
