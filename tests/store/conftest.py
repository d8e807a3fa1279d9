"""Fixtures of the SFTP store's tests."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from sftp_world import BIG, SftpWorld, world_at

from servers.fixtures import SshServer
from servers.tcp_proxy import TcpProxy


@pytest.fixture
def world(sshd: SshServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[SftpWorld]:
    """A user who knows the SSH server."""
    with world_at(sshd, tmp_path) as world:
        monkeypatch.setenv("HOME", str(world.home))
        yield world


@pytest.fixture
def proxy(sshd: SshServer) -> Iterator[TcpProxy]:
    """Stands between the user and the SSH server, and can break what goes through it."""
    with TcpProxy(sshd.port) as proxy:
        yield proxy


@pytest.fixture
def big(tmp_path: Path) -> Path:
    """A file of more than any buffer holds."""
    path = tmp_path / "big"
    path.write_bytes(BIG)
    return path
