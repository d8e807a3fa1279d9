"""How to get in at a host: what the remote's settings, the user's ssh configuration and the agent offer.

Aliases, IdentityFile, IdentityAgent, IdentitiesOnly, ProxyJump, ProxyCommand, Ciphers and the like are honoured as ssh
does. Some of it asyncssh would do itself, but it gives up at a key file that is missing, takes IdentitiesOnly to mean
public key files only, and can't say afterwards what was tried.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import asyncssh
from asyncssh import SSHClientConnectionOptions, SSHKeyPair, SSHKnownHosts
from asyncssh.config import ConfigParseError
from asyncssh.pbe import KeyEncryptionError
from asyncssh.public_key import get_default_certificate_algs, get_default_public_key_algs
from msgspec import Struct

from datatool.errors import RemoteDenied, RemoteError
from datatool.model.paths import show
from datatool.remote.stores.sftp_errors import FOREIGN, reason
from datatool.remote.stores.sftp_host_keys import GLOBAL_FILES, USER_FILES, HostName, known_hosts
from datatool.remote.stores.sftp_place import Place

_CONFIG: Final = "~/.ssh/config"
_KEYS: Final = ("id_ed25519", "id_ecdsa", "id_rsa", "id_ed25519_sk", "id_ecdsa_sk", "id_ed448", "id_dsa")
_CIPHERS: Final = "^aes128-gcm@openssh.com,aes256-gcm@openssh.com"
"""First of all: in Python they take half the time of the usual first choice, chacha20-poly1305."""
_ALIVE_EVERY: Final = 15
_WINDOW: Final = 8 << 20
"""Bytes that a server may send without being asked for more: enough for 80 MB/s over a way of 100 ms."""
_PACKET: Final = 128 << 10
"""Bytes that a server may send in one packet: each costs time in Python."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Login:
    """Everything needed to connect to one host. `jump` is the host to go through, `direct` says that a plain TCP
    connection to `host` and `port` leads there."""

    name: HostName
    user: str
    known: SSHKnownHosts
    keys: tuple[SSHKeyPair, ...]
    agent: str | None
    tried: tuple[str, ...]
    locked: tuple[str, ...]
    """Key files that need a passphrase."""
    jump: str | None
    direct: bool
    family: int
    kinds: bool
    """Whether the kinds of host keys are for us to choose."""
    arguments: Mapping[str, Any] = field(repr=False)
    """What asyncssh is told besides the host."""

    @property
    def endpoint(self) -> str:
        """`user@host:port`."""
        host = f"[{self.name.host}]" if ":" in self.name.host else self.name.host
        return show(f"{self.user}@{host}:{self.name.port}")

    def arguments_at(self, address: str) -> dict[str, Any]:
        """What asyncssh is told, once it is known which address the host has (empty behind a proxy).

        By itself it would ask for keys of the kinds that are known and no others, so that a key that changed its kind
        would look like a connection that broke.
        """
        if not self.kinds:
            return dict(self.arguments)
        keys, authorities = self.name.known_keys(self.known, address)
        kinds = get_default_certificate_algs() if authorities else []
        kinds += [kind for key in keys for kind in key.sig_algorithms]
        kinds += get_default_public_key_algs()
        return {**self.arguments, "server_host_key_algs": [kind.decode() for kind in dict.fromkeys(kinds)]}


def find_login(place: Place, settings: Mapping[str, str]) -> Login:
    """The login for a remote. Raises RemoteDenied for a key file that can't be used, RemoteError for a configuration
    of ssh that can't be read."""
    return _login(
        place.host,
        port=place.port,
        user=place.user,
        keyfile=settings.get("keyfile"),
        password=settings.get("password"),
        shown=place.shown,
    )


def jump_login(jump: str, *, shown: str) -> Login:
    """The login for a host to go through, written `[user@]host[:port]` in the user's configuration."""
    user, _, address = jump.strip().removeprefix("ssh://").rpartition("@")
    host, colon, port = address.rpartition(":")
    if not colon or not port.isdigit() or (":" in host and not host.endswith("]")):
        host, port = address, ""
    return _login(
        host.strip("[]"), port=int(port) if port else None, user=user or None, keyfile=None, password=None, shown=shown
    )


