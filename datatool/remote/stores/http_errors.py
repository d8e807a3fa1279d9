"""What a web server's refusals, and the HTTP library's exceptions, mean for a remote."""

from __future__ import annotations

import asyncio
import os
import socket
import ssl
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from email.utils import parsedate_to_datetime
from typing import Final

import aiohttp
from aiohttp import http_exceptions
from aiohttp.client_exceptions import ClientConnectorCertificateError, ClientProxyConnectionError
from msgspec import Struct

from datatool.errors import DatatoolError, RemoteBusy, RemoteDenied, RemoteError, RemoteUnreachable
from datatool.model.paths import show
from datatool.remote.stores.http_identity import Identity
from datatool.remote.stores.options import SLOW
from datatool.store.protocol import NameMissing


class Cut(RemoteBusy):
    """An answer ended before all that it had promised was there."""


class Changed(RemoteBusy):
    """A file became another one while it was read."""


class WithoutRanges(Exception):
    """The server gave the whole where a part was asked for."""


class Place(Struct, frozen=True, kw_only=True):
    """A server for messages: `label` without secrets, `host`, and who we are there."""

    label: str
    host: str
    identity: Identity


_SILENT: Final = "sent nothing for too long"
MEANINGS: Final[tuple[tuple[type[BaseException], type[RemoteError], str], ...]] = (
    (ClientConnectorCertificateError, RemoteDenied, "its certificate is not trusted"),
    (ssl.SSLCertVerificationError, RemoteDenied, "its certificate is not trusted"),
    (aiohttp.ClientSSLError, RemoteError, "no encrypted connection came about"),
    (ssl.SSLError, RemoteError, "no encrypted connection came about"),
    (aiohttp.ServerFingerprintMismatch, RemoteDenied, "its certificate is not trusted"),
    (ClientProxyConnectionError, RemoteUnreachable, "the proxy can't be reached"),
    (aiohttp.ClientHttpProxyError, RemoteUnreachable, "the proxy refused the connection"),
    (socket.gaierror, RemoteUnreachable, "nobody knows the host"),
    (aiohttp.ClientConnectorDNSError, RemoteUnreachable, "nobody knows the host"),
    (aiohttp.ClientConnectorError, RemoteUnreachable, "can't be reached"),
    (aiohttp.ConnectionTimeoutError, RemoteUnreachable, "did not answer in time"),
    (aiohttp.ServerTimeoutError, RemoteBusy, _SILENT),
    (aiohttp.ClientPayloadError, Cut, "the connection broke"),
    (aiohttp.ClientConnectionError, RemoteBusy, "the connection broke"),
    (aiohttp.InvalidURL, RemoteError, "is no URL that can be used"),
    (aiohttp.ClientResponseError, RemoteError, "does not speak HTTP as it should"),
    (http_exceptions.HttpProcessingError, RemoteError, "does not speak HTTP as it should"),
    (aiohttp.ClientError, RemoteError, "the request failed"),
    (asyncio.TimeoutError, RemoteBusy, _SILENT),
    (OSError, RemoteBusy, "the connection broke"),
    (ValueError, RemoteError, "the request failed"),
    (RuntimeError, RemoteError, "the request failed"),
)
"""The exceptions that requests raise, the special before the general, and what each is for a remote."""

_TOO_MANY: Final = 429
_BUSY: Final = frozenset({408, 425, _TOO_MANY})
_GONE: Final = frozenset({404, 410})
DENIED: Final = frozenset({401, 403})


@contextmanager
def translated(place: Place) -> Iterator[None]:
    """Let nothing foreign out: errors of the HTTP library become RemoteError and its kin."""
    try:
        yield
    except (DatatoolError, WithoutRanges):
        raise
    except (aiohttp.ClientError, http_exceptions.HttpProcessingError, OSError, ValueError, RuntimeError) as error:
        raise translate(error, place) from error


