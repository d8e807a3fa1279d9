"""The store over SFTP, against OpenSSH."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from conformance import Conformance

from datatool.remote.stores.options import StoreOptions
from datatool.remote.stores.sftp import SftpStore
from datatool.remote.url import parse_url
from servers.fixtures import SshServer


@pytest.fixture
def home(tmp_path, monkeypatch, sshd):
    ssh = tmp_path / "home" / ".ssh"
    ssh.mkdir(parents=True)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    (ssh / "known_hosts").write_text(sshd.known_hosts.read_text())
    return tmp_path / "home"


class TestSftpStore(Conformance):
    @pytest.fixture
    def store(self, sshd: SshServer, home: Path, tmp_path: Path) -> Iterator[SftpStore]:
        store = SftpStore(parse_url(f"ssh://{sshd.host}{sshd.directory()}", root=tmp_path), sshd.settings(), StoreOptions(scratch=tmp_path / "scratch"))
        yield store
        store.close()
