"""The HTTP under the S3 library, with limits: no answer may be endless, stand still, or lead elsewhere."""

from __future__ import annotations

import asyncio
from typing import Any, Final

import aiohttp
from aiobotocore.awsrequest import AioAWSResponse
from aiobotocore.httpsession import AIOHTTPSession

from datatool.remote.stores.pace import Pace
from datatool.remote.stores.s3_body import Body
from datatool.remote.stores.s3_errors import NotS3
from datatool.remote.stores.server_clock import ServerClock, boottime

LARGEST_ANSWER: Final = 16 << 20
"""Bytes of a listing or an error; a page of a thousand names has less than one MiB."""
_BUFFER: Final = 1 << 20
"""Bytes of an answer that may wait to be read; with less, large ones stop and go all the time."""
LONGEST: Final = 300.0
"""Seconds that a server may take to put the parts of an upload together; Amazon speaks of minutes."""


class Wire(AIOHTTPSession):  # type: ignore[misc]  # aiobotocore has no types
    """aiobotocore's session; made by `wire_class`, which gives it a clock and its patience."""

    clock: ServerClock
    seconds: float

    async def send(self, request: Any) -> Any:
        """Send one request. Answers that are not to be streamed are read here."""
        whole = not request.stream_output
        request.stream_output = True  # else the library would read them, without a limit
        async with Pace(self._seconds_for(request)) as pace:
            asked = boottime()
            response = await self._send(request, pace)
            self.clock.heard(asked, boottime(), response.headers.get("date"))
            pace.restart()
            if not whole and response.status_code < 300:
                return response
            data = await _read(response.raw, pace)
        if response.status_code < 300:
            if data and _is_page(response.headers.get("content-type", ""), data):
                raise NotS3
        elif response.status_code < 400 and "x-amz-bucket-region" not in response.headers and b"<Code>" not in data:
            raise NotS3  # botocore would ask for the bucket's region, be redirected, ask for the region, …
        return AioAWSResponse(response.url, response.status_code, response.headers, _Kept(data))

    async def _send(self, request: Any, pace: Pace) -> Any:
        if not isinstance(request.body, Body):
            return await super().send(request)
        request.body.pace = pace
        watching = asyncio.create_task(request.body.watch())
        try:
            return await super().send(request)
        except BaseException:
            request.body.abandon()
            raise
        finally:
            watching.cancel()

    def _seconds_for(self, request: Any) -> float:
        publishes = request.method == "POST" and "uploadId=" in request.url
        return max(LONGEST, self.seconds) if publishes else self.seconds

    async def _get_session(self, proxy_url: str | None) -> Any:
        return _Direct(await super()._get_session(proxy_url))


def wire_class(clock: ServerClock, seconds: float) -> type[Wire]:
    """A class to be handed to aiobotocore, which makes the session itself."""
    return type("Wire", (Wire,), {"clock": clock, "seconds": seconds})


class _Direct:
    """A session that follows no redirects: they would carry the token of a session to wherever they lead."""

    def __init__(self, session: aiohttp.ClientSession) -> None:
        self._session = session

    async def request(self, method: str, **options: Any) -> aiohttp.ClientResponse:
        return await self._session.request(method, **options, allow_redirects=False, read_bufsize=_BUFFER)


class _Kept:
    """Bytes of an answer that were read already, where the library awaits reading them."""

    def __init__(self, data: bytes) -> None:
        self._data = data

    async def read(self) -> bytes:
        return self._data


async def _read(response: aiohttp.ClientResponse, pace: Pace) -> bytes:
    pieces: list[bytes] = []
    size = 0
    try:
        while piece := await response.content.readany():
            pieces.append(piece)
            size += len(piece)
            pace.moved(len(piece))
            if size > LARGEST_ANSWER:
                raise NotS3
    except BaseException:
        response.close()
        raise
    return b"".join(pieces)


def _is_page(content_type: str, data: bytes) -> bool:
    """Whether a success is a page for people: some servers call their XML `text/plain`, none calls it HTML."""
    start = data[:256].lstrip().lower()
    return content_type.lower().startswith("text/html") or start.startswith((b"<!doctype html", b"<html"))
