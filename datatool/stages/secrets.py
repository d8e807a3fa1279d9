"""Keeping secrets out of records and fingerprints: what a name, or a value's own shape, says to be one.

A record travels to everybody who can read the remote, so a value that only looks like a secret is hidden too. It can't
be compared either: changing it alone is no change.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Final

HIDDEN: Final = "***"
"""What stands where a secret was."""

_SECRET_PARTS: Final = frozenset(
    {
        *("password", "passwd", "passphrase", "passcode", "pwd", "secret", "secrets", "credential", "credentials"),
        *("apikey", "accesskey", "authorization", "auth", "bearer", "cookie", "sshpass"),
    }
)
_SECRET_ENDS: Final = ("password", "passwd", "passphrase", "pwd")
"""Ends of words that were written together, as in `PGPASSWORD`."""
_BEFORE_PASS: Final = frozenset(
    {
        *("low", "high", "band", "all", "single", "multi", "two", "one", "first", "second", "third", "last", "next"),
        *("n", "num", "per", "by", "max", "min", "forward", "backward"),
    }
)
"""Words behind which a pass is one over data, or a filter."""
_KEYS_OF: Final = frozenset(
    {"api", "access", "secret", "private", "account", "encryption", "signing", "shared", "ssh", "storage"}
)
"""A key of one of these is a secret; a key alone is not."""
_BEFORE_TOKEN: Final = frozenset(
    {
        *("pad", "eos", "bos", "unk", "sep", "cls", "mask", "max", "min", "num", "n", "per", "special", "stop"),
        *("start", "end"),
    }
)
_AFTER_TOKEN: Final = frozenset(
    {"length", "count", "dim", "type", "types", "limit", "size", "level", "id", "ids", "index", "budget"}
)
"""Words beside which a token is one of a text, as language models have them."""

_SIGNING: Final = frozenset({"sig", "signature", "x-amz-signature", "x-amz-credential", "awsaccesskeyid", "key"})
"""What of a URL's query opens it; the rest says what is asked for."""

_PARTS: Final = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+")
_URL: Final = re.compile(
    r"(?P<scheme>(?<![A-Za-z0-9+.-])[A-Za-z0-9+.-]++://)(?:[^/?#\s]*@)?(?P<rest>[^?#\s'\"]*)(?P<query>\?[^#\s'\"]*)?"
)
_SHAPES: Final = re.compile(
    r"\b(?:gh[pousr]_\w{20,}|github_pat_\w{20,}|glpat-[\w-]{15,}|hf_\w{20,}|sk-[\w-]{20,}|xox[abprs]-[\w-]{10,}"
    r"|A[KS]IA[0-9A-Z]{16}|eyJ[\w-]{10,}\.eyJ[\w-]{10,}\.[\w-]*)"
)
"""Tokens of well-known services, which say themselves what they are."""
_ASSIGNED: Final = re.compile(r"(?P<name>(?<![\w.-])[\w.-]++)(?P<between>[\"']?\s?(?:=|:\s*))")
_VALUE: Final = re.compile(r"'[^']*'|\"[^\"]*\"|(?:(?![;&,]\s?[A-Za-z][\w .-]*=|;(?:[\s'\"]|$))[^\s'\"])+")
"""What stands behind it; it ends before the next pair, as in `Server=x;Pwd=y;`."""
_SPACED: Final = re.compile(r"(?P<name>--[A-Za-z][\w-]*)(?P<between>\s+)(?P<value>'[^']*'|\"[^\"]*\"|[^\s'\"-]\S*)")
_BEARER: Final = re.compile(
    r"(?i)\b(?P<name>bearer|(?<=authorization:)\w+|(?<=authorization: )\w+|basic(?=\s+[\w.~+/-]{8}))"
    r"(?P<between>\s+)(?P<value>[\w.~+/-]+=*)"
)
_CURL: Final = re.compile(r"(?:^|[\s/;|&(])curl(?:$|\s)")
_LOGIN: Final = re.compile(
    r"(?P<name>(?<!\S)(?:-[A-Za-z]*[uU]|--user|--proxy-user))(?P<between>[\s=]*['\"]?[^\s:'\"]*:)(?P<value>[^\s'\"]+)"
)
"""`-u name:password` of curl; other programs have groups and ports behind the colon."""


