"""What the refusal of an S3 server means, whichever library brought it, and what to do about it.

The codes are those of Amazon's list (https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html) and a few
that other servers send; where a server sends none, the status of the answer has to do.
"""

from __future__ import annotations

import shlex
import time
from email.utils import parsedate_to_datetime
from typing import Final

from msgspec import Struct

from datatool.errors import DatatoolError, NotARemote, RemoteBusy, RemoteDenied, RemoteError
from datatool.model.paths import show
from datatool.remote.stores.s3_place import Place
from datatool.store.protocol import NameMissing

OTHER_LOGIN: Final = "datatool remote set NAME --local profile=… uses another login"
"""What to say where the login is at fault."""

_DOING: Final = {
    "list_objects_v2": ("list it", "s3:ListBucket"),
    "head_bucket": ("list it", "s3:ListBucket"),
    "get_object": ("read", "s3:GetObject"),
    "head_object": ("read", "s3:GetObject"),
    "delete_objects": ("delete", "s3:DeleteObject"),
    "list_multipart_uploads": ("list unfinished uploads", "s3:ListBucketMultipartUploads"),
    "list_parts": ("list the parts of an upload", "s3:ListMultipartUploadParts"),
    "abort_multipart_upload": ("end an upload", "s3:AbortMultipartUpload"),
}
"""What a request does, in words, and the right that it takes; all others write."""
_WRITING: Final = ("write", "s3:PutObject")

_WHILE: Final = {
    "list_objects_v2": "listing it",
    "head_bucket": "looking at the bucket",
    "get_object": "reading",
    "head_object": "looking at an object",
    "put_object": "writing",
    "delete_objects": "deleting",
    "delete_object": "deleting",
    "create_multipart_upload": "beginning an upload",
    "upload_part": "sending a part of a file",
    "complete_multipart_upload": "ending an upload",
    "abort_multipart_upload": "giving up an upload",
    "list_multipart_uploads": "listing unfinished uploads",
    "list_parts": "listing the parts of an upload",
}

_LOGIN: Final = frozenset(
    {
        *("AssumeRole", "AssumeRoleWithWebIdentity", "AssumeRoleWithSAML", "GetRoleCredentials", "GetSessionToken"),
        *("CreateToken", "CreateOAuth2Token", "GetId", "GetCredentialsForIdentity"),
    }
)
"""What is asked of other services than S3, as they call it, before it is known who asks."""

_GONE: Final = frozenset({"NoSuchKey", "NotFound"})
_NO_CODE: Final = frozenset({"", "404"})
"""The code of an answer with status 404 and no document; what botocore calls it is the second."""
_WITHOUT_DOCUMENT: Final = frozenset({"head_object", "head_bucket"})
"""Requests that are answered without a document: all that says "not there" is the status."""
_NO_KEY: Final = frozenset({"InvalidAccessKeyId", "InvalidClientTokenId", "UnrecognizedClientException"})
_WRONG_SECRET: Final = frozenset({"SignatureDoesNotMatch", "IncompleteSignature"})
_EXPIRED: Final = frozenset(
    {"ExpiredToken", "ExpiredTokenException", "TokenRefreshRequired", "InvalidToken", "RequestExpired"}
)
_SKEWED: Final = frozenset({"RequestTimeTooSkewed", "RequestInTheFuture"})
_REGION: Final = frozenset({"AuthorizationHeaderMalformed", "IllegalLocationConstraintException", "PermanentRedirect"})
_BUSY: Final = frozenset(
    {
        *("SlowDown", "SlowDownRead", "SlowDownWrite", "ServiceUnavailable", "InternalError", "InternalFailure"),
        *("RequestTimeout", "RequestTimeoutException", "Throttling", "ThrottlingException", "ThrottledException"),
        *("TooManyRequests", "TooManyRequestsException", "RequestLimitExceeded", "RequestThrottled", "Busy"),
        *("BandwidthLimitExceeded", "OperationAborted", "ConditionalRequestConflict", "PriorRequestNotComplete"),
        *("TransactionInProgressException", "TemporaryRedirect", "ServerBusy", "XMinioServerNotInitialized"),
        # The bytes were damaged or cut on their way: sent again, they may arrive whole.
        *("BadDigest", "IncompleteBody", "XAmzContentSHA256Mismatch", "XAmzContentChecksumMismatch"),
    }
)
_DENIED: Final = frozenset(
    {
        *("AccessDenied", "AccessDeniedException", "AccountProblem", "AllAccessDisabled", "Forbidden"),
        *("InvalidPayer", "InvalidSecurity", "NotSignedUp", "UnauthorizedAccess", "Unauthorized"),
        *("KMS.DisabledException", "InvalidObjectState"),
    }
)


