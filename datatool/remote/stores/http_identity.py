"""Who we are at a web server: a token, a user with a password, a line of ~/.netrc, or nobody."""

from __future__ import annotations

import netrc
import os
from base64 import b64encode
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import unquote, urlsplit

from datatool.errors import UsageError


@dataclass(frozen=True, kw_only=True, slots=True)
class Identity:
    """What is said to the server, and how messages call it. The header is a secret: it is never shown."""

    shown: str
    header: str | None = field(default=None, repr=False)


def find_identity(url: str, settings: Mapping[str, str], environment: Mapping[str, str]) -> Identity:
    """The token or password of the settings; those of the URL; the user's ~/.netrc (or `$NETRC`); else nobody.

    Raises UsageError for a credential that can't stand in a header.

    >>> find_identity("https://example.org/data", {"user": "me", "password": "x"}, {}).shown
    'as me'
    """
    split = urlsplit(url)
    token = settings.get("token")
    if token:
        return Identity(shown="with the remote's token", header=f"Bearer {_clean(token)}")
    user = settings.get("user") or unquote(split.username or "")
    password = settings.get("password") or unquote(split.password or "")
    if user and password:
        return Identity(shown=f"as {user}", header=basic(user, password))
    path = Path(environment.get("NETRC") or Path.home() / ("_netrc" if os.name == "nt" else ".netrc"))
    return _from_netrc(path, split.hostname or "", user)


def _from_netrc(path: Path, host: str, user: str) -> Identity:
    nobody = Identity(shown=f"as {user}, without a password" if user else "without credentials")
    try:
        found = netrc.netrc(path).authenticators(host)
    except FileNotFoundError:
        return nobody
    except netrc.NetrcParseError as error:  # its text may hold what was meant as a password
        return Identity(shown=f"{nobody.shown} (line {error.lineno} of {path} can't be understood)")
    except (OSError, ValueError):
        return Identity(shown=f"{nobody.shown} ({path} can't be read)")
    if found is None:
        return nobody
    login, _, password = found
    if user and login != user:
        return nobody
    return Identity(shown=f"as {login}, by {path}", header=basic(login, password or ""))


def basic(user: str, password: str) -> str:
    """The header for a user and a password. Raises UsageError for what can't stand in a header."""
    pair = f"{_clean(user)}:{_clean(password)}".encode()
    return f"Basic {b64encode(pair).decode()}"


def _clean(credential: str) -> str:
    if not credential.isprintable():
        raise UsageError(
            "the remote's credentials hold a control character",
            hint="set user, password or token again, without a line break",
        )
    return credential
