"""Single requests to web servers: through which proxy, with what patience, and where a redirect may lead."""

from __future__ import annotations

import asyncio
import socket
import ssl
from typing import Any, Final
from urllib.request import getproxies, proxy_bypass

import aiohttp
from aiohttp import ClientResponse, ClientSession, ClientTimeout
from aiohttp.abc import AbstractResolver, ResolveResult
from fsspec.implementations.http import HTTPFileSystem
from yarl import URL

from datatool import __version__
from datatool.errors import RemoteBusy, RemoteDenied, RemoteError, UnsafeInput
from datatool.remote.reach import Reach
from datatool.remote.stores.event_loop import EventLoop
from datatool.remote.stores.http_answer import PIECE
from datatool.remote.stores.http_errors import Place, translated
from datatool.remote.stores.http_identity import basic
from datatool.remote.stores.options import StoreOptions

REDIRECTS: Final = 5
MOVED: Final = frozenset({301, 302, 303, 307, 308})


class Sender:
    """Sends requests and follows nothing. With a `reach`, it goes only where that allows: addresses are checked where
    names are resolved, so that what was checked is what is contacted. All of it runs on the event loop."""

    def __init__(self, options: StoreOptions, loop: EventLoop, *, reach: Reach | None = None) -> None:
        self._options = options
        self._reach = reach
        self._trusted: ssl.SSLContext | None = None
        self._proxies: set[str] = set()
        resolver = None if reach is None else _Resolver(reach, self._proxies)
        # fsspec's instance cache would hand dead connections on, and its defaults come from the user's files.
        self._filesystem: Any = HTTPFileSystem(
            skip_instance_cache=True,
            loop=loop.loop,
            get_client=_session,
            client_kwargs={"options": options, "resolver": resolver},
        )

    async def send(
        self, method: str, url: URL, headers: dict[str, str], place: Place, *, data: bytes | None = None
    ) -> ClientResponse:
        """One request, whatever the answer is. Raises UnsafeInput, RemoteError and its kin."""
        sent = {"Accept": "*/*", "Accept-Encoding": "identity", "User-Agent": f"datatool/{__version__}", **headers}
        options: dict[str, Any] = {"headers": sent, "allow_redirects": False, "data": data}
        proxy = _proxy(url, place)
        if self._reach is not None:
            # Behind a proxy, it is the proxy that looks a name up.
            await asyncio.get_running_loop().run_in_executor(None, _check, self._reach, url, proxy is not None)
        if proxy is not None:
            self._proxies.add(proxy.host or "")
            options["proxy"] = proxy.with_user(None)
            if proxy.user is not None:
                said = {"Proxy-Authorization": basic(proxy.user, proxy.password or "")}
                if url.scheme == "https":
                    options["proxy_headers"] = said
                else:
                    sent |= said
        if url.scheme == "https":
            options["ssl"] = self._trust()
        with translated(place):
            session: ClientSession = await self._filesystem.set_session()
            try:
                async with asyncio.timeout(self._options.connect_timeout + self._options.timeout):
                    return await session.request(method, url, **options)
            except aiohttp.ServerTimeoutError:
                raise
            except aiohttp.ClientConnectorError as error:
                if isinstance(error.os_error, UnsafeInput):
                    raise error.os_error from None
                raise
            except TimeoutError as error:
                raise RemoteBusy(f"{place.label}: the server did not answer in time") from error

    def _trust(self) -> ssl.SSLContext:
        """The authorities that this machine trusts, read when they are first needed."""
        if self._trusted is None:
            self._trusted = ssl.create_default_context()
            self._trusted.set_alpn_protocols(["http/1.1"])
        return self._trusted


def redirected(url: URL, location: str, place: Place) -> URL:
    """Where a redirect leads, which has no credentials of its own. Raises RemoteError, RemoteDenied."""
    with translated(place):
        # A redirect's own user and password are a stranger's: they are not used.
        target = url.join(URL(location)).with_user(None).with_fragment(None)
    if not location or target.scheme not in ("http", "https") or not target.host:
        raise RemoteError(f"{place.label}: redirects to what is no web address", hint="check the remote's URL")
    if url.scheme == "https" and target.scheme == "http":
        raise RemoteDenied(
            f"{place.label}: redirects from https to http, which anybody on the way could read and change",
            hint="give the remote the URL that it redirects to, if that is what you want",
        )
    return target


class _Resolver(AbstractResolver):
    """Looks names up as the system does, and refuses addresses that may not be contacted."""

    def __init__(self, reach: Reach, proxies: set[str]) -> None:
        self._reach = reach
        self._proxies = proxies

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        """The addresses of a host. Raises OSError, UnsafeInput."""
        loop = asyncio.get_running_loop()
        found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM, family=family, flags=socket.AI_ADDRCONFIG)
        results: list[ResolveResult] = []
        for kind, _, protocol, _, address in found:
            if host not in self._proxies:
                self._reach.check_address(host, str(address[0]))
            results.append(
                ResolveResult(
                    hostname=host,
                    host=str(address[0]),
                    port=int(address[1]),
                    family=kind,
                    proto=protocol,
                    flags=socket.AI_NUMERICHOST | socket.AI_NUMERICSERV,
                )
            )
        return results

    async def close(self) -> None:
        """Nothing is kept."""


def _check(reach: Reach, url: URL, lookup: bool) -> None:
    reach.check(str(url), lookup=lookup)


async def _session(*, loop: object, options: StoreOptions, resolver: AbstractResolver | None) -> ClientSession:
    """A session that does nothing unasked: no cookies, no limit but ours, no unpacking, no ~/.netrc."""
    return ClientSession(
        connector=aiohttp.TCPConnector(limit=0, keepalive_timeout=30, resolver=resolver),
        cookie_jar=aiohttp.DummyCookieJar(),
        auto_decompress=False,
        read_bufsize=PIECE,
        timeout=ClientTimeout(total=None, connect=options.connect_timeout, sock_read=options.timeout),
    )


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
