"""Requests to an S3 service: one client, built at the first request, that many threads use.

s3fs makes the client as it does for everybody; requests go to the client itself, since s3fs would repeat them and
tell less about what failed.
"""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Awaitable, Callable
from typing import Any, Final, TypeVar
from urllib.request import getproxies

import s3fs
from aiobotocore.session import AioSession
from msgspec.structs import replace

from datatool.errors import RemoteBusy
from datatool.remote.stores.event_loop import EventLoop
from datatool.remote.stores.options import PART_RETRIES, StoreOptions
from datatool.remote.stores.s3_answers import Caller
from datatool.remote.stores.s3_body import md5_base64
from datatool.remote.stores.s3_errors import FOREIGN, NotS3, translate, translate_login
from datatool.remote.stores.s3_login import Login, shortened
from datatool.remote.stores.s3_models import Models, parse_date
from datatool.remote.stores.s3_place import Place
from datatool.remote.stores.s3_wire import LONGEST, wire_class
from datatool.remote.stores.server_clock import ServerClock
from datatool.store.retry import Failures, Retries

T = TypeVar("T")

# Our errors tell what goes wrong; without a handler Python would print these libraries' warnings and tracebacks too.
for _library in ("aiobotocore", "botocore", "s3fs", "fsspec"):
    logging.getLogger(_library).addHandler(logging.NullHandler())

_HOW_FOUND: Final = {
    "env": "the environment",
    "shared-credentials-file": "~/.aws/credentials",
    "config-file": "~/.aws/config",
    "iam-role": "this machine's role",
    "container-role": "this container's role",
    "assume-role": "an assumed role",
    "assume-role-with-web-identity": "a web identity",
    "sso": "aws sso",
    "custom-process": "credential_process",
}


