"""URLs as messages and lists show them, and what of them must not be written down."""

from __future__ import annotations

import re
from typing import Final
from urllib.parse import parse_qsl

_PASSWORD: Final = r"(?<=://)([^/?#@:]*):[^/?#]*@"
_QUERY: Final = r"\?([^#]*)"
_SCHEME: Final = r"([A-Za-z][A-Za-z0-9+.-]+)://"
_S3: Final = frozenset({"s3", "s3a"})
_WEB_USER: Final = r"(?i)((?:git\+)?https?://)([^/?#@:]+)@"
_TOKEN: Final = r"(?a)(?:gh[pousr]_|github_pat_|glpat-|hf_|sk-|xox[abprs]-|eyJ).*|(?=.*[0-9])(?=.*[A-Za-z])[\w-]{20,}"
"""A user name that is none: it starts as those of well-known services, or is long and of letters and digits."""
_SIGNING: Final = (
    r"(?i)(?:x-amz-|x-goog-|x-oss-)?(?:sig|signature|credential|security-?token|token|access_?token|auth|authorization|"
    r"key|api_?key|password|passwd|pwd|secret|accesskeyid|awsaccesskeyid|googleaccessid|ossaccesskeyid|jwt)"
)


def without_secrets(url: str) -> str:
    """A URL without a password or token and without its query, which may hold a signature; a path as it is.

    >>> without_secrets("https://me:secret@host/data?sig=secret")
    'https://me:…@host/data?…'
    """
    if "://" not in url:
        return url
    user = re.match(_WEB_USER, url)
    if user is not None and re.fullmatch(_TOKEN, user[2]):
        url = f"{user[1]}…@{url[user.end() :]}"
    return re.sub(_QUERY, "?…", re.sub(_PASSWORD, r"\1:…@", url))


def secret_in(url: str, *, user: bool = False) -> str | None:
    """What of a URL must not be written where others read it, in words; None for nothing. With `user`, any user name of
    a web URL too, as nothing tells it from a token; the one for ssh only says whose account it is.

    >>> secret_in("https://me:pw@host/x"), secret_in("https://host/x?X-Amz-Signature=1"), secret_in("https://host/x?id=1")
    ('a password', 'X-Amz-Signature', None)
    >>> secret_in("https://ghp_abc@host/x"), secret_in("https://me@host/x"), secret_in("https://me@host/x", user=True)
    ('an access token', None, 'a user name')
    """
    scheme = re.match(_SCHEME, url)
    if scheme is None:
        return None
    if re.search(_PASSWORD, url[scheme.end() - 3 :]):
        return "a password"
    name = re.match(_WEB_USER, url)
    if name is not None and re.fullmatch(_TOKEN, name[2]):
        return "an access token"
    if name is not None and user:
        return "a user name"
    query = re.search(_QUERY, url)
    if query is None or scheme[1].lower() in _S3:  # whose keys may have a question mark
        return None
    return next((key for key, _ in parse_qsl(query[1], keep_blank_values=True) if re.fullmatch(_SIGNING, key)), None)
