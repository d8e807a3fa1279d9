"""The table of settings: what each may hold, where it is kept, and what it means (cli.md, Configuration)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import Final

from msgspec import Struct

from datatool.errors import UsageError
from datatool.model.paths import show
from datatool.model.settings import Durability, LinkMethod


class Scope(StrEnum):
    """Which file a setting is kept in."""

    PROJECT = "project"
    """`.datatool/config.yaml`, committed: the same for everybody."""
    LOCAL = "local"
    """`config.yaml` in the git directory: this clone only."""
    USER = "user"
    """The user's own `config.yaml`: all projects of this user."""


class Kind(StrEnum):
    """What a setting may hold."""

    TEXT = "text"
    SWITCH = "true or false"
    NUMBER = "a whole number, 1 or more"
    PORT = "a port, 1 to 65535"
    RATE = "bytes per second, as 10M or 500k"
    ENGINE = "s3fs or obstore"
    NAMES = "names of remotes, in the order to try"
    LINKS = "some of reflink, copy, hardlink, symlink, in the order to try"
    DURABILITY = "batch, full or none"


_ANYWHERE: Final = frozenset(Scope)
_PRIVATE: Final = frozenset({Scope.LOCAL, Scope.USER})


class Key(Struct, frozen=True, kw_only=True):
    """One row: `pattern` may hold NAME; `scope` is where `config set` writes, `scopes` where it may be at all;
    a `secret` is never shown."""

    pattern: str
    kind: Kind = Kind.TEXT
    default: str | None = None
    scope: Scope = Scope.PROJECT
    scopes: frozenset[Scope] = _ANYWHERE
    secret: bool = False
    meaning: str


def _private(pattern: str, meaning: str, *, secret: bool = False) -> Key:
    return Key(pattern=pattern, scope=Scope.LOCAL, scopes=_PRIVATE, secret=secret, meaning=meaning)


KEYS: Final = (
    Key(pattern="project", scopes=frozenset({Scope.PROJECT}), meaning="this project's id, written by init"),
    Key(pattern="remote", meaning="the default remote"),
    Key(
        pattern="read",
        kind=Kind.NAMES,
        meaning="remotes that fetch and pull ask first, in this order, before an artifact's own or the default one",
    ),
    Key(pattern="remotes.NAME.url", meaning="where the remote is"),
    Key(pattern="remotes.NAME.endpoint_url", meaning="the S3 service, when it is not Amazon's"),
    Key(pattern="remotes.NAME.region", meaning="the S3 region"),
    Key(
        pattern="remotes.NAME.anonymous",
        kind=Kind.SWITCH,
        default="false",
        meaning="use a public S3 bucket without credentials",
    ),
    Key(
        pattern="remotes.NAME.engine",
        kind=Kind.ENGINE,
        default="s3fs",
        meaning="what talks to S3: s3fs, or obstore (needs the extra fast)",
    ),
    Key(pattern="remotes.NAME.port", kind=Kind.PORT, meaning="the server's port"),
    Key(
        pattern="remotes.NAME.timeout",
        kind=Kind.NUMBER,
        default="12",
        meaning="seconds without a byte after which a request is given up and made again",
    ),
    Key(
        pattern="remotes.NAME.mirror",
        kind=Kind.SWITCH,
        default="false",
        meaning="push without -r sends here too, whichever remote it is for",
    ),
    Key(pattern="remotes.NAME.pack", kind=Kind.SWITCH, default="true", meaning="keep small files together in packs"),
    Key(
        pattern="remotes.NAME.index_list",
        kind=Kind.SWITCH,
        default="true",
        meaning="keep index.list up to date, for readers over HTTP",
    ),
    Key(
        pattern="remotes.NAME.compression",
        meaning="zstd compresses small files in packs, where that saves room (needs the extra zstd)",
    ),
    _private("remotes.NAME.keyfile", "the SSH key file"),
    _private("remotes.NAME.profile", "the AWS profile"),
    _private("remotes.NAME.user", "the user name at the server"),
    _private("remotes.NAME.access_key_id", "the S3 access key's id", secret=True),
    _private("remotes.NAME.secret_access_key", "the S3 access key", secret=True),
    _private("remotes.NAME.password", "the password at the server", secret=True),
    _private("remotes.NAME.token", "the access token", secret=True),
    Key(pattern="registries.NAME.url", meaning="the git repository of a registry"),
    Key(
        pattern="registries.NAME.trust",
        kind=Kind.SWITCH,
        default="false",
        scope=Scope.USER,
        scopes=frozenset({Scope.USER}),
        meaning="let the registry name directories and endpoints",
    ),
    Key(
        pattern="cache.link",
        kind=Kind.LINKS,
        default="reflink, copy",
        meaning="how files in the workspace may share bytes with the cache",
    ),
    Key(pattern="cache.dir", scope=Scope.LOCAL, meaning="another place for the cache"),
    Key(
        pattern="durability",
        kind=Kind.DURABILITY,
        default="batch",
        meaning="what is synced to disk before it counts as done",
    ),
    Key(pattern="git.stage", kind=Kind.SWITCH, default="true", meaning="stage pointers and ignore lines in git"),
    Key(pattern="jobs", kind=Kind.NUMBER, meaning="how many transfers at once"),
    Key(pattern="bandwidth", kind=Kind.RATE, meaning="the most bytes per second to and from remotes"),
    Key(pattern="offline", kind=Kind.SWITCH, default="false", scope=Scope.LOCAL, meaning="never use the network"),
    Key(pattern="stages.share", kind=Kind.SWITCH, default="false", meaning="push the results of stages"),
)
"""Every setting, in the order that help and documentation list them."""

