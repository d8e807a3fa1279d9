"""An SSH server that is not OpenSSH: asyncssh's own, in a thread of the test."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import asyncssh

from servers.ports import HOST

Result = TypeVar("Result")

USER = "somebody"
PASSWORD = "hush hush"


class _ByPassword(asyncssh.SSHServer):
    def begin_auth(self, username: str) -> bool:
        return True

    def password_auth_supported(self) -> bool:
        return True

    def validate_password(self, username: str, password: str) -> bool:
        return (username, password) == (USER, PASSWORD)


@dataclass(frozen=True, kw_only=True, slots=True)
class OtherSshServer:
    """A server that lets `USER` in by `PASSWORD`, with the files of this machine."""

    port: int
    host_key: str
    """For a file of known hosts."""
    host: str = HOST
    settings: dict[str, str] = field(default_factory=lambda: {"user": USER, "password": PASSWORD})


@contextmanager
def other_ssh_server(**options: Any) -> Iterator[OtherSshServer]:
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, name="other ssh server", daemon=True)
    thread.start()

    def run(work: Coroutine[Any, Any, Result]) -> Result:
        return asyncio.run_coroutine_threadsafe(work, loop).result(timeout=60)

    key = asyncssh.generate_private_key("ssh-ed25519")

    async def listen() -> asyncssh.SSHAcceptor:
        return await asyncssh.listen(
            HOST, 0, server_factory=_ByPassword, server_host_keys=[key], **{"sftp_factory": True, **options}
        )

    async def close() -> None:
        acceptor.close()
        await acceptor.wait_closed()
        tasks = asyncio.all_tasks() - {asyncio.current_task()}
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await loop.shutdown_default_executor()

    acceptor = run(listen())
    port = acceptor.get_port()
    public = key.export_public_key().decode().strip()
    try:
        yield OtherSshServer(port=port, host_key=f"[{HOST}]:{port} {public}\n")
    finally:
        run(close())
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


def umask_of_this_process() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def know(server: OtherSshServer, home: Path) -> None:
    """Let the user who lives at `home` know the server."""
    with (home / ".ssh" / "known_hosts").open("a") as file:
        file.write(server.host_key)
