"""A Git LFS server, read only: where objects are is asked for many at once, then each comes from its own address."""

from __future__ import annotations

import os
import time
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future
from functools import partial
from typing import Final

from yarl import URL

from datatool.errors import FormatError, RemoteBusy, RemoteDenied, RemoteError, RemoteUnreachable, UsageError
from datatool.formats.lfs_batch import (
    OBJECTS_PER_BATCH,
    LfsAction,
    LfsRefusal,
    decode_batch,
    decode_message,
    encode_batch,
)
from datatool.git.credentials import Credentials, Login
from datatool.model.oid import ObjectId
from datatool.remote.lfs import LfsPlace
from datatool.remote.reach import Reach
from datatool.remote.stores.event_loop import EventLoop, result
from datatool.remote.stores.http import HttpStore
from datatool.remote.stores.http_download import Download
from datatool.remote.stores.http_errors import retry_after
from datatool.remote.stores.http_identity import Identity, basic, find_identity
from datatool.remote.stores.http_sender import Sender
from datatool.remote.stores.lfs_requests import LfsRequests
from datatool.remote.stores.options import StoreOptions
from datatool.remote.url import parse_url
from datatool.store.limited import Allowance
from datatool.store.objects import Withheld
from datatool.store.protocol import Advance, NameMissing, WrongBytes
from datatool.store.retry import Retries

IN_FLIGHT: Final = 64 << 20
"""Bytes of small objects that are under way."""
_GIVEN_UP: Final = 3
"""Objects in a row, each asked for as often as patience goes, after which a server is given up that is busy."""
_MARGIN: Final = 10.0
"""Seconds before its end in which an address is not begun with."""

Outcome = bytes | RemoteError | NameMissing | WrongBytes


