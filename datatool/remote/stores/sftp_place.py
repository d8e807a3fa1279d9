"""Where an SFTP remote lies: what a URL and the remote's settings say, before anything is contacted.

ssh://[user@]host[:port]/absolute/path      sftp:// is the same
ssh://[user@]host[:port]/~/path             from the user's home directory there, as git writes it
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from ipaddress import IPv6Address
from typing import Final
from urllib.parse import unquote, unquote_to_bytes, urlsplit

from msgspec import Struct

from datatool.errors import UsageError
from datatool.model.paths import show
from datatool.remote.url import RemoteUrl

# A host or user may end up in a command of the user's own ssh configuration (ProxyCommand), so neither can be taken
# for an option there, or for more than one word. Case is kept: names in that configuration have it.
_HOST: Final = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,252}", re.ASCII)
_USER: Final = re.compile(r"[A-Za-z0-9_.][A-Za-z0-9_.@+\\-]{0,99}", re.ASCII)
_LITERAL: Final = re.compile(r"\[([^\[\]]+)\]")
_HOME: Final = "/~"


class Place(Struct, frozen=True, kw_only=True):
    """A directory on a host. `port` and `user` are None where the user's ssh configuration is to say; `path` has no
    slash at its end, so the server's root is empty, and the user's home directory is `.`."""

    host: str
    port: int | None
    user: str | None
    path: bytes
    shown: str


def parse_place(url: RemoteUrl, settings: Mapping[str, str]) -> Place:
    """The place that a URL means, where the settings `user` and `port` win over what it says. Raises UsageError.

    >>> url = RemoteUrl(protocol="ssh", path="ssh://me@lab/~/data", shown="ssh://me@lab/~/data")
    >>> parse_place(url, {"port": "2222"}).path
    b'./data'
    """
    try:
        split = urlsplit(url.path)
        port = split.port
    except ValueError as error:
        raise UsageError(f"{url.shown}: is no URL: {error}") from error
    login, _, address = split.netloc.rpartition("@")
    user, colon, _ = login.partition(":")
    if colon:
        raise UsageError(
            f"{url.shown}: a password has no place in a URL",
            hint="datatool remote set NAME --local password=… keeps it out of git",
        )
    if split.query or split.fragment or "?" in url.path or "#" in url.path:
        raise UsageError(
            f"{url.shown}: what stands behind ? or # means nothing here", hint="write %3F and %23 in names"
        )
    return Place(
        host=_host(address, url.shown),
        port=_port(settings.get("port"), port, url.shown),
        user=_user(settings.get("user") or unquote(user), url.shown),
        path=_path(split.path, url.shown),
        shown=url.shown,
    )


def check_place(url: RemoteUrl, settings: Mapping[str, str]) -> None:
    """Raise UsageError as `parse_place` does."""
    parse_place(url, settings)


def _host(address: str, shown: str) -> str:
    literal = _LITERAL.match(address)
    if literal is not None:
        try:
            return str(IPv6Address(literal[1]))
        except ValueError:
            raise UsageError(f"{shown}: {show(literal[1])} is no IPv6 address") from None
    host = address.partition(":")[0]
    if _HOST.fullmatch(host) is None:
        raise UsageError(
            f"{shown}: {show(host)} is no name of a host",
            hint="letters, digits, dots, dashes; none but the first two at its start",
        )
    return host


def _port(setting: str | None, port: int | None, shown: str) -> int | None:
    if not setting:
        found = port
    elif setting.isascii() and setting.isdigit():
        found = int(setting)
    else:
        found = 0
    if found is not None and not 0 < found < 65536:
        raise UsageError(f"{shown}: {show(setting or str(port))} is no port")
    return found


def _user(user: str, shown: str) -> str | None:
    if user and _USER.fullmatch(user) is None:
        raise UsageError(f"{shown}: {show(user)} is no name of a user")
    return user or None


def _path(path: str, shown: str) -> bytes:
    if not path:
        raise UsageError(
            f"{shown}: names no directory", hint="ssh://host/absolute/path, or ssh://host/~/path for one in your home"
        )
    at_home = path == _HOME or path.startswith(_HOME + "/")
    if path.startswith(_HOME) and not at_home:
        raise UsageError(f"{shown}: only ~ itself can be used, not the home of another user")
    raw = unquote_to_bytes(path[len(_HOME) :] if at_home else path)
    if any(byte < 0x20 or byte == 0x7F for byte in raw):
        raise UsageError(f"{shown}: a control character can't be part of the path")
    parts = [part for part in raw.split(b"/") if part not in (b"", b".")]
    if b".." in parts:
        raise UsageError(f"{shown}: .. can't be part of the path")
    return b"/".join([b"." if at_home else b"", *parts])
