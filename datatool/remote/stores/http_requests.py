"""Requests for names below one URL: who we are there, what parts are asked for, which answers are none."""

from __future__ import annotations

import os
from collections.abc import Mapping

from aiohttp import ClientResponse
from yarl import URL

from datatool.errors import RemoteError, UsageError
from datatool.remote.stores.event_loop import EventLoop
from datatool.remote.stores.http_answer import Answer, missing_end
from datatool.remote.stores.http_errors import DENIED, Place, denied_elsewhere, refusal
from datatool.remote.stores.http_identity import find_identity
from datatool.remote.stores.http_sender import MOVED, REDIRECTS, Sender, redirected
from datatool.remote.stores.options import StoreOptions
from datatool.remote.url import RemoteUrl
from datatool.store.protocol import NameMissing


class BehindEnd(Exception):
    """A range was asked for that starts behind the end of a name; `size` is the name's, where the server says."""

    def __init__(self, size: int | None) -> None:
        super().__init__(size)
        self.size = size


class Requests:
    """Asks for names below a URL. All of it runs on the event loop."""

    def __init__(self, url: RemoteUrl, settings: Mapping[str, str], options: StoreOptions, loop: EventLoop) -> None:
        self._base = _base(url, settings.get("port"))
        self._query = self._base.raw_query_string
        identity = find_identity(url.path, settings, os.environ)
        self.place = Place(label=url.shown, host=self._base.host or "", identity=identity)
        self._options = options
        self._sender = Sender(options, loop)

    async def get(self, name: str, start: int = 0, stop: int | None = None, *, validator: str | None = None) -> Answer:
        """Ask for a name from byte `start` to `stop` (or its end); the whole may come all the same.

        `validator` wants the part only of this very content, else the whole. Raises NameMissing, BehindEnd,
        RemoteError and its kin.
        """
        headers = ranged(start, stop, validator)
        response = await self._ask("GET", name, headers)
        if response.status in DENIED and response.url.origin() != self._base.origin():
            response.close()
            raise denied_elsewhere(response.status, str(response.url.origin()), self.place)
        return read_answer(response, self.place, name, start, stop, timeout=self._options.timeout)

    async def head(self, name: str) -> ClientResponse:
        """What the server says of a name without sending it, whatever that is; there is no body to close."""
        response = await self._ask("HEAD", name, {})
        response.release()
        return response

    async def date(self, name: str) -> str | None:
        """The `Date` of the server's answer to a request, whatever that answer is."""
        response = await self._ask("HEAD", name, {})
        response.release()
        return response.headers.get("Date")

    async def _ask(self, method: str, name: str, headers: dict[str, str]) -> ClientResponse:
        url = self._url(name)
        for _ in range(REDIRECTS + 1):
            sent = dict(headers)
            if self.place.identity.header is not None and url.origin() == self._base.origin():
                sent["Authorization"] = self.place.identity.header
            response = await self._sender.send(method, url, sent, self.place)
            if response.status not in MOVED:
                return response
            response.close()
            target = redirected(url, response.headers.get("Location", ""), self.place)
            if target.path == url.path + "/":  # so a web server says that this is a directory, which is no name of ours
                raise NameMissing(name)
            url = target
        raise RemoteError(f"{self.place.label}: more than {REDIRECTS} redirects", hint="check the remote's URL")

    def _url(self, name: str) -> URL:
        query = f"?{self._query}" if self._query else ""
        base = self._base
        return URL(f"{base.origin()}{base.raw_path.rstrip('/')}/{name}{query}", encoded=True)


def ranged(start: int, stop: int | None, validator: str | None) -> dict[str, str]:
    """The headers that ask for a part; none for the whole."""
    if not start and stop is None:
        return {}
    headers = {"Range": f"bytes={start}-{'' if stop is None else stop - 1}"}
    return headers if validator is None else {**headers, "If-Range": validator}


def read_answer(
    response: ClientResponse, place: Place, name: str, start: int, stop: int | None, *, timeout: float
) -> Answer:
    """The answer that a response is to a question for bytes `start` to `stop` of a name.

    Raises NameMissing, BehindEnd, RemoteError and its kin; then the response is closed.
    """
    try:
        if response.status == 416 and (start or stop is not None):
            raise BehindEnd(missing_end(response.headers))
        if response.status not in (200, 206):
            raise refusal(response.status, response.headers, place, name)
        answer = Answer(response, place, timeout=timeout)
        if response.status == 206:
            answer.expect_range(start, stop)
        else:
            answer.expect_whole()
    except BaseException:
        response.close()
        raise
    return answer


def _base(url: RemoteUrl, port: str | None) -> URL:
    if any(character < "!" or character == "\x7f" for character in url.path):
        raise UsageError(f"{url.shown}: a URL has no blanks or control characters", hint="write %20 for a blank")
    try:
        base = URL(url.path).with_fragment(None)
        base = base.with_port(int(port)) if port and base.explicit_port is None else base
        base.origin()
    except ValueError as error:
        raise UsageError(f"{url.shown}: is no URL that can be used") from error
    return base
