"""One connection to a server, with the SFTP channels in it: made, lent out, found dead, closed.

sshfs opens it, and its own event loop (fsspec's thread) runs it; the channels are asyncssh's, asked for directly,
because those of sshfs's own pool stay in it when they are dead.
"""

from __future__ import annotations

import asyncio
import queue
import socket
import threading
from collections.abc import Callable, Coroutine
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import replace
from typing import Any, Final, TypeVar

import asyncssh
from asyncssh import SFTPClient, SSHClient, SSHClientConnection, SSHKey
from fsspec.asyn import get_loop
from sshfs import SSHFileSystem

from datatool.errors import DatatoolError, RemoteBusy, RemoteDenied, RemoteError
from datatool.remote.stores.options import StoreOptions
from datatool.remote.stores.sftp_errors import FOREIGN, Kind, kind_of, reason, unreachable
from datatool.remote.stores.sftp_host_keys import RefusedKey, no_common_host_key, unknown_host_key
from datatool.remote.stores.sftp_login import Login, jump_login

T = TypeVar("T")

_JUMPS: Final = 8
_CHANNELS: Final = 8
"""OpenSSH allows 10 sessions in a connection; one of the rest may be a person's, over a shared connection."""


class _Door(SSHClient):
    """What asyncssh tells while it connects, and when it no longer is."""

    def __init__(self, on_lost: Callable[[], None]) -> None:
        self._on_lost = on_lost
        self.refused: RefusedKey | None = None
        self.verified = False
        """The server was found to be the right one, and logging in began."""

    def validate_host_public_key(self, host: str, addr: str, port: int, key: SSHKey) -> bool:
        self.refused = RefusedKey(host=host, address=addr, port=port, key=key)
        return False

    def begin_auth(self, username: str) -> None:
        self.verified = True

    def connection_lost(self, exc: Exception | None) -> None:
        self._on_lost()