def is_secret(name: str) -> bool:
    """Whether a name says that its value is a secret.

    >>> is_secret("DB_PASSWORD"), is_secret("apiKey"), is_secret("max_tokens"), is_secret("pad_token")
    (True, True, False, False)
    """
    parts = [part.lower() for part in _PARTS.findall(name)]
    for at, part in enumerate(parts):
        before = parts[at - 1] if at else ""
        after = parts[at + 1] if at + 1 < len(parts) else ""
        if part in _SECRET_PARTS or part.endswith(_SECRET_ENDS) or (part in ("key", "keys") and before in _KEYS_OF):
            return True
        if part in ("pass", "pw") and not after and before not in _BEFORE_PASS:
            return True
        if part == "token" and before not in _BEFORE_TOKEN and after not in _AFTER_TOKEN:
            return True
    return False


def without_secrets(text: str) -> str:
    """A text without what is secret in it: user, password and signature of URLs, values behind secret names,
    well-known tokens.

    >>> without_secrets("curl https://me:pw@host/a?year=1999&sig=1 -H 'X-Api-Key: abc'")
    "curl https://host/a?year=1999&sig=*** -H 'X-Api-Key: ***'"
    """
    text = _URL.sub(_opened, text)
    text = _without_assigned(_BEARER.sub(_hidden, text))
    for pattern in (_SPACED, _LOGIN) if _CURL.search(text) else (_SPACED,):
        text = pattern.sub(_hidden, text)
    return _SHAPES.sub(HIDDEN, text)


def visible_words(words: Sequence[str]) -> tuple[str, ...]:
    """The words of a command without what is secret in them, also where name and value are two words.

    >>> visible_words(["train", "--password", "abc", "--token=abc"])
    ('train', '--password', '***', '--token=***')
    """
    shown: list[str] = []
    hide = False
    curl = any(_CURL.search(word) for word in words)
    for at, word in enumerate(words):
        number = word.isdecimal() and len(word) < 3  # `-pass 2` of a video is no password
        visible = HIDDEN if hide and not number else without_secrets(word)
        shown.append(_without_login(words[at - 1] if at else "", visible) if curl else visible)
        hide = not hide and word.startswith("-") and "=" not in word and is_secret(word)
    return tuple(shown)


def _without_login(before: str, word: str) -> str:
    """A word of curl without the password of `-u name:password`, in one word or two."""
    option = f"{before} " if before.startswith("-") and "=" not in before else ""
    return _LOGIN.sub(_hidden, option + word).removeprefix(option)


def visible_values(values: Mapping[str, object]) -> dict[str, object]:
    """Parameters without what is secret in them, at any depth."""
    return {name: HIDDEN if is_secret(name) else _visible(value) for name, value in values.items()}


def _visible(value: object) -> object:
    if isinstance(value, str):
        return without_secrets(value)
    if isinstance(value, Mapping):
        return visible_values(value)
    if isinstance(value, list | tuple):
        words = visible_words([item if isinstance(item, str) else "" for item in value])
        return [
            word if isinstance(item, str) or word == HIDDEN else _visible(item)
            for item, word in zip(value, words, strict=True)
        ]
    return value


def _opened(found: re.Match[str]) -> str:
    """A URL without what opens it."""
    shown = []
    for pair in (found["query"] or "").removeprefix("?").split("&"):
        name, equals, _ = pair.partition("=")
        hide = equals and (name.lower() in _SIGNING or is_secret(name))
        shown.append(name + equals + HIDDEN if hide else pair)
    return found["scheme"] + found["rest"] + ("?" + "&".join(shown) if found["query"] else "")


def _hidden(found: re.Match[str]) -> str:
    if found.re in (_BEARER, _LOGIN) or is_secret(found["name"]):
        return found["name"] + found["between"] + HIDDEN
    return found[0]


def _without_assigned(text: str) -> str:
    """A text without the values of secret names; what other names have is looked into, as in `--env=PGPASSWORD=…`."""
    shown: list[str] = []
    at = 0
    for found in _ASSIGNED.finditer(text):
        value = _VALUE.match(text, found.end()) if found.start() >= at and is_secret(found["name"]) else None
        if value is not None:
            shown += (text[at : found.end()], HIDDEN)
            at = value.end()
    return "".join(shown) + text[at:]
