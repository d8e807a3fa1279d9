"""How far a registry is trusted: which storage its configuration may send us to (formats §9).

A registry that the user named by a path counts as the user's own. One by URL may name public places only; anything
else takes a word of the user's: `--remote`, `registry add --trust`, or the same host in the URL that they typed.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from msgspec import Struct, field

from datatool.errors import RemoteNotFound, UnsafeInput
from datatool.git.repository import Repository
from datatool.model.paths import show
from datatool.model.settings import Durability
from datatool.remote.connect import TIMEOUT, connect
from datatool.remote.reach import Reach, is_private
from datatool.remote.url import DIRECTORY, RemoteUrl, parse_url
from datatool.store.protocol import Store

_PLAIN: Final = frozenset(
    {"url", "region", "anonymous", "endpoint_url", "port", "pack", "index_list", "compression", "timeout"}
)
"""Settings that say nothing but where, and how to read; all others are the user's own to give."""
_PUBLIC: Final = frozenset({"https", "s3", "s3a", "sftp", "ssh"})


class Access(Struct, frozen=True, kw_only=True):
    """The way to storage for one registry.

    `given` are the settings of a remote that the user typed (`--remote URL --set K=V`), used instead of what the
    registry names; `trusted` says that the user trusts this registry by name. `scratch` is a directory of this user
    for what interrupted transfers remember.
    """

    repository: Repository
    scratch: Path
    given: Mapping[str, str] | None = None
    trusted: bool = False
    whole: bool = False
    """Whether the settings are this user's own, so that all of them are used: credentials and key files too."""
    offline: bool = False
    jobs: int = 8
    bandwidth: int | None = None
    ignored: list[str] = field(default_factory=list)
    """Settings of the registry's that were not used, as `remotes.NAME.KEY`."""

    @property
    def own(self) -> bool:
        """Whether the registry counts as the user's own: it may name any place."""
        return self.trusted or self.repository.local is not None

    def settings(self, name: str, settings: Mapping[str, str]) -> dict[str, str]:
        """What to use of the settings that a registry gives its remote `name` (or what the user typed instead)."""
        if self.given is not None:
            return dict(self.given)
        if self.whole:
            return dict(settings)
        self.ignored.extend(f"remotes.{name}.{key}" for key in sorted(settings.keys() - _PLAIN))
        return {key: value for key, value in settings.items() if key in _PLAIN}

    def address(self, settings: Mapping[str, str], *, root: Path) -> str:
        """The URL, or the path, that a registry's remote has for others: without secrets."""
        used = settings if self.given is None else self.given
        return parse_url(used.get("url", ""), root=root).shown

    def store(
        self, name: str, settings: Mapping[str, str], *, root: Path, mine: Mapping[str, str] | None = None
    ) -> Store:
        """The store of a registry's remote. `root` is what relative directories start from; `mine` are settings that
        this user's own configuration, not the registry's, has for it (credentials, say).

        Raises UnsafeInput for a place that the registry may not send us to, and what `connect` raises.
        """
        used = self.settings(name, settings) | (dict(mine or {}) if self.given is None else {})
        url = parse_url(used.get("url", ""), root=root)
        if self.given is None and not self.own:
            self._require_public(name, used, url)
        if self.given is None and self.repository.local is None and _is_relative(used.get("url", "")):
            raise RemoteNotFound(
                f"{self.repository.shown}: its remote {name} is at {show(used['url'])}, relative to where that "
                "repository lies, which is not here",
                hint="--remote PATH or URL says where its data is",
            )
        return connect(
            used,
            root=root,
            offline=self.offline,
            durability=Durability.NONE,
            scratch=self.scratch,
            jobs=self.jobs,
            bandwidth=self.bandwidth,
            timeout=float(used.get("timeout", TIMEOUT)),
        )

    def reach(self, *, rewritten: str = "", typed: bool = False) -> Reach:
        """Where on the web this registry, and servers that it names, may send us. `rewritten` is what the user's own
        git makes of its URL; `typed` says that the user typed the server's URL."""
        urls = [self.repository.url, rewritten]
        hosts = {url: host for url in urls if self.repository.local is None and (host := host_of(url)) is not None}
        return Reach(
            anywhere=self.own or typed,
            hosts=frozenset(hosts.values()),
            plain=frozenset(host for url, host in hosts.items() if url.lower().startswith("http://")),
            owner=self.repository.shown,
        )

    def _require_public(self, name: str, settings: Mapping[str, str], url: RemoteUrl) -> None:
        why = None
        host = host_of(url.shown) if url.protocol != DIRECTORY else None
        typed = host_of(self.repository.url)
        if url.protocol == DIRECTORY:
            why = "a directory of this machine"
        elif host is not None and typed is not None and host == typed and "endpoint_url" not in settings:
            return
        elif "endpoint_url" in settings:
            why = f"the endpoint {settings['endpoint_url']}"
        elif url.protocol not in _PUBLIC:
            why = f"the protocol {url.protocol}://"
        elif url.protocol not in ("s3", "s3a") and host is not None and is_private(host):
            why = "an address inside this network"
        if why is None:
            return
        place = url.shown if url.protocol != DIRECTORY else show(settings["url"])
        more = "".join(f" --set {key}={settings[key]}" for key in ("endpoint_url", "region") if key in settings)
        shown = self.repository.shown
        raise UnsafeInput(
            f"{shown}: its remote {name} is at {place}, {why}, which another's repository may not name",
            hint="--remote PATH or URL says where its data is"
            if _is_relative(settings["url"])
            else f"if you trust it: --remote {place}{more}, or datatool registry add --trust NAME {shown}",
            path=url.shown,
        )


def _is_relative(url: str) -> bool:
    """Whether a remote's URL is a relative directory."""
    return not os.path.isabs(url) and not url.startswith("~") and "://" not in url


def host_of(url: str) -> str | None:
    """The host that a URL, or git's `host:path`, names, in lower case.

    >>> host_of("git@Example.com:team/songs"), host_of("ssh://me@h:2222/x"), host_of("/srv/x")
    ('example.com', 'h', None)
    """
    match = re.match(r"[A-Za-z][A-Za-z0-9+.-]*://(?:[^/@]*@)?(\[[^\]]+\]|[^/:?#]+)", url) or re.match(
        r"(?:[^/@:]+@)?(\[[^\]/]+\]|[^/:\[]+):", url
    )
    return match[1].strip("[]").lower() if match is not None else None
