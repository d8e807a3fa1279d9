"""What tests of the SFTP store share: a user with a home of their own, and stores at a server."""

from __future__ import annotations

import json
import os
import secrets
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from datatool.remote.stores.options import StoreOptions
from datatool.remote.stores.sftp import SftpStore
from datatool.remote.url import parse_url
from servers.fixtures import OwnSshServer, SshServer
from servers.ports import wait_until
from servers.tcp_proxy import TcpProxy

QUICK = 2.0
"""Seconds after which tests of stalls lose their patience."""
BIG = os.urandom(24 << 20)
NAME = "objects/ab/" + "c" * 62
SLACK = 2 << 20
"""Bytes that may be under way and lost when a connection breaks, and what the protocol adds."""


@dataclass(frozen=True, kw_only=True, slots=True)
class SftpWorld:
    """A user's home directory, which knows the server's host key, and the stores that the user opened."""

    server: SshServer
    home: Path
    scratch: Path
    opened: list[SftpStore] = field(default_factory=list)

    @property
    def ssh(self) -> Path:
        return self.home / ".ssh"

    def configure(self, text: str) -> None:
        """Write the user's configuration of ssh."""
        (self.ssh / "config").write_text(text)

    def url(self, path: Path | str, *, host: str = "") -> str:
        return f"sftp://{host or self.server.host}{path}"

    def store(
        self,
        path: Path | str | None = None,
        *,
        url: str = "",
        settings: dict[str, str] | None = None,
        port: int | None = None,
        timeout: float = 20.0,
        scratch: Path | None = None,
    ) -> SftpStore:
        """A store in a directory at the server: a fresh one unless it is named."""
        where = url or self.url(path or self.server.directory())
        found = SftpStore(
            parse_url(where, root=self.home),
            self.server.settings(port=port) if settings is None else settings,
            StoreOptions(scratch=scratch or self.scratch, timeout=timeout, connect_timeout=timeout / 2),
        )
        self.opened.append(found)
        return found

    def close(self) -> None:
        for store in self.opened:
            store.close()

    def process(self, code: str, *arguments: object, path: Path, port: int | None = None) -> subprocess.Popen[str]:
        """A process that runs `code` with a `store` at `path`, and `arguments`."""
        facts = {
            "url": self.url(path),
            "settings": self.server.settings(port=port),
            "scratch": str(self.scratch),
            "arguments": [str(argument) for argument in arguments],
        }
        return subprocess.Popen(
            [sys.executable, "-c", _PREAMBLE + code, json.dumps(facts)],
            env={**os.environ, "HOME": str(self.home)},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def run(self, code: str, *arguments: object, path: Path, port: int | None = None) -> str:
        """What such a process prints; it must succeed."""
        out, err = self.process(code, *arguments, path=path, port=port).communicate(timeout=300)
        assert not err, err[-3000:]
        return out


_PREAMBLE = """
import json, os, resource, sys
from pathlib import Path
from datatool.remote.stores.options import StoreOptions
from datatool.remote.stores.sftp import SftpStore
from datatool.remote.url import parse_url
facts = json.loads(sys.argv[1])
arguments = facts["arguments"]
store = SftpStore(
    parse_url(facts["url"], root=Path("/")), facts["settings"], StoreOptions(scratch=Path(facts["scratch"]))
)
"""


@contextmanager
def world_at(server: SshServer, top: Path) -> Iterator[SftpWorld]:
    """A user who knows the server, with a home below `top`."""
    world = SftpWorld(server=server, home=top / "user", scratch=top / "scratch")
    world.ssh.mkdir(parents=True, mode=0o700)
    (world.ssh / "known_hosts").write_text(server.known_hosts.read_text())
    try:
        yield world
    finally:
        world.close()


def up(proxy: TcpProxy) -> int:
    """Bytes that went through the proxy to the server."""
    return sum(connection.bytes_up for connection in proxy.connections)


def down(proxy: TcpProxy) -> int:
    """Bytes that came from it."""
    return sum(connection.bytes_down for connection in proxy.connections)


def names(directory: Path) -> dict[str, Any]:
    """Every file below a directory of the server, by name, with its bytes."""
    return {
        path.relative_to(directory).as_posix(): path.read_bytes() for path in directory.rglob("*") if path.is_file()
    }


def reconfigure(server: OwnSshServer, more: str, *, instead_of: str = "") -> None:
    """Start sshd anew with another configuration, and wait until it is that one which answers."""
    configuration = server.keys / "sshd_config"
    text = configuration.read_text()
    text = text.replace(instead_of, more) if instead_of else text + more
    mark = secrets.token_hex(4)
    configuration.write_text(f"VersionAddendum {mark}\n{text}")
    os.kill(server.process, signal.SIGHUP)
    wait_until(lambda: mark.encode() in _greeting(server), seconds=30, what="sshd to begin anew")


def _greeting(server: OwnSshServer) -> bytes:
    try:
        with socket.create_connection((server.host, server.port), timeout=5) as client:
            return client.recv(255)
    except OSError:
        return b""
