"""What the exceptions of botocore, aiobotocore, aiohttp and the system's sockets mean for a remote on S3."""

from __future__ import annotations

import errno
import os
import socket
import ssl
from collections.abc import Mapping
from typing import Any, Final, cast

import aiohttp
from aiohttp.http_exceptions import HttpProcessingError
from botocore import exceptions as boto
from botocore.parsers import ResponseParserError

from datatool.errors import DatatoolError, NotARemote, RemoteBusy, RemoteDenied, RemoteError, RemoteUnreachable
from datatool.model.paths import show
from datatool.remote.stores.options import SLOW
from datatool.remote.stores.s3_answers import OTHER_LOGIN, Caller, Refusal, doing, retry_after
from datatool.remote.stores.s3_login import no_profile
from datatool.store.protocol import NameMissing
from datatool.store.retry import Stalled

FOREIGN: Final = (
    *(boto.BotoCoreError, boto.ClientError, boto.UndefinedModelAttributeError, ResponseParserError),
    *(aiohttp.ClientError, HttpProcessingError, OSError, ValueError, KeyError, TypeError, AttributeError),
)
"""Everything that a call of these libraries may raise. The last four are what they raise for answers that they did not
expect, such as a page of text in place of a document; TimeoutError is an OSError."""


class NotS3(Exception):
    """An answer that no S3 server would give, such as a page for people. Raised inside the libraries, never beyond."""


def _those(*names: str) -> tuple[type[BaseException], ...]:
    """Classes of botocore; its older versions lack some of them."""
    return tuple(getattr(boto, name) for name in names if hasattr(boto, name))


_LOGIN_AGAIN: Final = _those("SSOError", "LoginError")
_LOGIN_LOST: Final = _those(
    *("CredentialRetrievalError", "TokenRetrievalError", "NoAuthTokenError", "UnknownTokenProviderError"),
    *("RefreshWithMFAUnsupportedError", "MetadataRetrievalError", "PartialCredentialsError", "UnknownCredentialError"),
)
_SETTINGS_WRONG: Final = _those(
    *("ConfigParseError", "ConfigNotFound", "InvalidConfigError", "InvalidRegionError", "NoRegionError"),
    *("InvalidProxiesConfigError", "InvalidRetryConfigurationError", "InvalidDefaultsMode"),
    *("InvalidS3AddressingStyleError", "InvalidChecksumConfigError", "EndpointProviderError"),
    *("BaseEndpointResolverError", "InvalidIMDSEndpointError", "InvalidIMDSEndpointModeError"),
    "InvalidEndpointConfigurationError",
)
_TIMED_OUT: Final = (boto.ReadTimeoutError, TimeoutError, aiohttp.ServerTimeoutError)
_CUT: Final = (
    *_those("ConnectionClosedError", "ResponseStreamingError", "IncompleteReadError", "ChecksumError"),
    *_those("FlexibleChecksumError", "UnseekableStreamError", "CapacityNotAvailableError"),
    *(aiohttp.ClientPayloadError, aiohttp.ServerDisconnectedError, ConnectionResetError),
)
_NOBODY: Final = frozenset(
    {errno.ECONNREFUSED, errno.EHOSTUNREACH, errno.ENETUNREACH, errno.EHOSTDOWN, errno.ENETDOWN, errno.EADDRNOTAVAIL}
)


def translate(
    error: BaseException, caller: Caller, operation: str, name: str | None, *, timeout: float
) -> DatatoolError | NameMissing:
    """The error of ours for one of theirs; `operation` is what was asked, as botocore calls it."""
    if isinstance(error, DatatoolError | NameMissing):
        return error
    if isinstance(error, boto.ClientError):
        refusal = _refusal(error.response)
        return caller.login_refused(refusal, _asked(error)) or caller.explain(refusal, operation, name)
    label = caller.place.label
    if isinstance(error, NotS3):
        return NotARemote(
            f"{label}: {caller.place.service} answers as a web site does, not as S3: a login page?",
            hint="check the URL and endpoint_url, and whether the network wants a login",
            path=label,
        )
    if isinstance(error, boto.NoCredentialsError):
        return RemoteDenied(
            f"{label}: no credentials for {caller.place.service}: none in the remote's settings, the environment"
            " (AWS_ACCESS_KEY_ID), ~/.aws, or this machine's role",
            hint="aws configure, or datatool remote set NAME --local profile=…; for a public bucket:"
            " datatool remote set NAME anonymous=true",
            path=label,
        )
    if isinstance(error, _LOGIN_AGAIN):
        return caller.no_login(_text(error))
    if isinstance(error, _LOGIN_LOST):
        return RemoteDenied(f"{label}: {caller.login}: {_text(error)}", hint=OTHER_LOGIN, path=label)
    if isinstance(error, boto.ProfileNotFound):
        return no_profile(caller.place, str(getattr(error, "kwargs", {}).get("profile")), os.environ)
    if isinstance(error, _SETTINGS_WRONG):
        return RemoteError(
            f"{label}: {_text(error)}", hint="check the remote's settings, ~/.aws and the AWS_ variables", path=label
        )
    return _network(error, caller, operation, timeout)


def translate_login(error: BaseException, caller: Caller) -> DatatoolError:
    """The error of ours for what went wrong while the AWS library looked for credentials, which other services than S3
    may have."""
    if isinstance(error, boto.HTTPClientError | boto.ConnectionError | aiohttp.ClientError | OSError):
        return RemoteUnreachable(
            f"{caller.place.label}: {caller.login}: the credentials can't be fetched: {_text(error)}",
            hint=f"check the network and ~/.aws/config; {OTHER_LOGIN}",
            path=caller.place.label,
        )
    if isinstance(error, boto.ClientError):
        found = caller.login_refused(_refusal(error.response), _asked(error))
        return found or caller.no_login(f"no credentials: {_text(error)}")
    if isinstance(error, (boto.ProfileNotFound, *_LOGIN_AGAIN, *_LOGIN_LOST, *_SETTINGS_WRONG)):
        return cast(DatatoolError, translate(error, caller, "", None, timeout=0))
    return caller.no_login(f"no credentials: {_text(error)}")