class S3Client(EventLoop):
    """A client for one place and login. Nothing is contacted before the first request."""

    def __init__(self, place: Place, login: Login, options: StoreOptions) -> None:
        super().__init__()
        self.place = place
        self.clock = ServerClock()
        self.jobs = options.jobs
        self._login = login
        self._timeout = options.timeout
        self._connect_timeout = options.connect_timeout
        self._slots = asyncio.Semaphore(options.jobs)
        self._connecting = asyncio.Lock()
        self._client: Any = None
        self._caller = Caller(
            place=place, login=login.called(os.environ), region=login.region, profile=login.profile_in(os.environ)
        )
        self._filesystem: s3fs.S3FileSystem | None = None

    # In the loop's thread

    async def call(self, operation: str, name: str | None = None, **parameters: Any) -> dict[str, Any]:
        """One request with an answer that fits into memory. `name` is the name it is about, for NameMissing."""
        async with self._slots:
            return await self.request(operation, name, **parameters)

    async def request(self, operation: str, name: str | None = None, **parameters: Any) -> dict[str, Any]:
        """As `call`, for those who have one of the slots (`slot`) already."""
        try:
            client = self._client or await self._connect()
            answer: dict[str, Any] = await getattr(client, operation)(Bucket=self.place.bucket, **parameters)
            return answer
        except (*FOREIGN, NotS3) as error:
            raise self.explained(error, operation, name) from error
        except RuntimeError as error:
            expired = self.caller.expired(error)
            if expired is None:
                raise
            raise expired from error

    @property
    def slots(self) -> asyncio.Semaphore:
        """How many requests may be under way; `call` takes one by itself."""
        return self._slots

    def explained(self, error: BaseException, operation: str, name: str | None = None) -> Exception:
        """The error of ours for one of the library's."""
        return translate(error, self.caller, operation, name, timeout=self._timeout)

    @property
    def caller(self) -> Caller:
        """Who asks, as far as it is known by now, for messages."""
        return replace(self._caller, ahead=self.clock.ahead_of_wall())

    @property
    def timeout(self) -> float:
        """Seconds without movement after which a transfer counts as stopped."""
        return self._timeout

    async def patiently(self, attempt: Callable[[], Awaitable[T]], retries: Retries = PART_RETRIES) -> T:
        """What `attempt` gives, tried again while it says RemoteBusy; the last of these where all fail."""
        failures = Failures(retries)
        while True:
            try:
                return await attempt()
            except RemoteBusy as error:
                wait = failures.wait_after(error)
                if wait is None:
                    raise
                await asyncio.sleep(wait)

    # Connecting

    async def _connect(self) -> Any:
        async with self._connecting:
            if self._client is None:
                session = AioSession(profile=self._login.profile)
                session.register_component("data_loader", Models(session.get_config_variable("data_path")))
                session.get_component("response_parser_factory").set_parser_defaults(timestamp_parser=parse_date)
                self._filesystem = self._make_filesystem(session)
                client = await self._filesystem.set_session()
                client.meta.events.register("before-call.s3.DeleteObjects", _add_md5)
                if not self.place.is_amazon:
                    client.meta.events.register("before-call.s3", _stay_here)
                if self._login.keys is None and not self._login.anonymous:
                    await self._learn_who(session)
                self._client = client
        return self._client

    def _client_options(self, region: str | None) -> dict[str, Any]:
        options: dict[str, Any] = {"region_name": region} if region else {}
        if (self.place.endpoint or "").startswith("http://") and not getproxies():
            options["verify"] = False  # there is nothing to verify, and reading certificates takes its time
        return options

    async def _learn_who(self, session: AioSession) -> None:
        """Which key the AWS tools have found, so that messages can name it. None is told by the first request."""
        try:
            found = await session.get_credentials()
            key = None if found is None else (await found.get_frozen_credentials()).access_key
        except FOREIGN as error:
            raise translate_login(error, self.caller) from error
        if self._login.shown is None and found is not None and key is not None:
            source = _HOW_FOUND.get(found.method, "the AWS settings")
            self._caller = replace(self._caller, login=f"access key {shortened(key)} (from {source})")

    def _make_filesystem(self, session: AioSession) -> s3fs.S3FileSystem:
        keys = self._login.keys
        region = self._login.region or session.get_config_variable("region")
        if region is None and not self.place.is_amazon:
            region = "us-east-1"  # what services with one region expect a signature to say
        self._caller = replace(self._caller, region=region)
        return s3fs.S3FileSystem(
            anon=self._login.anonymous,
            endpoint_url=self.place.endpoint,
            key=keys.access_key_id if keys else None,
            secret=keys.secret_access_key if keys else None,
            token=keys.token if keys else None,
            session=session,
            client_kwargs=self._client_options(region),
            config_kwargs={
                "connect_timeout": self._connect_timeout,
                "read_timeout": 2 * LONGEST,  # `Wire` and `Reading` keep time better: by what moves
                "retries": {"total_max_attempts": 1},
                # Requests are limited by slots; a second limit would make them wait unseen.
                "max_pool_connections": 4 * self.jobs + 16,
                "user_agent": "datatool",  # its own is put together anew for each request
                "http_session_cls": wire_class(self.clock, self._timeout),
                "parameter_validation": False,
                "request_checksum_calculation": "when_required",
                "response_checksum_validation": "when_required",
                # Each body goes with a checksum in the signed headers, which the server checks: signing the bytes
                # as well would hash them twice.
                "s3": {"payload_signing_enabled": False},
            },
            use_listings_cache=False,
            skip_instance_cache=True,
            default_cache_type="none",
            loop=self.loop,
        )


def _stay_here(context: dict[str, Any], **_: Any) -> None:
    """Amazon's regions are other hosts, and botocore finds the right one; elsewhere it would ask in circles."""
    context.setdefault("s3_redirect", {})["redirected"] = True


def _add_md5(params: dict[str, Any], **_: Any) -> None:
    """Deleting many takes a checksum: Amazon's newer ones are strange to older servers, this one is to nobody."""
    params["headers"].setdefault("Content-MD5", md5_base64(params["body"]))