class Connection:
    """A live connection. Any thread may ask for a channel; what it then awaits runs in the event loop's thread."""

    def __init__(self, login: Login, options: StoreOptions, *, shown: str, seen: bool) -> None:
        """Connect. `seen` says that this process had a connection there before, so that what fails now may pass.

        Raises RemoteDenied, RemoteUnreachable, RemoteBusy, RemoteError.
        """
        self.login = login
        self.shown = shown
        self.lost = False
        """Nothing more can be done with it."""
        self.moved = 0
        """Counts bytes that arrived at either side: by this a slow connection is told from a stalled one."""
        self._options = options
        self._loop = get_loop()
        self._changed = threading.Condition()
        self._opening = 0
        self._channels: dict[SFTPClient, int] = {}
        self._most = min(max(options.jobs, 1), _CHANNELS)
        self._jumps: list[SSHClientConnection] = []
        try:
            self._files = self._connect(seen)
        except BaseException:
            self.close()
            raise

    # Connecting

    def _connect(self, seen: bool) -> Any:
        """The filesystem of sshfs, at the end of all jumps."""
        jumps: list[Login] = []
        jump = self.login.jump
        while jump is not None:
            if len(jumps) > _JUMPS:
                raise RemoteError(f"{self.shown}: ProxyJump in ~/.ssh/config leads round in a circle")
            jumps[:0] = [jump_login(host, shown=self.shown) for host in jump.split(",")]
            jump = jumps[0].jump
        tunnel: SSHClientConnection | None = None
        for login in jumps:
            tunnel = self._reach(login, tunnel, seen, self._jump)
            self._jumps.append(tunnel)
        return self._reach(self.login, tunnel, seen, _filesystem)

    def _reach(
        self,
        login: Login,
        tunnel: SSHClientConnection | None,
        seen: bool,
        connect: Callable[[str, dict[str, Any]], T],
    ) -> T:
        door = _Door(self._mark_lost)
        where = f"{self.shown} ({login.endpoint})"
        sock: socket.socket | None = None
        address = ""
        if tunnel is not None:
            login = replace(login, name=replace(login.name, scannable=False))
        try:
            if tunnel is None and login.direct:
                sock = tcp(login.name.host, login.name.port, login.family, self._options.connect_timeout)
                address = str(sock.getpeername()[0])
            arguments = {
                **login.arguments_at(address),
                "client_factory": lambda: door,
                "login_timeout": self._options.timeout,
                "connect_timeout": self._options.connect_timeout + self._options.timeout,
                "tunnel": tunnel,
                "sock": sock,
            }
            return connect(login.name.typed, arguments)
        except DatatoolError:
            raise
        except FOREIGN as error:
            if sock is not None:
                sock.close()
            raise self._refused(error, login, door, where, seen) from error

    def _jump(self, host: str, arguments: dict[str, Any]) -> SSHClientConnection:
        async def connect() -> SSHClientConnection:
            return await asyncssh.connect(host, **arguments)

        return asyncio.run_coroutine_threadsafe(connect(), self._loop).result()

    def _refused(self, error: BaseException, login: Login, door: _Door, where: str, seen: bool) -> RemoteError:
        """What to raise for a connection that did not come about."""
        cause = error.__cause__ if isinstance(error, PermissionError) else None
        kind = kind_of(cause or error)
        text = reason(error)
        if kind is Kind.HOST_KEY:
            return unknown_host_key(login.name, door.refused, login.known, endpoint=where, reason=text)
        if isinstance(error, asyncssh.KeyExchangeFailed) and "host key" in text:
            return no_common_host_key(login.name, endpoint=where)
        if kind is Kind.LOGIN or (door.verified and isinstance(error, asyncssh.ProtocolError)):
            return self._denied(login, where, text)
        if kind is Kind.UNREACHABLE or isinstance(error, OSError):
            return unreachable(text, where, seen=seen, hint=f"ssh {_by_hand(login)} says more")
        if isinstance(error, asyncssh.ConnectionLost) and "timeout" in text.lower():
            return unreachable(f"no answer for {self._options.timeout:.0f} s", where, seen=seen)
        if kind is Kind.BUSY:
            return RemoteBusy(f"{where}: the server ended the connection before the login was done: {text}", path=where)
        return RemoteError(f"{where}: can't connect: {text}", hint=f"ssh {_by_hand(login)} says more", path=where)

    def _denied(self, login: Login, where: str, text: str) -> RemoteDenied:
        tried = ", ".join((*self._agent_keys(login), *login.tried)) or "nothing, as there is no key and no agent"
        locked = "".join(f"; {name} needs a passphrase" for name in login.locked)
        hint = f"ssh {_by_hand(login)} must work by itself; datatool remote set NAME --local keyfile=PATH names a key"
        if login.locked:
            hint = f"ssh-add {login.locked[0]} hands the key to the agent"
        return RemoteDenied(
            f"{self.shown}: {login.endpoint} refused the login ({text}); tried: {tried}{locked}", hint=hint, path=where
        )

    def _agent_keys(self, login: Login) -> tuple[str, ...]:
        """How many keys the agent has, for the message."""
        if not login.agent:
            return ()

        async def count() -> int:
            agent = asyncssh.SSHAgentClient(login.agent or "")
            try:
                return len(await agent.get_keys(login.arguments.get("agent_identities")))
            finally:
                agent.close()

        try:
            found = asyncio.run_coroutine_threadsafe(asyncio.wait_for(count(), 2), self._loop).result()
        except FOREIGN:
            return ("the agent, which did not answer",)
        return (
            (f"the agent's {found} key{'' if found == 1 else 's'}",)
            if found
            else ("the agent, which has no key for this",)
        )

    # Using it

    def start(self, work: Coroutine[Any, Any, T]) -> Future[T]:
        """Let the event loop run something."""
        return asyncio.run_coroutine_threadsafe(work, self._loop)

    def note(self, count: int) -> None:
        """Take note of bytes that arrived, in the event loop's thread."""
        self.moved += count

    def answered(self) -> None:
        """Take note of an answer without payload: as good a sign of life as there is."""
        self.moved += int(self._options.timeout * 1000) + 1

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
        try:
            opened = self._open_channel()
        finally:
            with self._changed:
                self._opening -= 1
                if opened is not None:
                    self._channels[opened] = 0
                self._changed.notify_all()
        with self._changed:
            if opened is None:  # the server allows no more than there are
                self._most = max(1, len(self._channels))
                opened = min(self._channels, key=self._channels.__getitem__)
            self._channels[opened] += 1
        return opened

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

    def _open_channel(self) -> SFTPClient | None:
        """Another channel; None where the server allows no more than there are."""
        client: SSHClientConnection = self._files.client
        try:
            opening = self.start(asyncio.wait_for(_sftp(client), self._options.timeout))
            return opening.result()
        except asyncssh.ChannelOpenError as error:
            if self._channels and not self.lost:
                return None
            raise self._no_sftp(error) from error
        except FOREIGN as error:
            raise self._no_sftp(error) from error

    def _no_sftp(self, error: BaseException) -> RemoteError:
        where = f"{self.shown} ({self.login.endpoint})"
        text = reason(error)
        if self.lost or (kind_of(error) is Kind.BUSY and not isinstance(error, asyncssh.SFTPError)):
            self.close()
            return RemoteBusy(f"{where}: the connection broke: {text}", path=where)
        return RemoteError(
            f"{where}: the server offers no file transfer (SFTP): {text}",
            hint=f"sftp {_by_hand(self.login, flag='-P')} must work: sshd needs a line `Subsystem sftp internal-sftp`, "
            "and no start-up file of the shell may print anything",
            path=where,
        )

    def _mark_lost(self) -> None:
        self.lost = True

    def close(self) -> None:
        """End it at once; what is under way fails. May be called in any thread, and more than once."""
        self.lost = True
        files = getattr(self, "_files", None)
        ending = [files.client] if files is not None else []
        ending += reversed(self._jumps)
        self._jumps = []
        with suppress(*FOREIGN):
            asyncio.run_coroutine_threadsafe(_abort(ending), self._loop).result(timeout=2)


