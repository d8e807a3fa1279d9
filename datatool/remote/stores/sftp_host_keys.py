"""Whether a server is the one it says it is: the keys known on this machine, and what to say about another one.

sshfs by itself accepts any key, and asyncssh does where a configuration says `UserKnownHostsFile none`. Here a server
is always checked, against the files that ssh itself reads.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from typing import Final

from asyncssh import SSHKey, SSHKnownHosts
from msgspec import Struct

from datatool.errors import RemoteDenied
from datatool.model.paths import show

USER_FILES: Final = ("~/.ssh/known_hosts", "~/.ssh/known_hosts2")
GLOBAL_FILES: Final = ("/etc/ssh/ssh_known_hosts", "/etc/ssh/ssh_known_hosts2")

_SSH_PORT: Final = 22


def known_hosts(files: Iterable[str]) -> SSHKnownHosts:
    """What is written in these files, as far as they are there; lines that can't be read are passed over."""
    found = SSHKnownHosts()
    for name in files:
        try:
            with open(os.path.expanduser(name), encoding="utf-8", errors="replace") as file:
                lines = file.readlines()
        except OSError:
            continue
        for line in lines:
            try:
                found.load(line)
            except ValueError:
                continue
    return found


class RefusedKey(Struct, frozen=True, kw_only=True):
    """A key that a server showed and that is not known for it. `address` is empty behind a proxy."""

    host: str
    address: str
    port: int
    key: SSHKey


class HostName(Struct, frozen=True, kw_only=True):
    """How a server is looked for among the known ones.

    `typed` is what the user calls it, `host` its real name, `alias` another one that its key is filed under.
    `scannable` says that ssh-keyscan gets there, and that what it prints is what is looked for.
    """

    typed: str
    host: str
    port: int
    alias: str | None
    file: str
    scannable: bool

    @property
    def entry(self) -> str:
        """What the server is called in a file of known hosts."""
        if self.alias is not None:
            return self.alias
        return self.host if self.port == _SSH_PORT else f"[{self.host}]:{self.port}"

    def known_keys(self, known: SSHKnownHosts, address: str) -> tuple[Sequence[SSHKey], Sequence[SSHKey]]:
        """The keys that are known for it, and those of authorities that may vouch for it."""
        port = None if self.port == _SSH_PORT else self.port
        keys, authorities, *_ = known.match(self.alias or self.host, address, port)
        return keys, authorities


def unknown_host_key(
    name: HostName, refused: RefusedKey | None, known: SSHKnownHosts, *, endpoint: str, reason: str
) -> RemoteDenied:
    """The error for a server whose key was refused; `reason` is asyncssh's, for what concerns no plain key."""
    if refused is None:
        return RemoteDenied(
            f"{endpoint}: the server's host key can't be trusted: {reason}",
            hint=f"ssh {_words(name)} says more; ask whoever runs the server",
            path=endpoint,
        )
    shown = f"{refused.key.get_algorithm()} {refused.key.get_fingerprint()}"
    if _is_known(name, refused, known):
        return RemoteDenied(
            f"{endpoint}: the host key of {show(name.entry)} has CHANGED (it is now {shown}): the server was set up "
            "anew, or somebody else answers in its place; nothing was sent",
            hint=f"only if whoever runs the server confirms that fingerprint: ssh-keygen -R '{name.entry}'"
            f"{_other_file(name)} && {_accept(name)}",
            path=endpoint,
        )
    return RemoteDenied(
        f"{endpoint}: the host key of {show(name.entry)} is not known here ({shown}); nothing was sent",
        hint=f"compare the fingerprint with what whoever runs the server says, then: {_accept(name)}",
        path=endpoint,
    )


def no_common_host_key(name: HostName, *, endpoint: str) -> RemoteDenied:
    """The error for a server that has no key of a kind that is known for it."""
    return RemoteDenied(
        f"{endpoint}: the server has no host key of the kinds that are known here for {show(name.entry)}; "
        "nothing was sent",
        hint=f"compare the fingerprint with what whoever runs the server says, then: {_accept(name)}",
        path=endpoint,
    )


def _is_known(name: HostName, refused: RefusedKey, known: SSHKnownHosts) -> bool:
    """Whether another key is known for exactly this host and port: one of the host at another port means nothing."""
    hosts: Sequence[str] = (refused.host, refused.address)
    if refused.port != _SSH_PORT:
        hosts = (*(f"[{host}]:{refused.port}" for host in hosts if host), name.alias or "")
    return any(any(known.match(host, "", None)[:2]) for host in hosts if host)


def _accept(name: HostName) -> str:
    """The command that makes a server known."""
    if not name.scannable:
        return f"ssh {_words(name)} exit"
    return f"ssh-keyscan -p {name.port} {name.host} >> {name.file}"


def _words(name: HostName) -> str:
    return show(name.typed) if not name.scannable else f"-p {name.port} {name.host}"


def _other_file(name: HostName) -> str:
    return "" if name.file == USER_FILES[0] else f" -f {name.file}"