def translate(error: Exception, place: Place) -> RemoteError:
    """The RemoteError for an exception of the HTTP library."""
    if isinstance(error, aiohttp.ClientHttpProxyError) and error.status == 407:
        return RemoteDenied(
            f"{place.label}: the proxy wants credentials", hint="put them into the proxy's URL: http://USER:PASSWORD@…"
        )
    if isinstance(error, aiohttp.ClientConnectorError) and isinstance(error.os_error, socket.gaierror):
        return _unreachable(f"{place.label}: nobody knows the host {place.host}")
    kind, text = next((kind, text) for foreign, kind, text in MEANINGS if isinstance(error, foreign))
    detail = _detail(error)
    message = f"{place.label}: {text}{f' ({show(detail)})' if detail else ''}"
    if kind is RemoteDenied:
        return RemoteDenied(
            message, hint="if an authority of your own signed it, set SSL_CERT_FILE to the file with its certificate"
        )
    if kind is RemoteUnreachable:
        return _unreachable(message)
    if isinstance(error, (aiohttp.ClientSSLError, ssl.SSLError)):
        return kind(message, hint=f"if the server speaks plain HTTP: datatool remote set NAME url=http://{place.host}…")
    if kind is RemoteError:
        return kind(message, hint="check that the remote's URL is that of a web server")
    return kind(message, hint=SLOW if text == _SILENT else "try again")


def refusal(status: int, headers: Mapping[str, str], place: Place, name: str) -> RemoteError | NameMissing:
    """What an answer means that is neither a success nor a redirect."""
    if status in _GONE:
        return NameMissing(name)
    if status in DENIED:
        return RemoteDenied(f"{place.label}: access denied {place.identity.shown} (HTTP {status})", hint=_hint(place))
    if status in _BUSY or status >= 500:
        asked = retry_after(headers.get("Retry-After"), now=time.time())
        hint = "fewer requests at once may help: -j 2" if status == _TOO_MANY else None
        message = f"{place.label}: the server is busy or in trouble (HTTP {status})"
        return RemoteBusy(message, hint=hint, retry_after=asked)
    return RemoteError(f"{place.label}: the server refused {name} (HTTP {status})")


def denied_elsewhere(status: int, origin: str, place: Place) -> RemoteDenied:
    """The error where a redirect led to another server, which got no credentials and wants some."""
    return RemoteDenied(
        f"{place.label}: redirects to {origin}, which denies access without credentials (HTTP {status})",
        hint="credentials go to the remote's own server only: give the remote the URL that it redirects to, if that is "
        "where they belong",
    )


def retry_after(text: str | None, *, now: float) -> float | None:
    """Seconds to wait, from a `Retry-After` header in either of its forms.

    >>> retry_after("7", now=0.0)
    7.0
    """
    if text is None:
        return None
    if text.isascii() and text.isdigit():
        return float(text[:9])
    try:
        return max(0.0, parsedate_to_datetime(text).timestamp() - now)
    except ValueError:
        return None


def _hint(place: Place) -> str:
    if place.identity.header is None:
        return (
            "datatool remote set NAME user=… password=… (or token=…), or a line for "
            f"{place.host} in ~/.netrc; a bucket that may not be listed also says this of a name that is not there"
        )
    return "check that the credentials are right and may read there"


def _unreachable(message: str) -> RemoteUnreachable:
    return RemoteUnreachable(message, hint="check the address and the network, then try again")


def _detail(error: Exception) -> str:
    """What the system said, where it says something; never the library's own text, which may quote a URL."""
    inner = error.os_error if isinstance(error, aiohttp.ClientConnectorError) else error
    if isinstance(inner, ssl.SSLCertVerificationError):
        return inner.verify_message
    if isinstance(inner, ssl.SSLError):
        return (inner.reason or "").lower().replace("_", " ")
    if isinstance(inner, OSError) and inner.errno is not None:
        return os.strerror(inner.errno).lower()
    return ""