def _asked(error: BaseException) -> str:
    """What was asked of a server, as it calls it."""
    return str(getattr(error, "operation_name", ""))


def _network(error: BaseException, caller: Caller, operation: str, timeout: float) -> RemoteError:
    label, service = caller.place.label, caller.place.service
    inner = _inner(error)
    if isinstance(error, boto.ProxyConnectionError):  # its text has the proxy's URL without a password
        return RemoteUnreachable(
            f"{label}: {_text(error)}", hint="check HTTP_PROXY, HTTPS_PROXY and NO_PROXY", path=label
        )
    if _is_about_tls(error) or _is_about_tls(inner):
        return _tls(inner, caller)
    if isinstance(inner, aiohttp.ClientConnectorDNSError | socket.gaierror):
        return RemoteUnreachable(
            f"{label}: the name of {service} can't be found",
            hint="check endpoint_url and the region, and whether this machine is on the network",
            path=label,
        )
    if isinstance(error, boto.ConnectTimeoutError) or isinstance(inner, aiohttp.ConnectionTimeoutError):
        return RemoteBusy(f"{label}: {service} does not answer", hint="check endpoint_url and the network", path=label)
    if isinstance(inner, OSError) and inner.errno is not None and inner.errno in _NOBODY:
        return RemoteUnreachable(
            f"{label}: nobody answers {caller.place.at}: {os.strerror(inner.errno)}",
            hint="check endpoint_url, and whether the service runs",
            path=label,
        )
    if isinstance(error, _TIMED_OUT) or isinstance(inner, _TIMED_OUT):
        return Stalled(
            f"{label}: nothing has moved for {timeout:g} seconds ({doing(operation)})", hint=SLOW, path=label
        )
    if isinstance(error, _CUT) or isinstance(inner, (*_CUT, OSError)):
        return RemoteBusy(f"{label}: the connection broke ({doing(operation)})", hint="try again", path=label)
    if isinstance(inner, HttpProcessingError | aiohttp.ClientResponseError):
        return RemoteBusy(f"{label}: the answer was not readable ({doing(operation)})", hint="try again", path=label)
    if isinstance(error, boto.HTTPClientError | boto.ConnectionError | aiohttp.ClientConnectionError):
        return RemoteBusy(
            f"{label}: the connection failed ({doing(operation)}: {_text(inner)})", hint="try again", path=label
        )
    if _is_unreadable(error):
        return NotARemote(
            f"{label}: the answer is not that of an S3 service ({doing(operation)})",
            hint="check the URL and endpoint_url, and whether the network wants a login",
            path=label,
        )
    return RemoteError(f"{label}: {doing(operation)} failed: {type(error).__name__}: {_text(error)}", path=label)


def _refusal(response: Mapping[str, Any]) -> Refusal:
    error = response.get("Error") or {}
    about = response.get("ResponseMetadata") or {}
    headers = about.get("HTTPHeaders") or {}
    return Refusal(
        status=int(about.get("HTTPStatusCode") or 0),
        code=str(error.get("Code") or ""),
        message=str(error.get("Message") or ""),
        region=error.get("Region") or headers.get("x-amz-bucket-region"),
        retry_after=retry_after(headers.get("retry-after")),
    )


def _inner(error: BaseException) -> BaseException:
    """What lies beneath a library's wrapping: the system's error where there is one."""
    seen = 0
    while seen < 8:
        seen += 1
        deeper = getattr(error, "kwargs", {}).get("error") if isinstance(error, boto.BotoCoreError) else None
        if deeper is None and isinstance(error, aiohttp.ClientConnectorError) and not _is_about_tls(error):
            deeper = None if isinstance(error, aiohttp.ClientConnectorDNSError) else error.os_error
        if deeper is None and isinstance(error, aiohttp.ClientConnectionError | aiohttp.ClientPayloadError):
            deeper = error.__cause__ if isinstance(error.__cause__, OSError) else None
        if not isinstance(deeper, BaseException) or deeper is error:
            break
        error = deeper
    return error


def _is_about_tls(error: BaseException) -> bool:
    return isinstance(error, boto.SSLError | ssl.SSLError | aiohttp.ClientSSLError | aiohttp.ServerFingerprintMismatch)


def _tls(error: BaseException, caller: Caller) -> RemoteError:
    label, service = caller.place.label, caller.place.service
    certificate = getattr(error, "certificate_error", error)
    if isinstance(certificate, ssl.CertificateError):
        why = getattr(certificate, "verify_message", "") or _text(certificate)
        return RemoteDenied(
            f"{label}: the certificate of {service} can't be trusted: {show(str(why))[:200]}",
            hint="for a certificate authority of your own: AWS_CA_BUNDLE=/path/to/ca.pem",
            path=label,
        )
    return RemoteError(
        f"{label}: no secure connection to {service}: {_text(error)}",
        hint="is it a plain http:// service? then endpoint_url has to say so",
        path=label,
    )


def _is_unreadable(error: BaseException) -> bool:
    return isinstance(error, ResponseParserError | ValueError | KeyError | TypeError | AttributeError)


def _text(error: BaseException) -> str:
    """A library's words, on one line and without what may be a secret: anything that a URL has behind its path."""
    words = " ".join(str(error).split())
    cut = [word.partition("?")[0] if "://" in word else word for word in words.split(" ")]
    return show(" ".join(cut))[:300]