def _login(
    host: str, *, port: int | None, user: str | None, keyfile: str | None, password: str | None, shown: str
) -> Login:
    config = os.path.expanduser(_CONFIG)
    explicit: dict[str, Any] = {"config": [config] if os.access(config, os.R_OK) else []}
    if port is not None:
        explicit["port"] = port
    if user is not None:
        explicit["username"] = user
    try:
        options = SSHClientConnectionOptions(host=host, client_keys=None, **explicit)
    except ConfigParseError as error:
        raise RemoteError(f"{shown}: {reason(error)}", hint=f"ssh -G {show(host)} checks {_CONFIG}") from error
    except FOREIGN as error:
        raise RemoteError(f"{shown}: can't be connected to: {reason(error)}") from error
    name = _host_name(host, options)
    files = [
        *(_listed(options, "UserKnownHostsFile") or USER_FILES),
        *(_listed(options, "GlobalKnownHostsFile") or GLOBAL_FILES),
    ]
    known = known_hosts(files)
    identities = _Identities.find(options, keyfile, shown)
    agent = _agent(options, identities)
    arguments = {
        **explicit,
        "known_hosts": known,
        "client_keys": list(identities.keys),
        "agent_path": agent,
        "keepalive_interval": options.config.get("ServerAliveInterval") or _ALIVE_EVERY,
        "window": _WINDOW,
        "max_pktsize": _PACKET,
        # A file transfer needs none of these, whatever the configuration says for terminals.
        "agent_forwarding": False,
        "x11_forwarding": False,
        "request_pty": False,
        "command": None,
        "env": None,
        "send_env": None,
    }
    if identities.only:
        arguments["agent_identities"] = list(identities.public)
    if password:
        arguments["password"] = password
    if options.config.get("Ciphers") is None:
        arguments["encryption_algs"] = _CIPHERS
    jump = options.tunnel if isinstance(options.tunnel, str) else None
    return Login(
        name=name,
        user=options.username,
        known=known,
        keys=identities.keys,
        agent=agent,
        tried=(*identities.names, *(("the password",) if password else ())),
        locked=identities.locked,
        jump=jump,
        direct=jump is None and not options.proxy_command,
        family=options.family,
        kinds=options.config.get("HostKeyAlgorithms") is None,
        arguments=arguments,
    )


def _host_name(typed: str, options: SSHClientConnectionOptions) -> HostName:
    files = _listed(options, "UserKnownHostsFile")
    alias = options.host_key_alias
    return HostName(
        typed=typed,
        host=options.host,
        port=options.port,
        alias=alias,
        file=files[0] if files else USER_FILES[0],
        scannable=not (alias or options.tunnel or options.proxy_command),
    )


def _listed(options: SSHClientConnectionOptions, key: str) -> list[str]:
    found = options.config.get(key)
    return [str(item) for item in found] if isinstance(found, list) else []


def _agent(options: SSHClientConnectionOptions, identities: _Identities) -> str | None:
    if identities.only and not identities.public:
        return None
    path = options.config.get("IdentityAgent", os.environ.get("SSH_AUTH_SOCK"))
    if path == "SSH_AUTH_SOCK":
        path = os.environ.get("SSH_AUTH_SOCK")
    elif isinstance(path, str) and path.startswith("$"):
        path = os.environ.get(path.strip("${}"))
    return os.path.expanduser(path) if isinstance(path, str) and path else None


class _Identities(Struct, frozen=True, kw_only=True):
    """The user's keys: those that can be used from their files, and the public ones that the agent may be asked for
    (with `only`, no others)."""

    keys: tuple[SSHKeyPair, ...]
    public: tuple[bytes, ...]
    names: tuple[str, ...]
    locked: tuple[str, ...]
    only: bool

    @classmethod
    def find(cls, options: SSHClientConnectionOptions, keyfile: str | None, shown: str) -> _Identities:
        configured = _listed(options, "IdentityFile")
        if keyfile:
            paths = [keyfile]
            if not os.path.isfile(os.path.expanduser(keyfile)):
                raise RemoteDenied(
                    f"{shown}: there is no key file {show(keyfile)}",
                    hint="datatool remote set NAME --local keyfile=PATH names another",
                    path=shown,
                )
        else:
            paths = configured or [f"~/.ssh/{name}" for name in _KEYS]
        keys: list[SSHKeyPair] = []
        public: list[bytes] = []
        names: list[str] = []
        locked: list[str] = []
        for path in paths:
            file = os.path.expanduser(path)
            if not os.path.isfile(file):
                continue  # ssh passes over it as well
            loaded, needs_passphrase = _load(file)
            keys += loaded
            public += _public(file, loaded)
            if needs_passphrase:
                locked.append(path)
            else:
                names.append(show(path))
        if keyfile and not keys and not locked and not public:
            raise RemoteDenied(
                f"{shown}: {show(keyfile)} holds no private key that can be read",
                hint="datatool remote set NAME --local keyfile=PATH names another",
                path=shown,
            )
        return cls(
            keys=tuple(keys),
            public=tuple(public),
            names=tuple(names),
            locked=tuple(locked),
            only=bool(keyfile) or bool(options.config.get("IdentitiesOnly")),
        )


def _load(file: str) -> tuple[list[SSHKeyPair], bool]:
    """The keys of a file, with their certificates; and whether a passphrase would be needed."""
    try:
        return list(asyncssh.load_keypairs(file)), False
    except KeyEncryptionError:
        return [], True
    except asyncssh.KeyImportError as error:
        return [], "assphrase" in str(error)
    except FOREIGN:
        return [], False  # not to be read, or a public key whose private half is in the agent


def _public(file: str, loaded: list[SSHKeyPair]) -> list[bytes]:
    for name in (f"{file}.pub", file):
        try:
            return [asyncssh.read_public_key(Path(name)).public_data]
        except FOREIGN:
            continue
    return [pair.public_data for pair in loaded]
