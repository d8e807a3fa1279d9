"""A live connection to a server, with the SFTP channels in it: opened, lent out, found dead.

The channels are asyncssh's, asked for directly: those of sshfs's own pool stay in it when they are dead.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Coroutine
from concurrent.futures import Future
from typing import Any, Final, TypeVar

import asyncssh
from asyncssh import SFTPClient, SSHClientConnection
from fsspec.asyn import get_loop

from datatool.errors import RemoteBusy, RemoteError
from datatool.remote.stores.options import StoreOptions
from datatool.remote.stores.sftp_errors import FOREIGN, Kind, kind_of, reason
from datatool.remote.stores.sftp_login import Login
from datatool.remote.stores.sftp_opening import Opening, by_hand

T = TypeVar("T")

_CHANNELS: Final = 8
"""OpenSSH allows ten sessions in a connection."""
_ARE_YOU_THERE: Final = b"keepalive@openssh.com"
"""A request that no server knows; that it says so is what is asked for."""


class Connection:
    """Any thread may ask for a channel; what it then awaits runs in the thread of fsspec's event loop."""

    def __init__(self, login: Login, options: StoreOptions, *, shown: str, seen: bool) -> None:
        """Connect, as `Opening` says."""
        self.lost = False
        """Nothing more can be done with it."""
        self.moved = 0
        """Counts bytes that arrived at either side: by this a slow connection is told from a stalled one."""
        self._login = login
        self._where = f"{shown} ({login.endpoint})"
        self._timeout = options.timeout
        self._most = min(max(options.jobs, 1), _CHANNELS)
        self._loop = get_loop()
        self._changed = threading.Condition()
        self._opening = 0
        self._served = False
        self._channels: dict[SFTPClient, int] = {}
        self._opened = Opening(login, options, shown=shown, seen=seen, on_lost=self._mark_lost)

    def start(self, work: Coroutine[Any, Any, T]) -> Future[T]:
        """Let the event loop run something."""
        return asyncio.run_coroutine_threadsafe(work, self._loop)

    def note(self, count: int) -> None:
        """Take note of bytes that arrived, in the event loop's thread."""
        self.moved += count

    def answered(self) -> None:
        """Take note of an answer without payload: as good a sign of life as there is."""
        self.moved += int(self._timeout * 1000) + 1

    def ask_for_life(self) -> None:
        """Ask the server itself, whatever its file transfer is at, for an answer, which counts as any other does."""

        async def ask() -> None:
            await self._opened.client._make_global_request(_ARE_YOU_THERE)
            self.answered()

        self.start(ask())

    def borrow(self, *, bulk: bool) -> SFTPClient:
        """A channel: for much data (`bulk`) one of its own, as far as the server allows, else the first one, which is
        for small requests, so that they need not queue behind big ones."""
        with self._changed:
            while (found := self._choose(bulk)) is None and not self._may_open():
                self._changed.wait()
            if found is not None:
                self._channels[found] += 1
                return found
            self._opening += 1
        opened: SFTPClient | None = None
        refusal: asyncssh.ChannelOpenError | None = None
        try:
            opened = self._open_channel()
        except asyncssh.ChannelOpenError as error:
            refusal = error
        finally:
            with self._changed:
                self._opening -= 1
                if opened is not None:
                    self._channels[opened] = 1
                    self._served = True
                self._changed.notify_all()
        return opened if opened is not None else self._share(refusal)

    def _share(self, refusal: BaseException | None) -> SFTPClient:
        """One of the channels that there are, where the server allows no more."""
        with self._changed:
            while not self._channels and self._opening and not self.lost:
                self._changed.wait()
            if not self._channels or self.lost:
                raise self._no_sftp(refusal or EOFError("no channel")) from refusal
            self._most = len(self._channels)
            found = min(self._channels, key=self._channels.__getitem__)
            self._channels[found] += 1
        return found

    def give_back(self, channel: SFTPClient) -> None:
        """The channel is free again."""
        with self._changed:
            if channel in self._channels:
                self._channels[channel] -= 1

    def drop(self, channel: SFTPClient) -> None:
        """The channel is dead, though the connection may live."""
        with self._changed:
            self._channels.pop(channel, None)

    def _choose(self, bulk: bool) -> SFTPClient | None:
        """A channel to use; None if another one should be opened, or will be open soon."""
        if not self._channels:
            return None
        first, *others = self._channels
        if not bulk:
            return first
        free = next((channel for channel in others if not self._channels[channel]), None)
        if free is not None or self._may_open():
            return free
        return min(others or [first], key=self._channels.__getitem__)

    def _may_open(self) -> bool:
        return len(self._channels) + self._opening < self._most

    def _open_channel(self) -> SFTPClient:
        """Another channel. Raises ChannelOpenError where the server allows no more than there are."""
        try:
            return self.start(asyncio.wait_for(_sftp(self._opened.client), self._timeout)).result()
        except asyncssh.ChannelOpenError:
            raise
        except FOREIGN as error:
            raise self._no_sftp(error) from error

    def _no_sftp(self, error: BaseException) -> RemoteError:
        text = reason(error)
        may_pass = kind_of(error) in (Kind.BUSY, Kind.UNREACHABLE) and not isinstance(error, asyncssh.SFTPError)
        if self.lost or self._served or may_pass:
            self.close()
            return RemoteBusy(f"{self._where}: the connection broke: {text}", path=self._where)
        return RemoteError(
            f"{self._where}: the server offers no file transfer (SFTP): {text}",
            hint=f"sftp {by_hand(self._login, flag='-P')} must work: sshd needs a line `Subsystem sftp internal-sftp`, "
            "and no start-up file of the shell may print anything",
            path=self._where,
        )

    def _mark_lost(self) -> None:
        self.lost = True

    def close(self) -> None:
        """End it at once; what is under way fails. May be called in any thread but the event loop's, and more than
        once."""
        self.lost = True
        self._opened.abort()

    def begin_close(self) -> None:
        """As `close`, without waiting for it. May be called in any thread."""
        self.lost = True
        self._opened.begin_abort()


async def _sftp(client: SSHClientConnection) -> SFTPClient:
    return await client.start_sftp_client(path_encoding=None)
