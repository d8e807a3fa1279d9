"""Requests to one web server: who we are, through which proxy, and where a redirect may lead."""

from __future__ import annotations

import asyncio
import os
import ssl
from collections.abc import Mapping
from typing import Any, Final
from urllib.request import getproxies, proxy_bypass

import aiohttp
from aiohttp import ClientResponse, ClientSession, ClientTimeout
from fsspec.implementations.http import HTTPFileSystem
from yarl import URL

from datatool import __version__
from datatool.errors import RemoteBusy, RemoteDenied, RemoteError, UsageError
from datatool.remote.stores.event_loop import EventLoop
from datatool.remote.stores.http_answer import PIECE, Answer, missing_end
from datatool.remote.stores.http_errors import Place, refusal, translated
from datatool.remote.stores.http_identity import basic, find_identity
from datatool.remote.stores.options import StoreOptions
from datatool.remote.url import RemoteUrl
from datatool.store.protocol import NameMissing

REDIRECTS: Final = 5
_MOVED: Final = frozenset({301, 302, 303, 307, 308})


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
        self._trusted: ssl.SSLContext | None = None
        # fsspec's instance cache would hand dead connections on, and its defaults come from the user's files.
        self._filesystem: Any = HTTPFileSystem(
            skip_instance_cache=True, loop=loop.loop, get_client=_session, client_kwargs={"options": options}
        )

    async def get(self, name: str, start: int = 0, stop: int | None = None, *, validator: str | None = None) -> Answer:
        """Ask for a name from byte `start` to `stop` (or its end); the whole may come all the same.

        `validator` wants the part only of this very content, else the whole. Raises NameMissing, BehindEnd,
        RemoteError and its kin.
        """
        headers = {}
        if start or stop is not None:
            headers["Range"] = f"bytes={start}-{'' if stop is None else stop - 1}"
            if validator is not None:
                headers["If-Range"] = validator
        response = await self._ask("GET", name, headers)
        try:
            if response.status == 416 and headers:
                raise BehindEnd(missing_end(response.headers))
            if response.status not in (200, 206):
                raise refusal(response.status, response.headers, self.place, name)
            answer = Answer(response, self.place, timeout=self._options.timeout)
            if response.status == 206:
                answer.expect_range(start, stop)
            else:
                answer.expect_whole()
        except BaseException:
            response.close()
            raise
        return answer

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
            response = await self._send(method, url, headers)
            if response.status not in _MOVED:
                return response
            response.close()
            target = self._redirected(url, response.headers.get("Location", ""))
            if target.path == url.path + "/":  # so a web server says that this is a directory, which is no name of ours
                raise NameMissing(name)
            url = target
        raise RemoteError(f"{self.place.label}: more than {REDIRECTS} redirects", hint="check the remote's URL")

    async def _send(self, method: str, url: URL, headers: dict[str, str]) -> ClientResponse:
        sent = {"Accept": "*/*", "Accept-Encoding": "identity", "User-Agent": f"datatool/{__version__}", **headers}
        if self.place.identity.header is not None and url.origin() == self._base.origin():
            sent["Authorization"] = self.place.identity.header
        options: dict[str, Any] = {"headers": sent, "allow_redirects": False}
        proxy = _proxy(url, self.place)
        if proxy is not None:
            options["proxy"] = proxy.with_user(None)
            if proxy.user is not None:
                said = {"Proxy-Authorization": basic(proxy.user, proxy.password or "")}
                if url.scheme == "https":
                    options["proxy_headers"] = said
                else:
                    sent |= said
        if url.scheme == "https":
            options["ssl"] = self._trust()
        with translated(self.place):
            session: ClientSession = await self._filesystem.set_session()
            try:
                async with asyncio.timeout(self._options.connect_timeout + self._options.timeout):
                    return await session.request(method, url, **options)
            except aiohttp.ServerTimeoutError:
                raise
            except TimeoutError as error:
                raise RemoteBusy(f"{self.place.label}: the server did not answer in time") from error

    def _trust(self) -> ssl.SSLContext:
        """The authorities that this machine trusts, read when they are first needed."""
        if self._trusted is None:
            self._trusted = ssl.create_default_context()
            self._trusted.set_alpn_protocols(["http/1.1"])
        return self._trusted

    def _redirected(self, url: URL, location: str) -> URL:
        with translated(self.place):
            # A redirect's own user and password are a stranger's: they are not used.
            target = url.join(URL(location)).with_user(None).with_fragment(None)
        if not location or target.scheme not in ("http", "https") or not target.host:
            raise RemoteError(f"{self.place.label}: redirects to what is no web address", hint="check the remote's URL")
        if url.scheme == "https" and target.scheme == "http":
            raise RemoteDenied(
                f"{self.place.label}: redirects from https to http, which anybody on the way could read and change",
                hint="give the remote the URL that it redirects to, if that is what you want",
            )
        return target

    def _url(self, name: str) -> URL:
        query = f"?{self._query}" if self._query else ""
        base = self._base
        return URL(f"{base.origin()}{base.raw_path.rstrip('/')}/{name}{query}", encoded=True)


async def _session(*, loop: object, options: StoreOptions) -> ClientSession:
    """A session that does nothing unasked: no cookies, no limit but ours, no unpacking, no ~/.netrc."""
    return ClientSession(
        connector=aiohttp.TCPConnector(limit=0, keepalive_timeout=30),
        cookie_jar=aiohttp.DummyCookieJar(),
        auto_decompress=False,
        read_bufsize=PIECE,
        timeout=ClientTimeout(total=None, connect=options.connect_timeout, sock_read=options.timeout),
    )


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


def _proxy(url: URL, place: Place) -> URL | None:
    """The proxy that the environment names for an address."""
    proxies = getproxies()
    found = proxies.get(url.scheme) or proxies.get("all")
    if not found or proxy_bypass(f"{url.host}:{url.port}"):
        return None
    with translated(place):
        proxy = URL(found if "://" in found else f"http://{found}")
    if proxy.scheme not in ("http", "https"):
        raise RemoteError(
            f"{place.label}: a {proxy.scheme} proxy can't be used",
            hint=f"set {url.scheme}_proxy to one that is reached by http://, or no_proxy to {url.host}",
        )
    return proxy
