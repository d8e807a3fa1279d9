"""What the exceptions of obstore mean for a remote on S3.

obstore has few classes, and says the rest in words: the status of an answer, the server's document, and at the end a
picture of the error inside. What is looked for here is in the tests, so that another wording is noticed.
"""

from __future__ import annotations

import re
from typing import Final

from obstore import exceptions as obs

from datatool.errors import DatatoolError, NotARemote, RemoteBusy, RemoteDenied, RemoteError, RemoteUnreachable
from datatool.model.paths import show
from datatool.remote.stores.options import SLOW
from datatool.remote.stores.s3_answers import OTHER_LOGIN, Caller, Refusal, doing
from datatool.store.protocol import NameMissing
from datatool.store.retry import Stalled

FOREIGN: Final = (obs.BaseError, OSError, ValueError, TypeError)
"""Everything that a call of obstore may raise: besides its own, FileNotFoundError and ValueError."""

_STATUS: Final = re.compile(r"status code: (\d{3})")
_CODE: Final = re.compile(r"<Code>([^<]{1,100})</Code>")
_MESSAGE: Final = re.compile(r"<Message>([^<]{1,300})</Message>")
_REGION: Final = re.compile(r"<Region>([^<]{1,60})</Region>")
_KIND: Final = re.compile(r"\bkind: (\w+)")
_NAME: Final = re.compile(
    r"dns error|failed to lookup address|Name or service not known|no record found", re.IGNORECASE
)
_REFUSED: Final = re.compile(r"refused|unreachable|no route", re.IGNORECASE)
_CERTIFICATE: Final = re.compile(r"certificate|UnknownIssuer|NotValidForName|self.signed", re.IGNORECASE)
_TLS: Final = re.compile(r"InvalidContentType|corrupt message|handshake|\btls\b|ssl", re.IGNORECASE)
_NO_DOCUMENT: Final = re.compile(r"Got invalid|invalid XML|Failed to parse|missing field|ETag", re.IGNORECASE)


def is_about_ranges(error: BaseException) -> bool:
    """Whether the server answered a range with the whole."""
    return isinstance(error, obs.GenericError) and "non-partial response" in str(error)


def translate(error: BaseException, caller: Caller, operation: str, name: str | None) -> DatatoolError | NameMissing:
    """The error of ours for one of obstore's; `operation` is what was asked, as botocore calls it."""
    if isinstance(error, DatatoolError | NameMissing):
        return error
    text = str(error)
    label, service = caller.place.label, caller.place.service
    status = _STATUS.search(text)
    if status is not None:
        return caller.explain(_refusal(int(status[1]), text), operation, name)
    if isinstance(error, FileNotFoundError) and name is not None:
        return NameMissing(name)
    if "redirect" in text and "region" in text:
        return caller.explain(Refusal(status=301, code="PermanentRedirect"), operation, name)
    kind = _KIND.search(text)
    if kind is not None:
        return _network(kind[1], text, caller, operation)
    if isinstance(error, obs.PermissionDeniedError | obs.UnauthenticatedError):
        return RemoteDenied(f"{label}: {caller.login} was refused by {service}", hint=OTHER_LOGIN, path=label)
    if _NO_DOCUMENT.search(text):
        return NotARemote(
            f"{label}: the answer is not that of an S3 service ({doing(operation)})",
            hint="check the URL and endpoint_url, and whether the network wants a login",
            path=label,
        )
    return RemoteError(f"{label}: {doing(operation)} failed: {_words(text)}", path=label)


def _network(kind: str, text: str, caller: Caller, operation: str) -> RemoteError:
    label, service = caller.place.label, caller.place.service
    if kind == "Timeout" or "TimedOut" in text:
        return Stalled(f"{label}: {service} took too long ({doing(operation)})", hint=SLOW, path=label)
    if kind != "Connect":
        return RemoteBusy(f"{label}: the connection broke ({doing(operation)})", hint="try again", path=label)
    if _NAME.search(text):
        return RemoteUnreachable(
            f"{label}: the name of {service} can't be found",
            hint="check endpoint_url and the region, and whether this machine is on the network",
            path=label,
        )
    if _CERTIFICATE.search(text):
        return RemoteDenied(
            f"{label}: the certificate of {service} can't be trusted",
            hint="for a certificate authority of your own: AWS_CA_BUNDLE=/path/to/ca.pem",
            path=label,
        )
    if _REFUSED.search(text):
        return RemoteUnreachable(
            f"{label}: nobody answers {caller.place.at}",
            hint="check endpoint_url, and whether the service runs",
            path=label,
        )
    if _TLS.search(text):
        return RemoteError(
            f"{label}: no secure connection to {service}",
            hint="is it a plain http:// service? then endpoint_url has to say so",
            path=label,
        )
    return RemoteBusy(f"{label}: no connection to {service}", hint="check endpoint_url and the network", path=label)


def _refusal(status: int, text: str) -> Refusal:
    code, message, region = _CODE.search(text), _MESSAGE.search(text), _REGION.search(text)
    return Refusal(
        status=status,
        code=code[1] if code else "",
        message=message[1] if message else "",
        region=region[1] if region else None,
    )


def _words(text: str) -> str:
    """The words of an error, without the picture of what is inside it, and without the queries of URLs."""
    words = text.partition("Debug source")[0].split()
    return show(" ".join(word.partition("?")[0] if "://" in word else word for word in words))[:300]