_BY_PATTERN: Final[Mapping[str, Key]] = MappingProxyType({key.pattern: key for key in KEYS})
_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,99}", re.ASCII)
_RATE = r"(?ai)([0-9]{1,15}(?:\.[0-9]{1,6})?) ?(?:([kmgt])(i)?)?b?(?:/s)?"
_TRUE: Final = frozenset({"true", "yes", "on", "1"})
_FALSE: Final = frozenset({"false", "no", "off", "0"})


def is_name(text: str) -> bool:
    """Whether a remote or registry may have this name: ASCII letters, digits, `_`, `-`, `.`, not led by `-` or `.`."""
    return _NAME.fullmatch(text) is not None


def proper_name(text: str) -> str:
    """A name that may be, for one that may not.

    >>> proper_name("my data"), proper_name("-x"), proper_name("…")
    ('my-data', 'x', 'NAME')
    """
    return re.sub(r"[^A-Za-z0-9_.-]+", "-", text).strip("-.")[:100] or "NAME"


def lookup(key: str) -> Key | None:
    """The row for a key, or None: `remotes.origin.url` is in the row of `remotes.NAME.url`."""
    first, _, rest = key.partition(".")
    if first in ("remotes", "registries"):
        name, _, last = rest.rpartition(".")
        return _BY_PATTERN.get(f"{first}.NAME.{last}") if is_name(name) else None
    return _BY_PATTERN.get(key)


def switch(text: str) -> bool | None:
    """True or false for the words that say so, None for other text."""
    word = text.strip().lower()
    return True if word in _TRUE else False if word in _FALSE else None


def whole_number(text: str) -> int | None:
    """A number of 1 or more, None for other text."""
    word = text.strip()
    return int(word) or None if word.isascii() and word.isdigit() and len(word) <= 18 else None


def port(text: str) -> int | None:
    """The number of a port, None for other text."""
    number = whole_number(text)
    return number if number is not None and number <= 65535 else None


def rate(text: str) -> int | None:
    """Bytes per second for `10M`, `1.5 MB/s`, `512Ki`, `100000`; None for other text.

    >>> rate("1.5M"), rate("2 KiB/s")
    (1500000, 2048)
    """
    match = re.fullmatch(_RATE, text.strip())
    if match is None:
        return None
    power = " kmgt".index((match[2] or " ").lower())
    return int(float(match[1]) * (1024 if match[3] else 1000) ** power) or None


def links(text: str) -> tuple[LinkMethod, ...] | None:
    """Link methods from `reflink, copy` (or with spaces); None if any is unknown, or there is none."""
    try:
        return tuple(dict.fromkeys(LinkMethod(word) for word in text.replace(",", " ").split())) or None
    except ValueError:
        return None


def names(text: str) -> tuple[str, ...] | None:
    """Names from `mirror, origin` (or with spaces), each once; None if one can't be a name, or there is none."""
    words = text.replace(",", " ").split()
    return tuple(dict.fromkeys(words)) or None if all(map(is_name, words)) else None


def engine(text: str) -> str | None:
    """The engine of that name, or None."""
    word = text.strip().lower()
    return word if word in ("s3fs", "obstore") else None


def durability(text: str) -> Durability | None:
    """The durability of that name, or None."""
    try:
        return Durability(text.strip())
    except ValueError:
        return None


_READERS: Final = MappingProxyType(
    {
        Kind.SWITCH: switch,
        Kind.NUMBER: whole_number,
        Kind.PORT: port,
        Kind.RATE: rate,
        Kind.NAMES: names,
        Kind.ENGINE: engine,
        Kind.LINKS: links,
        Kind.DURABILITY: durability,
    }
)


_EXAMPLES: Final = MappingProxyType(
    {Kind.NUMBER: "8", Kind.PORT: "2222", Kind.RATE: "10M", Kind.NAMES: "mirror, origin"}
)
"""A value for the kinds of settings that may have no default."""


def check(row: Key, key: str, value: str) -> bool | int | str | list[str]:
    """What to write in a file for a value that a person typed; UsageError if the key can't hold it."""
    reader = _READERS.get(row.kind)
    if reader is None:
        if not value:
            raise UsageError(f"{show(key)}: an empty value", hint=f"datatool config unset {show(key)} removes it")
        return value
    meant = reader(value)
    if meant is None:
        raise UsageError(
            f"{show(key)}: must be {row.kind}, not '{show(value[:80])}'",
            hint=f"such as {row.default or _EXAMPLES[row.kind]}; datatool config unset {show(key)} removes it",
        )
    if isinstance(meant, tuple):
        return [str(item) for item in meant]
    return value.strip() if row.kind is Kind.RATE else str(meant) if isinstance(meant, Durability) else meant