class LfsServer:
    """Objects of one server; used by one thread."""

    def __init__(
        self,
        place: LfsPlace,
        options: StoreOptions,
        *,
        reach: Reach,
        credentials: Credentials,
        bandwidth: int | None = None,
        retries: Retries | None = None,
    ) -> None:
        reach.check(place.url)
        self._reach = reach
        self._loop = EventLoop()
        self._retries = retries or Retries()
        self._jobs = max(1, options.jobs)
        self._allowance = None if bandwidth is None else Allowance(bandwidth)
        remote = parse_url(place.url, root=options.scratch)
        self.label = remote.shown
        try:
            base = URL(place.url).with_user(None).with_fragment(None)
        except ValueError as error:
            raise UsageError(f"{remote.shown}: is no URL that can be used") from error
        sender = Sender(options, self._loop, reach=reach)
        self._requests = LfsRequests(base, self.label, sender, timeout=options.timeout, headers=place.headers)
        self._files = HttpStore(remote, {}, options, retries=self._retries, requests=self._requests)
        self._typed = find_identity(place.url, place.settings, os.environ)
        self._asked = place.url
        self._credentials = credentials
        self._login: Login | None = None
        self._approved = False
        self._failures = 0
        """How many objects in a row the server was too busy for."""

    # Where objects are

    def locate(self, wanted: Sequence[tuple[ObjectId, int]]) -> dict[ObjectId, LfsRefusal]:
        """Ask where objects are, given with their sizes; why some are not to be had.

        Raises RemoteDenied, RemoteUnreachable, RemoteError: what costs all of them.
        """
        refused: dict[ObjectId, LfsRefusal] = {}
        for start in range(0, len(wanted), OBJECTS_PER_BATCH):
            group = wanted[start : start + OBJECTS_PER_BATCH]
            answers = self._retries.call(partial(self._ask, group))
            for oid, _ in group:
                found = answers.get(oid, LfsRefusal(code=404, message=""))
                if isinstance(found, LfsAction):
                    self._reach.check(found.href)
                    self._requests.actions[oid] = found
                else:
                    refused[oid] = found
        return refused

    def _ask(self, wanted: Sequence[tuple[ObjectId, int]]) -> dict[ObjectId, LfsAction | LfsRefusal]:
        while True:
            status, later, body = self._loop.run(self._requests.post(encode_batch(wanted)))
            if status == 401 and self._next_login():
                continue
            break
        if status == 413 and len(wanted) > 1:
            half = len(wanted) // 2
            return {**self._ask(wanted[:half]), **self._ask(wanted[half:])}
        if status != 200:
            raise self._refusal(status, later, decode_message(body))
        self._remember_login()
        try:
            return decode_batch(body, name=self.label, now=time.time())
        except FormatError as error:
            raise RemoteError(
                f"{self.label}: no answer of a Git LFS server: {error.message.removeprefix(self.label + ': ')}",
                hint="check lfs.url in the repository's .lfsconfig, or give the server's URL with --remote",
            ) from error

    def _next_login(self) -> bool:
        """Become somebody who was not refused yet; False when there is nobody left."""
        if self._login is not None:
            self._credentials.reject(self._login)
            return False
        if self._typed.header is not None and self._requests.identity is not self._typed:
            self._requests.identity = self._typed
            return True
        login = self._credentials.fill(self._asked)
        if login is None:
            return False
        self._login = login
        self._requests.identity = Identity(
            shown=f"as {login.username}" if login.username else "with git's credentials",
            header=basic(login.username, login.password),
        )
        return True

    def _remember_login(self) -> None:
        if self._login is not None and not self._approved:
            self._approved = True
            self._credentials.approve(self._login)

    def _refusal(self, status: int, later: str | None, said: str) -> RemoteError:
        more = f": {said}" if said else ""
        who = self._requests.identity
        if status in (401, 403):
            return RemoteDenied(
                f"{self.label}: access denied {who.shown} (HTTP {status}){more}",
                hint=f"it asks for what `git credential fill` gives for {self.label}: log in there with git, "
                "or set up a credential helper",
            )
        if status in (404, 405, 410, 501):
            return RemoteError(
                f"{self.label}: no Git LFS server answers there (HTTP {status}){more}",
                hint="check lfs.url in the repository's .lfsconfig, and your right to read the repository",
            )
        if status in (507, 509):
            return RemoteDenied(f"{self.label}: its quota is used up (HTTP {status}){more}")
        if status in (408, 425, 429) or status >= 500:
            asked = retry_after(later, now=time.time())
            return RemoteBusy(f"{self.label}: busy or in trouble (HTTP {status}){more}", retry_after=asked)
        return RemoteError(f"{self.label}: refused the question where objects are (HTTP {status}){more}")

    def _renew(self, wanted: Sequence[tuple[ObjectId, int]]) -> None:
        """Ask again for the addresses that have come to their end."""
        now = time.time() + _MARGIN
        actions = self._requests.actions
        old = [item for item in wanted if (end := actions[item[0]].expires) is not None and end < now]
        if old:
            self.locate(old)

    # Their bytes

    def get_each(self, wanted: Sequence[tuple[ObjectId, int]]) -> Iterator[tuple[ObjectId, Outcome]]:
        """The bytes of small objects that were located, unchecked, or why one is not to be had, in any order.

        Raises RemoteUnreachable when nobody answers.
        """
        denied: list[tuple[ObjectId, int]] = []
        sizes = dict(wanted)
        for oid, outcome in self._get_each(wanted):
            if isinstance(outcome, RemoteDenied):
                denied.append((oid, sizes[oid]))
            else:
                yield oid, outcome
        if denied:  # an address may have come to its end before its time
            self.locate(denied)
            yield from self._get_each(denied)

    def _get_each(self, wanted: Sequence[tuple[ObjectId, int]]) -> Iterator[tuple[ObjectId, Outcome]]:
        self._renew(wanted)
        todo = deque(wanted)
        flying: deque[tuple[ObjectId, int, Future[bytes]]] = deque()
        held = 0
        try:
            while todo or flying:
                while todo and len(flying) < self._jobs and (not flying or held + todo[0][1] <= IN_FLIGHT):
                    oid, size = todo.popleft()
                    held += size
                    flying.append((oid, size, self._loop.start(self._whole(oid, size))))
                oid, size, future = flying.popleft()
                held -= size
                yield oid, self._outcome(future)
        finally:
            for _, _, future in flying:
                future.cancel()

    def _outcome(self, future: Future[bytes]) -> Outcome:
        try:
            data = result(future)
        except (NameMissing, WrongBytes) as error:
            return error
        except RemoteError as error:
            if not self._is_about_one(error):
                raise
            return error
        self._failures = 0
        if self._allowance is not None:
            self._allowance.take(len(data))
        return data

    async def _whole(self, oid: ObjectId, size: int) -> bytes:
        download = Download(
            self._requests,
            oid,
            start=0,
            stop=size,
            size=size,
            parted=False,
            validator=None,
            retries=self._retries,
        )
        try:
            data = await download.read(size)
            await download.finish()
        finally:
            await download.close()
        return data

    def _is_about_one(self, error: RemoteError) -> bool:
        """Whether the others may still come: not when nobody answers, or the server is busy time after time."""
        self._failures = self._failures + 1 if isinstance(error, RemoteBusy) else 0
        return self._failures < _GIVEN_UP and (
            isinstance(error, RemoteBusy) or not isinstance(error, RemoteUnreachable)
        )

    def get_file(self, oid: ObjectId, size: int, target: int, have: int, advance: Advance | None) -> None:
        """Copy one located object into an open local file, hashing what arrives.

        Raises WrongBytes, NameMissing, Withheld where it is denied; RemoteError and its kin for what costs the others.
        """
        try:
            self._copy(oid, size, target, have, advance)
        except RemoteError as error:
            if self._is_about_one(error):
                raise Withheld(error) from error
            raise
        self._failures = 0

    def _copy(self, oid: ObjectId, size: int, target: int, have: int, advance: Advance | None) -> None:
        self._renew([(oid, size)])
        paid = self._paid(advance)
        try:
            self._files.get_file(oid, target, oid, size, have=have, advance=paid)
        except RemoteDenied:  # an address may have come to its end before its time
            if self.locate([(oid, size)]):
                raise
            self._files.get_file(oid, target, oid, size, have=have, advance=paid)

    def _paid(self, advance: Advance | None) -> Advance | None:
        allowance = self._allowance
        if allowance is None:
            return advance

        def heard(count: int) -> None:
            if advance is not None:
                advance(count)
            allowance.take(count)

        return heard


def open_server(
    place: LfsPlace, options: StoreOptions, *, reach: Reach, credentials: Credentials, bandwidth: int | None
) -> LfsServer:
    """The server at a place. Nothing is contacted yet. Raises UnsafeInput, UsageError."""
    return LfsServer(place, options, reach=reach, credentials=credentials, bandwidth=bandwidth)