async def _sftp(client: SSHClientConnection) -> SFTPClient:
    return await client.start_sftp_client(path_encoding=None)


async def _abort(ending: list[SSHClientConnection]) -> None:
    for connection in ending:
        connection.abort()
        with suppress(*FOREIGN):
            await asyncio.wait_for(connection.wait_closed(), 1)


def _filesystem(host: str, arguments: dict[str, Any]) -> Any:
    return SSHFileSystem(host, skip_instance_cache=True, **arguments)


def _by_hand(login: Login, *, flag: str = "-p") -> str:
    """What to give to ssh to get to the same place."""
    name = login.name
    if not name.scannable:
        return name.typed
    return f"{flag} {name.port} {login.user}@{name.host}"


def tcp(host: str, port: int, family: int, timeout: float) -> socket.socket:
    """A TCP connection within `timeout` seconds, even where a name takes longer to be looked up. Raises OSError."""
    outcome: queue.SimpleQueue[socket.socket | OSError] = queue.SimpleQueue()
    late = threading.Event()

    def attempt() -> None:
        found = _tcp(host, port, family, timeout)
        outcome.put(found)
        if late.is_set() and isinstance(found, socket.socket):
            found.close()

    threading.Thread(target=attempt, name="ssh connect", daemon=True).start()
    try:
        found = outcome.get(timeout=timeout)
    except queue.Empty:
        late.set()
        raise TimeoutError(f"no answer for {timeout:.0f} s") from None
    if isinstance(found, OSError):
        raise found
    return found


def _tcp(host: str, port: int, family: int, timeout: float) -> socket.socket | OSError:
    failure = OSError("it has no address")
    try:
        addresses = socket.getaddrinfo(host, port, family, socket.SOCK_STREAM)
    except OSError as error:
        return error
    for of_address, kind, protocol, _, address in addresses:
        sock = socket.socket(of_address, kind, protocol)
        sock.settimeout(timeout)
        try:
            sock.connect(address)
        except OSError as error:
            sock.close()
            failure = error
        else:
            return sock
    return failure
