"""OpenSSH's sshd, for the user who runs the tests, with keys of its own."""

from __future__ import annotations

import getpass
import os
import shutil
from pathlib import Path
from typing import Any

from servers.ports import HOST, free_port, listens
from servers.processes import Processes, ServerFailed

_PRIVILEGE_SEPARATION = Path("/run/sshd")


def start(processes: Processes, data: Path, programs: dict[str, str]) -> dict[str, Any]:
    port = free_port()
    keys = processes.directory / "keys"
    shutil.rmtree(keys, ignore_errors=True)
    keys.mkdir(mode=0o700)
    for name in ("host", "other_host", "user", "stranger"):
        processes.run("ssh-keygen", [programs["ssh-keygen"], "-q", "-t", "ed25519", "-N", "", "-f", str(keys / name)])
    shutil.copyfile(keys / "host", keys / "host_in_use")
    (keys / "host_in_use").chmod(0o600)
    shutil.copyfile(keys / "user.pub", keys / "authorized_keys")
    kind, key, *_ = (keys / "host.pub").read_text().split()
    known = (f"[{HOST}]:{port}", f"[{HOST}]:*")  # the second is for proxies in front of it
    (keys / "known_hosts").write_text("".join(f"{names} {kind} {key}\n" for names in known))
    user = getpass.getuser()
    (keys / "ssh_config").write_text(_client_configuration(keys, port=port, user=user))
    if os.geteuid() == 0:
        _PRIVILEGE_SEPARATION.mkdir(exist_ok=True)
    configuration = keys / "sshd_config"
    configuration.write_text(_server_configuration(keys, port=port) + _WITHOUT_PENALTIES)
    try:
        processes.run("sshd -t", [programs["sshd"], "-t", "-f", str(configuration)])
    except ServerFailed:  # older than 9.8, which has no penalties and does not know the word
        configuration.write_text(_server_configuration(keys, port=port))
    process = processes.start("sshd", [programs["sshd"], "-D", "-e", "-f", str(configuration)])
    processes.wait_until(lambda: listens(port), seconds=30, what="sshd to listen")
    return {"port": port, "user": user, "keys": str(keys), "process": process}


_WITHOUT_PENALTIES = "PerSourcePenalties no\n"
"""A test that fails to log in on purpose must not make the server refuse the next one."""


def _server_configuration(keys: Path, *, port: int) -> str:
    return f"""\
Port {port}
ListenAddress {HOST}
HostKey {keys}/host_in_use
AuthorizedKeysFile {keys}/authorized_keys
PidFile none
StrictModes no
UsePAM no
PasswordAuthentication no
KbdInteractiveAuthentication no
PermitRootLogin prohibit-password
MaxSessions 200
MaxStartups 200
MaxAuthTries 20
LogLevel VERBOSE
Subsystem sftp internal-sftp
"""


def _client_configuration(keys: Path, *, port: int, user: str) -> str:
    return f"""\
Host {HOST}
  Port {port}
  User {user}
  IdentityFile {keys}/user
  IdentitiesOnly yes
  IdentityAgent none
  UserKnownHostsFile {keys}/known_hosts
  GlobalKnownHostsFile /dev/null
  StrictHostKeyChecking yes
  BatchMode yes
  LogLevel ERROR
"""
