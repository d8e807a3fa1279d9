"""Requests through obstore: its handles for one place and login, and its errors in our words."""

from __future__ import annotations

import os
import ssl
import threading
import urllib.error
import urllib.request
from collections.abc import Callable
from datetime import timedelta
from typing import Any, Final, TypeVar

import obstore
from msgspec.structs import replace
from obstore.store import S3Store as Handle

from datatool.errors import NotARemote, RemoteBusy, RemoteDenied
from datatool.forks import load_module
from datatool.model.paths import show
from datatool.remote.stores.options import StoreOptions
from datatool.remote.stores.s3_answers import Caller, Refused
from datatool.remote.stores.s3_login import Keys, Login, shortened
from datatool.remote.stores.s3_obstore_errors import FOREIGN, translate
from datatool.remote.stores.s3_place import Place
from datatool.remote.stores.server_clock import ServerClock, boottime

T = TypeVar("T")

SMALL: Final = 256 << 10
"""Bytes that must have arrived within the timeout; for more, minutes are given."""
_LONG: Final = 600.0


class ObstoreClient:
    """Handles for one place and login. Nothing is contacted before the first request."""

    def __init__(self, place: Place, login: Login, options: StoreOptions) -> None:
        self.place = place
        self.jobs = options.jobs
        self.clock = ServerClock()
        self._login = login
        self._timeout = options.timeout
        self._connect_timeout = options.connect_timeout
        self._lock = threading.Lock()
        self._handles: dict[tuple[float, int], Any] = {}
        self._config: Any = None
        self._provider: Any = None
        self._caller = Caller(
            place=place, login=login.called(os.environ), region=login.region, profile=login.profile_in(os.environ)
        )

    @property
    def caller(self) -> Caller:
        """Who asks, as far as it is known by now, for messages."""
        return self._caller

    def call(self, operation: str, name: str | None, work: Callable[[Any], T], *, size: int = 0, tries: int = 1) -> T:
        """Do something with a handle that allows for `size` bytes on their way, and, for what obstore sends in parts,
        for several tries of each. `operation` is what botocore calls it; `name` the name it is about."""
        try:
            return work(self._handle(size, tries))
        except FOREIGN as error:
            raise translate(error, self._caller, operation, name) from error

    def require_s3(self) -> None:
        """Raise NotARemote where what answers is no S3 service: obstore takes any document for an empty listing."""
        try:
            self.call("get_object", None, lambda handle: obstore.get(handle, self.place.key("check/nothing")))
        except Refused as refused:
            if refused.code == "NoSuchKey":
                return
        except RemoteDenied:
            return  # who may not read may have been told what is there all the same
        raise NotARemote(
            f"{self.place.label}: {self.place.service} answers as a web site does, not as S3: a login page?",
            hint="check the URL and endpoint_url, and whether the network wants a login",
            path=self.place.label,
        )

    def ask_the_time(self) -> None:
        """Let the clock hear a date, by a request that needs no login: obstore shows no headers."""
        region = self._caller.region or "us-east-1"
        url = self.place.endpoint or f"https://s3.{region}.amazonaws.com"
        opener = urllib.request.build_opener(_NoRedirects)
        asked = boottime()
        try:
            with opener.open(urllib.request.Request(url, method="HEAD"), timeout=self._timeout) as answer:
                date = answer.headers.get("Date")
        except urllib.error.HTTPError as error:
            date = error.headers.get("Date")
            error.close()
        except (OSError, ValueError) as error:
            reason = getattr(error, "reason", error)
            label = self.place.label
            if isinstance(reason, ssl.CertificateError):
                raise RemoteDenied(
                    f"{label}: the certificate of {self.place.service} can't be trusted",
                    hint="for a certificate authority of your own: SSL_CERT_FILE=/path/to/ca.pem",
                    path=label,
                ) from error
            raise RemoteBusy(
                f"{label}: {self.place.service} does not tell the time: {show(str(reason))[:200]}", path=label
            ) from error
        self.clock.heard(asked, boottime(), date)

    def _handle(self, size: int, tries: int) -> Any:
        timeout = self._timeout if size <= SMALL else max(_LONG, self._timeout)
        with self._lock:
            handle = self._handles.get((timeout, tries))
            if handle is None:
                if self._config is None:
                    self._config = self._make_config()
                options: Any = {
                    "timeout": timedelta(seconds=timeout),
                    "connect_timeout": timedelta(seconds=self._connect_timeout),
                    "read_timeout": timedelta(seconds=self._timeout),
                    "allow_http": (self.place.endpoint or "").startswith("http://"),
                }
                if (bundle := os.environ.get("AWS_CA_BUNDLE")) is not None:
                    with open(bundle, "rb") as file:
                        options["root_certificate"] = file.read()
                handle = Handle(
                    self.place.bucket,
                    config=self._config,
                    client_options=options,
                    retry_config={"max_retries": tries - 1, "retry_timeout": timedelta(seconds=_LONG)},
                    credential_provider=self._provider,
                )
                self._handles[timeout, tries] = handle
        return handle

    def _make_config(self) -> dict[str, Any]:
        region = self._login.region
        keys = self._login.keys or _from_environment(self._login)
        config: dict[str, Any] = {}
        if self._login.anonymous:
            config["skip_signature"] = True
        elif keys is not None:
            config |= {"access_key_id": keys.access_key_id, "secret_access_key": keys.secret_access_key}
            if keys.token is not None:
                config["session_token"] = keys.token
        else:
            # The way to all other credentials leads through botocore, which takes its time to load.
            chain = load_module("datatool.remote.stores.s3_chain").find(self._caller, self._login.profile)
            self._provider = chain.provider
            region = region or chain.region
        region = region or os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION") or "us-east-1"
        login = self._login.shown
        if login is None:
            login = f"access key {shortened(keys.access_key_id)} (from the environment)" if keys else chain.login
        self._caller = replace(self._caller, login=login, region=region)
        if self.place.endpoint is not None:
            config |= {"endpoint": self.place.endpoint, "virtual_hosted_style_request": False}
        else:
            # A bucket with dots has no host name that Amazon's certificate fits.
            config["virtual_hosted_style_request"] = "." not in self.place.bucket
        return {**config, "region": region, "checksum_algorithm": "SHA256"}


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_: Any, **__: Any) -> None:
        """Nowhere else: the answer at hand has a date as well."""


def _from_environment(login: Login) -> Keys | None:
    """The keys in the environment, which the AWS tools prefer to all but a named profile."""
    key, secret = os.environ.get("AWS_ACCESS_KEY_ID"), os.environ.get("AWS_SECRET_ACCESS_KEY")
    if login.profile is not None or not key or not secret:
        return None
    return Keys(access_key_id=key, secret_access_key=secret, token=os.environ.get("AWS_SESSION_TOKEN") or None)
