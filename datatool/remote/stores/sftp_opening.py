"""From a login to a connection: through the hosts that lie before, past the check of the host key, into the account."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import replace
from typing import Any, Final, TypeVar

import asyncssh
from asyncssh import SSHClient, SSHClientConnection, SSHKey
from fsspec.asyn import get_loop
from msgspec import structs
from sshfs import SSHFileSystem

from datatool.errors import DatatoolError, RemoteBusy, RemoteDenied, RemoteError
from datatool.remote.stores.options import SLOW, StoreOptions
from datatool.remote.stores.sftp_errors import FOREIGN, Kind, kind_of, reason, unreachable
from datatool.remote.stores.sftp_host_keys import RefusedKey, no_common_host_key, unknown_host_key
from datatool.remote.stores.sftp_login import Login, jump_login
from datatool.remote.stores.sftp_tcp import tcp

T = TypeVar("T")

ENDS_WITHIN: Final = 2.0
"""Seconds that are waited for the end of a connection."""
_JUMPS: Final = 8


class _Door(SSHClient):
    """What asyncssh tells while it connects, and when it no longer is."""

    def __init__(self, on_lost: Callable[[], None]) -> None:
        self._on_lost = on_lost
        self.refused: RefusedKey | None = None

    def validate_host_public_key(self, host: str, addr: str, port: int, key: SSHKey) -> bool:
        self.refused = RefusedKey(host=host, address=addr, port=port, key=key)
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        self._on_lost()


class Opening:
    """Connects to one remote. `files` is sshfs's filesystem, `client` the connection of asyncssh in it."""

    files: Any
    client: SSHClientConnection

    def __init__(
        self, login: Login, options: StoreOptions, *, shown: str, seen: bool, on_lost: Callable[[], None]
    ) -> None:
        """Connect. `seen` says that this process had a connection there before, so that what fails now may pass;
        `on_lost` is called when the connection, or one on the way, ends.

        Raises RemoteDenied, RemoteUnreachable, RemoteBusy, RemoteError.
        """
        self._login = login
        self._options = options
        self._shown = shown
        self._seen = seen
        self._on_lost = on_lost
        self._loop = get_loop()
        self._jumps: list[SSHClientConnection] = []
        try:
            self.files = self._connect()
        except BaseException:
            self.abort()
            raise
        self.client = self.files.client

    def abort(self) -> None:
        """End everything at once. May be called in any thread but the event loop's, and more than once."""
        ended = self.begin_abort()
        with suppress(*FOREIGN):
            ended.result(timeout=ENDS_WITHIN)

    def begin_abort(self) -> Future[None]:
        """As `abort`, without waiting for it. May be called in any thread."""
        ending = [*([self.client] if hasattr(self, "client") else []), *reversed(self._jumps)]
        self._jumps = []
        return asyncio.run_coroutine_threadsafe(_abort(ending), self._loop)

    def _connect(self) -> Any:
        """The filesystem of sshfs, at the end of all jumps."""
        jumps: list[Login] = []
        jump = self._login.jump
        while jump is not None:
            if len(jumps) > _JUMPS:
                raise RemoteError(f"{self._shown}: ProxyJump in ~/.ssh/config leads round in a circle")
            jumps[:0] = [jump_login(host, shown=self._shown) for host in jump.split(",")]
            jump = jumps[0].jump
        tunnel: SSHClientConnection | None = None
        for login in jumps:
            tunnel = self._reach(login, tunnel, self._jump)
            self._jumps.append(tunnel)
        return self._reach(self._login, tunnel, _filesystem)

    def _reach(
        self,
        login: Login,
        tunnel: SSHClientConnection | None,
        connect: Callable[[str, dict[str, Any]], T],
    ) -> T:
        door = _Door(self._on_lost)
        where = f"{self._shown} ({login.endpoint})"
        sock: socket.socket | None = None
        address = ""
        if tunnel is not None:
            login = replace(login, name=structs.replace(login.name, scannable=False))
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
            raise self._refused(error, login, door, where) from error

    def _jump(self, host: str, arguments: dict[str, Any]) -> SSHClientConnection:
        async def connect() -> SSHClientConnection:
            return await asyncssh.connect(host, **arguments)

        return asyncio.run_coroutine_threadsafe(connect(), self._loop).result()

    def _refused(self, error: BaseException, login: Login, door: _Door, where: str) -> RemoteError:
        """What to raise for a connection that did not come about."""
        cause = error.__cause__ if isinstance(error, PermissionError) else None
        kind = kind_of(cause or error)
        text = reason(error)
        if kind is Kind.HOST_KEY:
            return unknown_host_key(login.name, door.refused, login.known, endpoint=where, reason=text)
        if isinstance(error, asyncssh.KeyExchangeFailed) and "host key" in text:
            return no_common_host_key(login.name, endpoint=where)
        if kind is Kind.LOGIN or (isinstance(error, asyncssh.DisconnectError) and "authentication" in text.lower()):
            return self._denied(login, where, text)
        if isinstance(error, FileNotFoundError) and not login.direct and login.jump is None:
            text = f"the ProxyCommand in ~/.ssh/config can't be run: {text}"
        if kind is Kind.UNREACHABLE or isinstance(error, OSError):
            return unreachable(text, where, seen=self._seen, hint=f"ssh {by_hand(login)} says more")
        if isinstance(error, asyncssh.ConnectionLost) and "timeout" in text.lower():
            return unreachable(f"no answer for {self._options.timeout:.0f} s", where, seen=self._seen, hint=SLOW)
        if kind is Kind.BUSY:
            return RemoteBusy(
                f"{where}: the server ended the connection before the login was done: {text}",
                hint=f"try again in a while, it may have too many logins at once; ssh {by_hand(login)} says more",
                path=where,
            )
        return RemoteError(f"{where}: can't connect: {text}", hint=f"ssh {by_hand(login)} says more", path=where)

    def _denied(self, login: Login, where: str, text: str) -> RemoteDenied:
        tried = ", ".join((*self._agent_keys(login), *login.tried)) or "nothing, as there is no key and no agent"
        locked = "".join(f"; {name} needs a passphrase" for name in login.locked)
        hint = f"ssh {by_hand(login)} must work by itself; datatool remote set NAME --local keyfile=PATH names a key"
        if login.locked:
            hint = f"ssh-add {login.locked[0]} hands the key to the agent"
        return RemoteDenied(
            f"{self._shown}: {login.endpoint} refused the login ({text}); tried: {tried}{locked}", hint=hint, path=where
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


async def _abort(ending: list[SSHClientConnection]) -> None:
    for connection in ending:
        connection.abort()
        with suppress(*FOREIGN):
            await asyncio.wait_for(connection.wait_closed(), 1)


def _filesystem(host: str, arguments: dict[str, Any]) -> Any:
    return SSHFileSystem(host, skip_instance_cache=True, **arguments)


def by_hand(login: Login, *, flag: str = "-p") -> str:
    """What a person gives to ssh (or, with another flag for the port, to sftp) to get to the same place."""
    name = login.name
    if not name.scannable:
        return name.typed
    # As typed: the configuration for that name may say which key to use, or which host to go through.
    return f"{flag} {name.port} {login.user}@{name.typed}"
