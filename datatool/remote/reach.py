"""Which web addresses what comes from elsewhere may send us to (formats §9).

A stranger's repository, and a server that it names, may name public places. What is inside this network, or this
machine itself, would be asked in our name by somebody who can't reach it: only the host that the user typed may.
"""

from __future__ import annotations

import ipaddress
import socket
from urllib.parse import urlsplit

from msgspec import Struct

from datatool.errors import UnsafeInput
from datatool.model.paths import show
from datatool.model.urls import without_secrets


class Reach(Struct, frozen=True, kw_only=True):
    """How far a server may send us. `anywhere`: the user trusts who named it. `hosts` are those that the user typed,
    in lower case; `plain` those of them that were typed with `http://`. `owner` is whose word it is, for messages."""

    anywhere: bool
    hosts: frozenset[str] = frozenset()
    plain: frozenset[str] = frozenset()
    owner: str = ""

    def trusts(self, host: str) -> bool:
        """Whether a host may be inside this network."""
        return self.anywhere or host.lower() in self.hosts

    def check(self, url: str, *, lookup: bool = False) -> None:
        """Raise UnsafeInput for a URL that we may not be sent to. A name is looked up only on `lookup`; without it
        whoever connects must ask `check_address`."""
        split = urlsplit(url)
        host = (split.hostname or "").lower()
        why = None
        if split.scheme not in ("http", "https") or not host:
            why = f"no web address: {show(split.scheme[:20])}:"
        elif self.anywhere:
            return
        elif split.scheme == "http" and host not in self.plain:
            why = "not encrypted"
        elif host not in self.hosts and (is_private(host) if lookup or _is_address(host) else False):
            why = "an address inside this network"
        if why is not None:
            raise self.refusal(url, why)

    def check_address(self, host: str, address: str) -> None:
        """Raise UnsafeInput for an address that a host turned out to have."""
        if not self.trusts(host) and not _is_global(address):
            raise self.refusal(host, "an address inside this network")

    def refusal(self, url: str, why: str) -> UnsafeInput:
        """The error for a place that may not be contacted."""
        shown = show(without_secrets(url)[:200])
        return UnsafeInput(
            f"{self.owner}: sends us to {shown}, {why}, which another's repository may not do",
            hint=f"if you trust it: --remote with its URL, or datatool registry add --trust NAME {self.owner}",
            path=shown,
        )


def is_private(host: str) -> bool:
    """Whether a host is this machine, or in a network that only its own reach; one that can't be looked up is not."""
    try:
        found = {str(item[4][0]) for item in socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)}
    except (OSError, UnicodeError):
        return False
    return any(not _is_global(address) for address in found)


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return False
    return True


def _is_global(address: str) -> bool:
    found = ipaddress.ip_address(address.partition("%")[0])
    mapped = found.ipv4_mapped if isinstance(found, ipaddress.IPv6Address) else None
    return (mapped or found).is_global
