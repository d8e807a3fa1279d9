"""A remote on an SSH server, through the command line."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from servers.fixtures import SshServer
from world import World


class SshWorld(World):
    """A project whose remote lies in `served`, a directory at the server `lab`."""

    def __init__(self, top: Path, server: SshServer) -> None:
        super().__init__(top)
        self.served = server.directory() / "data"
        ssh = self.home / ".ssh"
        ssh.mkdir(mode=0o700)
        shutil.copy(server.known_hosts, ssh / "known_hosts")
        (ssh / "config").write_text(
            f"Host lab\n  HostName {server.host}\n  Port {server.port}\n  User {server.user}\n"
            f"  IdentityFile {server.key}\n  IdentitiesOnly yes\n"
        )
        self.ok("remote", "add", "lab", f"ssh://lab{self.served}", "-d")
        self.commit("remote")


@pytest.fixture
def far(sshd: SshServer, tmp_path: Path) -> Iterator[SshWorld]:
    yield SshWorld(tmp_path, sshd)


def test_what_is_pushed_is_pulled_by_another_clone(far: SshWorld) -> None:
    for n in range(40):
        far.write(f"data/{n:02}.txt", b"%d" % n)
    far.write("big.bin", os.urandom(17 << 20))
    far.ok("add", "data", "big.bin")
    far.commit("data")
    assert far.json("push")["objects"] == 42
    assert far.json("status", "--remote")["artifacts"][0]["remote"] is True
    clone = far.top / "clone"
    far.git("clone", "-q", str(far.root), str(clone))
    far.ok("pull", cwd=clone)
    for name in ("data/07.txt", "big.bin"):
        assert (clone / name).read_bytes() == (far.root / name).read_bytes()
    assert far.json("push")["requests"] <= 4


def test_an_unknown_host_key_is_an_exit_code_and_a_hint(far: SshWorld) -> None:
    far.write("a", b"a")
    far.ok("add", "a")
    (far.home / ".ssh" / "known_hosts").write_text("")
    failed = far.fails(6, "push", "--json")
    error = json.loads(failed.err.splitlines()[-1])["error"]
    assert "host key" in error["message"]
    assert "ssh-keyscan -p" in error["hint"]
    assert not far.served.exists()


def test_a_check_proves_what_can_be_done_and_cleans_up(far: SshWorld) -> None:
    far.write("a", b"a")
    far.ok("add", "a")
    far.ok("push")
    left = far.served / "tmp" / "0123456789abcdef-part-objects+ab+cd"
    left.write_bytes(b"half")
    os.utime(left, (1_000_000_000, 1_000_000_000))
    assert far.json("remote", "check", "lab")["capabilities"]["conditional"] is True
    far.ok("remote", "check", "lab", "--clean")
    assert not left.exists()


def test_no_network_is_used_offline(far: SshWorld) -> None:
    far.write("a", b"a")
    far.ok("add", "a")
    assert "offline" in far.fails(6, "push", "--offline").err


def test_a_password_appears_nowhere(far: SshWorld) -> None:
    far.ok("remote", "set", "lab", "password=hushhush")
    (far.home / ".ssh" / "config").write_text("")
    far.ok("remote", "set", "lab", "--local", f"url=ssh://localhost.invalid{far.served}")
    far.write("a", b"a")
    far.ok("add", "a")
    failed = far.fails(6, "push", "-vv")
    assert "hushhush" not in failed.err + failed.out
