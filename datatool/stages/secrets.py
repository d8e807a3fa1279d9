"""Keeping secrets out of records and fingerprints: what a name, or a value's own shape, says to be one.

A record travels to everybody who can read the remote, so a value that only looks like a secret is hidden too. What
tells a run with one secret from a run with another is a seal: see `datatool.stages.seal`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Final

HIDDEN: Final = "***"
"""What stands where a secret was."""

_SECRET_PARTS: Final = frozenset(
    {
        *("password", "passwd", "passphrase", "passcode", "passwords", "pwd", "secret", "secrets"),
        *("credential", "credentials", "apikey", "accesskey", "authorization", "auth", "bearer", "cookie", "sshpass"),
    }
)
_SECRET_ENDS: Final = ("password", "passwd", "passphrase", "pwd")
"""Ends of words that were written together, as in `PGPASSWORD`."""
_SHORT: Final = ("pass", "pw", "pin", "otp", "totp")
"""Words that are a secret only at the end of a name, and have other meanings: `-pass 2` of a video is no password."""
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
_COUNTING: Final = ("n", "num")
_MEASURES: Final = frozenset(
    {
        *("count", "counts", "length", "len", "size", "dim", "dims", "rate", "loss", "accuracy", "dropout", "prob"),
        *("probability", "method", "fraction", "ratio", "f1", "ppl", "perplexity", "pooling"),
    }
)
"""Last words of names that tell something of a secret, or of the tokens of a text, and no secret."""
_NUMBER: Final = re.compile(
    r"(?i)[+-]?(?:[0-9]{1,4}|(?:[0-9]+\.[0-9]*|\.[0-9]+)(?:e[+-]?[0-9]+)?|[0-9]+e[+-]?[0-9]+)|true|false"
)
"""What is an ordinary number as a text: few secrets have a point or an exponent, or less than five digits."""
_LARGEST: Final = 9999

_SIGNING: Final = frozenset({"sig", "signature", "x-amz-signature", "x-amz-credential", "awsaccesskeyid", "key"})
"""What of a URL's query opens it; the rest says what is asked for."""

_PARTS: Final = re.compile(r"[Ff]1(?![A-Za-z0-9])|[A-Z]+(?![a-z])|[A-Z]?[a-z]+")
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
_AROUND: Final = "'\",;)}]"
"""What may stand around a value in a text."""
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
    parts = _parts(name)
    return bool(parts) and parts[-1] not in _MEASURES and any(_is_secret_at(parts, at) for at in range(len(parts)))


def hides(name: str, value: object) -> bool:
    """Whether a value is a secret by its name. An ordinary number is none, unless the name's last word says so.

    >>> hides("token_scale", 0.5), hides("token", 0.5), hides("token_name", "abc")
    (False, True, True)
    """
    if not is_secret(name):
        return False
    parts = _parts(name)
    if parts[-1] in _SHORT and re.fullmatch("[0-9]{1,2}", str(value)):
        return False
    return _is_secret_at(parts, len(parts) - 1) or not _is_ordinary(value)


def _parts(name: str) -> list[str]:
    return [part.lower() for part in _PARTS.findall(name)]


def _is_secret_at(parts: Sequence[str], at: int) -> bool:
    """Whether a word of a name, between those beside it, is one for a secret."""
    part = parts[at]
    before = parts[at - 1] if at else ""
    after = parts[at + 1] if at + 1 < len(parts) else ""
    if before in _COUNTING:
        return False
    if part in _SECRET_PARTS or part.endswith(_SECRET_ENDS) or (part in ("key", "keys") and before in _KEYS_OF):
        return True
    if part in _SHORT:
        return not after and before not in _BEFORE_PASS
    return part == "token" and before not in _BEFORE_TOKEN and after not in _AFTER_TOKEN


def _is_ordinary(value: object) -> bool:
    """Whether a value is nothing, a switch or an ordinary number, also as a text, or a list of these."""
    if isinstance(value, str):
        return _NUMBER.fullmatch(value) is not None
    if isinstance(value, list | tuple):
        return all(map(_is_ordinary, value))
    return value is None or isinstance(value, bool | float) or (isinstance(value, int) and abs(value) <= _LARGEST)


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
    name = ""
    curl = any(_CURL.search(word) for word in words)
    for at, word in enumerate(words):
        visible = HIDDEN if name and hides(name, word) else without_secrets(word)
        shown.append(_without_login(words[at - 1] if at else "", visible) if curl else visible)
        name = word if not name and word.startswith("-") and "=" not in word and is_secret(word) else ""
    return tuple(shown)


def _without_login(before: str, word: str) -> str:
    """A word of curl without the password of `-u name:password`, in one word or two."""
    option = f"{before} " if before.startswith("-") and "=" not in before else ""
    return _LOGIN.sub(_hidden, option + word).removeprefix(option)


def visible_values(values: Mapping[str, object]) -> dict[str, object]:
    """Parameters without what is secret in them, at any depth."""
    return {name: HIDDEN if hides(name, value) else _visible(value) for name, value in values.items()}


def visible_metrics(values: Mapping[str, object]) -> dict[str, object]:
    """Metrics without what is secret in them. Their numbers are results, and none is a secret whatever its name."""
    return {name: _visible_metric(name, value) for name, value in values.items()}


def _visible_metric(name: str, value: object) -> object:
    if isinstance(value, Mapping):
        return {inner: _visible_metric(f"{name}.{inner}", item) for inner, item in value.items()}
    if isinstance(value, list | tuple):
        return [_visible_metric(name, item) for item in value]
    if isinstance(value, str):
        return HIDDEN if hides(name, value) else without_secrets(value)
    return value


def _visible(value: object) -> object:
    if isinstance(value, str):
        return without_secrets(value)
    if isinstance(value, Mapping):
        return visible_values(value)
    if isinstance(value, list | tuple):
        words = visible_words([str(item) if isinstance(item, str | int | float) else "" for item in value])
        return [
            word if isinstance(item, str) or word == HIDDEN else _visible(item)
            for item, word in zip(value, words, strict=True)
        ]
    return value


def _opened(found: re.Match[str]) -> str:
    """A URL without what opens it."""
    shown = []
    for pair in (found["query"] or "").removeprefix("?").split("&"):
        name, equals, value = pair.partition("=")
        hide = equals and (name.lower() in _SIGNING or hides(name, value))
        shown.append(name + equals + HIDDEN if hide else pair)
    return found["scheme"] + found["rest"] + ("?" + "&".join(shown) if found["query"] else "")


def _hidden(found: re.Match[str]) -> str:
    if found.re in (_BEARER, _LOGIN) or hides(found["name"], found["value"].strip(_AROUND)):
        return found["name"] + found["between"] + HIDDEN
    return found[0]


def _without_assigned(text: str) -> str:
    """A text without the values of secret names; what other names have is looked into, as in `--env=PGPASSWORD=…`."""
    shown: list[str] = []
    at = 0
    for found in _ASSIGNED.finditer(text):
        value = _VALUE.match(text, found.end()) if found.start() >= at and is_secret(found["name"]) else None
        if value is not None and hides(found["name"], value[0].strip(_AROUND)):
            shown += (text[at : found.end()], HIDDEN)
            at = value.end()
    return "".join(shown) + text[at:]
