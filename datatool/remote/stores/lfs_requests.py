"""Requests to a Git LFS server: questions to its API, and the objects that its answers lead to.

What is secret goes where it belongs: our login to the server's own origin, the headers of an object's address to that
address, and none of them wherever a redirect leads from there to another host.
"""

from __future__ import annotations

from typing import Final

from aiohttp import ClientResponse
from yarl import URL

from datatool.errors import RemoteDenied, RemoteError
from datatool.formats.lfs_batch import ANSWER_LIMIT, LFS_MEDIA_TYPE, LfsAction
from datatool.remote.stores.http_answer import Answer
from datatool.remote.stores.http_errors import Place, translated
from datatool.remote.stores.http_identity import Identity
from datatool.remote.stores.http_requests import ranged, read_answer
from datatool.remote.stores.http_sender import MOVED, REDIRECTS, Sender, redirected

_JSON: Final = {"Accept": LFS_MEDIA_TYPE, "Content-Type": LFS_MEDIA_TYPE}
_STEP: Final = 256 << 10


class LfsRequests:
    """Asks the server at `base`, and for objects by their ids as names. All of it runs on the event loop.

    `identity` is who we are at the server, `headers` what an ssh login gave for it; `actions` say where objects are.
    """

    def __init__(
        self, base: URL, label: str, sender: Sender, *, timeout: float, headers: tuple[tuple[str, str], ...] = ()
    ) -> None:
        self.identity = Identity(shown="without credentials")
        self.actions: dict[str, LfsAction] = {}
        self._base = base
        self._label = label
        self._sender = sender
        self._timeout = timeout
        self._headers = dict(headers)

    @property
    def place(self) -> Place:
        """The server, for messages."""
        return Place(label=self._label, host=self._base.host or "", identity=self.identity)

    async def post(self, body: bytes) -> tuple[int, str | None, bytes]:
        """Ask where objects are: the answer's status, its `Retry-After` and its body."""
        url = self._base.joinpath("objects", "batch")
        for _ in range(REDIRECTS + 1):
            headers = {**_JSON, **(self._own() if url.origin() == self._base.origin() else {})}
            response = await self._sender.send("POST", url, headers, self.place, data=body)
            if response.status not in MOVED:
                return response.status, response.headers.get("Retry-After"), await self._body(response)
            response.close()
            url = redirected(url, response.headers.get("Location", ""), self.place)
        raise self._too_often()

    async def get(self, name: str, start: int = 0, stop: int | None = None, *, validator: str | None = None) -> Answer:
        """Ask for an object, as `Requests.get` does. Raises RemoteDenied where its address gives nothing (any more)."""
        action = self.actions[name]
        url, place = self._address(action)
        headers = self._for(action, url)
        for _ in range(REDIRECTS + 1):
            response = await self._sender.send("GET", url, {**headers, **ranged(start, stop, validator)}, place)
            if response.status in (401, 403):
                response.close()
                raise RemoteDenied(f"{place.label}: denies what {self._label} promised (HTTP {response.status})")
            if response.status not in MOVED:
                return read_answer(response, place, name, start, stop, timeout=self._timeout)
            response.close()
            target = redirected(url, response.headers.get("Location", ""), place)
            if target.origin() != url.origin():
                headers = {}
            url = target
        raise self._too_often()

    async def date(self, name: str) -> str | None:
        """Not asked."""
        return None

    def _own(self) -> dict[str, str]:
        said = {} if self.identity.header is None else {"Authorization": self.identity.header}
        return {**said, **self._headers}

    def _address(self, action: LfsAction) -> tuple[URL, Place]:
        with translated(self.place):
            url = URL(action.href, encoded="%" in action.href).with_user(None).with_fragment(None)
            origin = str(url.origin())
        if self._base.scheme == "https" and url.scheme == "http":
            raise RemoteDenied(f"{self._label}: sends us from https to http, which anybody on the way could change")
        label = self._label if url.origin() == self._base.origin() else origin
        return url, Place(label=label, host=url.host or "", identity=self.identity)

    def _for(self, action: LfsAction, url: URL) -> dict[str, str]:
        """The headers of a download: what the server said, and our login where it is for the server itself and the
        server does not say that it needs none."""
        told = dict(action.headers)
        login = "authorization" in {key.lower() for key in told} or action.authenticated
        own = {} if login or url.origin() != self._base.origin() else self._own()
        return {**own, **told}

    async def _body(self, response: ClientResponse) -> bytes:
        try:
            answer = Answer(response, self.place, timeout=self._timeout)
            answer.expect_whole()
            pieces: list[bytes] = []
            left = ANSWER_LIMIT + 1
            while left and (data := await answer.read(min(left, _STEP))):
                pieces.append(data)
                left -= len(data)
        except BaseException:
            response.close()
            raise
        await answer.close()
        if not left:
            raise RemoteError(f"{self._label}: answers with more than {ANSWER_LIMIT} bytes")
        return b"".join(pieces)

    def _too_often(self) -> RemoteError:
        return RemoteError(f"{self._label}: more than {REDIRECTS} redirects")