class Refused(RemoteError):
    """A refusal that means nothing in general, but may to whoever asked: `code` and `status` are the server's."""

    def __init__(self, message: str, *, code: str, status: int, path: str) -> None:
        super().__init__(message, path=path)
        self.code = code
        self.status = status


class Refusal(Struct, frozen=True, kw_only=True):
    """An answer that is no success. `code` and `message` are the server's; `region` the one that it names."""

    status: int
    code: str = ""
    message: str = ""
    region: str | None = None
    retry_after: float | None = None


class Caller(Struct, frozen=True, kw_only=True):
    """Who asks whom, for messages: the place, the login as it is called, the region that is signed for."""

    place: Place
    login: str
    region: str | None = None
    profile: str | None = None
    """The profile of the AWS tools that the login comes from, where it is known."""
    ahead: float | None = None
    """Seconds by which the server's clock is ahead of this machine's, where that is known."""

    def no_login(self, why: str) -> RemoteDenied:
        """The error where there are no valid credentials, for a reason in a library's or a server's words."""
        return self._denied(f"{self.login}: {why}", self.renew)

    def expired(self, error: RuntimeError) -> RemoteDenied | None:
        """The error where this is how botocore says that new credentials are old already: it has no class for that."""
        if "credentials are still expired" not in str(error):
            return None
        return self.no_login("the credentials that were fetched have expired")

    def login_refused(self, refusal: Refusal, asked: str) -> RemoteDenied | None:
        """The error for a refusal of what was `asked` for credentials; None where it was asked of S3."""
        if asked not in _LOGIN:
            return None
        said = ": ".join(part for part in (refusal.code, refusal.message) if part and not part.isdigit())
        words = f" ({show(' '.join(said.split()))[:300]})" if said else f" (status {refusal.status})"
        return self.no_login(f"{asked} was refused, so there are no credentials{words}")

    @property
    def renew(self) -> str:
        """What to do about credentials that are not valid any more, or never came to be."""
        profile = "" if self.profile is None else f" --profile {shlex.quote(show(self.profile))}"
        return f"log in again (aws sso login{profile}, or wherever the keys come from); {OTHER_LOGIN}"

    def explain(self, refusal: Refusal, operation: str, name: str | None) -> DatatoolError | NameMissing:
        """What to raise for a refusal of `operation` (as botocore calls it) on `name`."""
        code, status, place = refusal.code, refusal.status, self.place
        mute = status == 404 and code in _NO_CODE
        if name is not None and (code in _GONE or (mute and operation in _WITHOUT_DOCUMENT)):
            return NameMissing(name)
        if code in _BUSY or status in (408, 429) or (status >= 500 and status != 501 and code != "NotImplemented"):
            return self._busy(refusal)
        if code == "NoSuchBucket" or (operation == "head_bucket" and status == 404):
            return self._error(
                f"{place.service} has no bucket {place.bucket}",
                f"create the bucket (aws s3 mb s3://{place.bucket}{self._endpoint_option}), or check its name",
            )
        if mute:  # S3 says what is not there; to believe any web server would call the remote empty
            return NotARemote(
                f"{place.label}: {place.service} does not answer as S3 does (404 without a code): another server?",
                hint="check the URL and endpoint_url",
                path=place.label,
            )
        if code in _REGION or (300 <= status < 400 and refusal.region is not None):
            return self._other_region(refusal)
        if 300 <= status < 400:
            return NotARemote(
                f"{place.label}: redirects elsewhere, as no S3 service does: a login page?",
                hint="check the URL and endpoint_url, and whether the network wants a login",
                path=place.label,
            )
        if code in _SKEWED:
            return self._denied(f"this machine's clock is wrong{self._skew}", "set the clock, then try again")
        if code in _NO_KEY:
            return self._denied(f"{place.service} does not know {self.login}", OTHER_LOGIN)
        if code in _WRONG_SECRET:
            return self._denied(
                f"the secret key does not belong to {self.login}", f"check secret_access_key; {OTHER_LOGIN}"
            )
        if code in _EXPIRED:
            return self._denied(
                f"the session of {self.login} has expired",
                self.renew,
            )
        if code in _DENIED or status in (401, 403):
            words, right = _DOING.get(operation, _WRITING)
            return self._denied(
                f"{self.login} may not {words}{_named(code)}",
                f"ask the bucket's owner for {right}; {OTHER_LOGIN}",
            )
        said = f"{code}: {refusal.message}" if code and refusal.message else code or refusal.message
        return Refused(
            f"{place.label}: {doing(operation)} was refused (status {status}): {show(said)[:300]}",
            code=code,
            status=status,
            path=place.label,
        )

    @property
    def _endpoint_option(self) -> str:
        return "" if self.place.endpoint is None else f" --endpoint-url {self.place.endpoint}"

    @property
    def _skew(self) -> str:
        if self.ahead is None or abs(self.ahead) < 60:
            return ""
        minutes = round(abs(self.ahead) / 60)
        return (
            f": it is {minutes} minute{'s' * (minutes != 1)} {'behind' if self.ahead > 0 else 'ahead of'} the server's"
        )

    def _busy(self, refusal: Refusal) -> RemoteBusy:
        said = refusal.code or f"status {refusal.status}"
        return RemoteBusy(
            f"{self.place.label}: the service is busy or had a problem ({show(said)[:60]})",
            hint="try again in a while",
            path=self.place.label,
            retry_after=refusal.retry_after,
        )

    def _other_region(self, refusal: Refusal) -> RemoteError:
        used = "" if self.region is None else f", not {self.region}"
        if refusal.region is None:
            return self._error(
                f"the bucket is in another region{used and ' than ' + str(self.region)}",
                "datatool remote set NAME region=… names the bucket's region",
            )
        region = show(refusal.region)[:60]
        return self._error(f"the bucket is in region {region}{used}", f"datatool remote set NAME region={region}")

    def _denied(self, what: str, hint: str) -> RemoteDenied:
        return RemoteDenied(f"{self.place.label}: {what}", hint=hint, path=self.place.label)

    def _error(self, what: str, hint: str) -> RemoteError:
        return RemoteError(f"{self.place.label}: {what}", hint=hint, path=self.place.label)


def doing(operation: str) -> str:
    """What is done by a request that botocore calls so, in words.

    >>> doing("get_object"), doing("get_bucket_acl")
    ('reading', 'get bucket acl')
    """
    return _WHILE.get(operation) or operation.replace("_", " ") or "the request"


def retry_after(header: str | None, now: float | None = None) -> float | None:
    """Seconds that a `Retry-After` asks for; None where it is missing or means nothing.

    >>> retry_after("120"), retry_after("Thu, 01 Jan 1970 00:00:10 GMT", now=4.0)
    (120.0, 6.0)
    """
    if header is None:
        return None
    if header.strip().isascii() and header.strip().isdigit():
        return float(header.strip()[:9])
    try:
        return max(0.0, parsedate_to_datetime(header).timestamp() - (time.time() if now is None else now))
    except (ValueError, OverflowError):
        return None


def _named(code: str) -> str:
    return f" ({show(code)[:60]})" if code and not code.isdigit() else ""
