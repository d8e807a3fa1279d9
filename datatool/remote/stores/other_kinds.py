"""Which other filesystems of fsspec can be remotes, or be read at least, and how each is told where and as whom.

A remote needs a store in which a name is absent, old or complete. So a protocol is for remotes only if a single upload
appears as a whole, or can be moved to its name; many that fsspec knows do neither, and their names could be seen
half written. To read what others keep there, more will do.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, Final
from urllib.parse import unquote, urlsplit

from fsspec.registry import get_filesystem_class
from msgspec import Struct

from datatool.errors import RemoteError
from datatool.remote.stores.options import StoreOptions
from datatool.remote.url import RemoteUrl

Move = Callable[[Any, str, str], None]
"""Gives a file another name at once, replacing what had it."""


class Kind(Struct, frozen=True, kw_only=True):
    """One protocol: fsspec's name for it, the package that brings it, which of our settings it takes under which
    name. With `move`, uploads go to a temporary name first; without, a name appears with all its bytes or not."""

    protocol: str
    package: str
    arguments: Mapping[str, str]
    move: Move | None = None
    walks: bool = False
    """A listing is a request for each directory. fsspec's own would pass over those that fail."""
    threads: bool = True
    """Several threads may use it at once."""


class Opened(Struct, frozen=True, kw_only=True):
    """A filesystem, the path of the remote in it, and how names are published there."""

    filesystem: Any
    top: str
    move: Move | None = None
    walks: bool = False
    close: Callable[[], None] | None = None
    """Ends its connections, where they do not end by themselves."""


def _move_over_webdav(filesystem: Any, source: str, target: str) -> None:
    filesystem.client.move(source, target, overwrite=True)


_GOOGLE: Final = Kind(
    protocol="gs",
    package="gcsfs",
    arguments={"token": "token", "keyfile": "token", "endpoint_url": "endpoint_url"},
)
_AZURE: Final = Kind(
    protocol="abfs",
    package="adlfs",
    arguments={"user": "account_name", "password": "account_key", "token": "sas_token"},
)
_WEBDAV: Final = Kind(protocol="webdav", package="webdav4", arguments={}, move=_move_over_webdav, walks=True)

KINDS: Final[Mapping[str, Kind]] = MappingProxyType(
    {
        "gs": _GOOGLE,
        "gcs": _GOOGLE,
        "az": _AZURE,
        "abfs": _AZURE,
        "webdav": _WEBDAV,
        "webdavs": _WEBDAV,
    }
)
"""By the protocol of a remote's URL."""

READABLE: Final[Mapping[str, Kind]] = MappingProxyType(
    {
        "ftp": Kind(
            protocol="ftp",
            package="fsspec",
            arguments={"user": "username", "password": "password", "port": "port"},
            walks=True,
            threads=False,
        ),
        "hf": Kind(protocol="hf", package="huggingface_hub", arguments={"token": "token"}),
        "oss": Kind(
            protocol="oss",
            package="ossfs",
            arguments={"endpoint_url": "endpoint", "access_key_id": "key", "secret_access_key": "secret"},
        ),
        "smb": Kind(
            protocol="smb",
            package="smbprotocol",
            arguments={"user": "username", "password": "password", "port": "port"},
            walks=True,
            threads=False,
        ),
        "webhdfs": Kind(protocol="webhdfs", package="requests", arguments={"user": "user", "token": "token"}),
        "hdfs": Kind(protocol="hdfs", package="pyarrow", arguments={"user": "user"}, walks=True),
    }
)
"""What can't be a remote, by protocol. Only filesystems that lie elsewhere: none that wraps another, or is this
machine."""


def kind_of(url: RemoteUrl) -> Kind:
    """The kind of a URL. Raises RemoteError for a protocol that can't be a remote."""
    kind = KINDS.get(url.protocol)
    if kind is None:
        able = ", ".join(f"{protocol}://" for protocol in KINDS)
        raise RemoteError(
            f"{url.shown}: {url.protocol}:// can't be used as a remote: a file could be seen there half written",
            hint=f"a directory, s3://, ssh://, https:// (read only), {able} can",
        )
    return kind


def readable(url: RemoteUrl) -> Kind:
    """The kind of a URL whose files are only to be read. Raises RemoteError for a protocol that can't be."""
    kind = KINDS.get(url.protocol) or READABLE.get(url.protocol)
    if kind is None:
        able = ", ".join(f"{protocol}://" for protocol in (*KINDS, *READABLE))
        raise RemoteError(
            f"{url.shown}: {url.protocol}:// can't be read from",
            hint=f"a path, file://, s3://, ssh://, https://, {able} can",
        )
    return kind


def open_filesystem(url: RemoteUrl, settings: Mapping[str, str], options: StoreOptions) -> Opened:
    """The filesystem for a remote. Raises RemoteError for a protocol that can't be one, or whose package is not
    installed."""
    return _open(kind_of(url), url, settings, options)


def open_to_read(url: RemoteUrl, settings: Mapping[str, str], options: StoreOptions) -> Opened:
    """The filesystem for files that are only read. Raises RemoteError as `readable`, and for a package that is not
    installed."""
    return _open(readable(url), url, settings, options)


def _open(kind: Kind, url: RemoteUrl, settings: Mapping[str, str], options: StoreOptions) -> Opened:
    try:
        found = get_filesystem_class(kind.protocol)
    except ImportError as error:
        raise RemoteError(
            f"{url.shown}: {url.protocol}:// needs the package {kind.package}",
            hint=f"pip install {kind.package}, into the environment that datatool runs in",
        ) from error
    if kind is _WEBDAV:
        arguments, top = _webdav(url, settings, options)
    else:
        arguments = {**found._get_kwargs_from_urls(url.path), **_arguments(kind, settings), "use_listings_cache": False}
        top = found._strip_protocol(url.path)
    filesystem = found(skip_instance_cache=True, **arguments)
    close = filesystem.client.http.close if kind is _WEBDAV else None
    return Opened(filesystem=filesystem, top=top.rstrip("/"), move=kind.move, walks=kind.walks, close=close)


def _arguments(kind: Kind, settings: Mapping[str, str]) -> dict[str, Any]:
    return {theirs: settings[ours] for ours, theirs in kind.arguments.items() if settings.get(ours)}


def _webdav(url: RemoteUrl, settings: Mapping[str, str], options: StoreOptions) -> tuple[dict[str, Any], str]:
    split = urlsplit(url.path)
    port = split.port or settings.get("port")
    scheme = "https" if url.protocol == "webdavs" else "http"
    arguments: dict[str, Any] = {
        "base_url": f"{scheme}://{split.hostname}{f':{port}' if port else ''}/",
        "timeout": options.timeout,
        "retry": False,
    }
    user = settings.get("user") or unquote(split.username or "")
    password = settings.get("password") or unquote(split.password or "")
    if settings.get("token"):
        arguments["headers"] = {"Authorization": f"Bearer {settings['token']}"}
    elif user:
        arguments["auth"] = (user, password)
    return arguments, unquote(split.path).strip("/")
