"""Where the objects of a DVC project are: its remotes in datatool's words, and its cache.

A remote's place is public knowledge and may stand in the commit; keys, passwords and key files count only from the
user's own configuration, and go only to a place that the user named: in that same configuration, or because the
registry is the user's own.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

from msgspec import Struct

from datatool.errors import RemoteNotFound, UnsafeInput
from datatool.model.paths import show
from datatool.registry.dvc.levels import Level, placed

PUBLIC: Final = {
    "url": "url",
    "endpointurl": "endpoint_url",
    "region": "region",
    "port": "port",
    "allow_anonymous_login": "anonymous",
}
PRIVATE: Final = {
    "profile": "profile",
    "access_key_id": "access_key_id",
    "secret_access_key": "secret_access_key",
    "session_token": "token",
    "user": "user",
    "password": "password",
    "keyfile": "keyfile",
}
"""DVC's names of settings, and ours."""
_DANGEROUS: Final = frozenset({"credentialpath", "configpath", "cert_path", "key_path", "ssl_verify", "passphrase"})
"""Told of when a commit has them: they would change whom we trust, or as whom we come."""
_WORD: Final = "remote://"
_CHAIN: Final = 8


class DvcRemote(Struct, frozen=True, kw_only=True):
    """A remote in datatool's settings: `theirs` by the commit, `mine` by this user; `typed` where the place itself is
    the user's word."""

    name: str
    theirs: Mapping[str, str]
    mine: Mapping[str, str]
    typed: bool


class DvcSettings(Struct, frozen=True):
    """What the levels come to. `own` says that the registry counts as the user's own; `shown` is its name."""

    levels: tuple[Level, ...]
    own: bool
    shown: str

    @property
    def default(self) -> str | None:
        """The remote that holds what names no other."""
        name = self._last("core", "remote")
        return None if name is None else name[0].lower()

    def cache(self, directory: Path | None) -> Path | None:
        """The project's own cache, if it lies on this machine in `directory` (its `.dvc`)."""
        if directory is None:
            return None
        found = self._last("cache", "dir")
        place = None if found is None else placed(found[0], found[1].directory)
        return directory / "cache" if place is None else Path(place)

    def remote(self, name: str) -> DvcRemote:
        """A remote by name. Raises RemoteNotFound, UnsafeInput."""
        return self._remote(name.lower(), _CHAIN)

    def _remote(self, name: str, left: int) -> DvcRemote:
        theirs: dict[str, str] = {}
        mine: dict[str, str] = {}
        place: Level | None = None
        for level, settings in self._sections(name):
            for key, value in settings.items():
                known = PUBLIC.get(key) or PRIVATE.get(key)
                if key in PUBLIC:
                    theirs.pop(PUBLIC[key], None)
                    mine.pop(PUBLIC[key], None)
                if known is None:
                    if key in _DANGEROUS and not level.mine:
                        theirs[key] = value
                elif level.mine:
                    mine[known] = self._path(value, level) if key == "keyfile" else value
                else:
                    theirs[known] = value
                if key == "url":
                    place = level
        if place is None:
            raise RemoteNotFound(
                f"{self.shown}: no remote {show(name)} in its configuration",
                hint="--remote URL reads its data from another place",
            )
        url = mine.get("url") or theirs.get("url") or ""
        if url.lower().startswith(_WORD):
            return self._within(url[len(_WORD) :], name, theirs, mine, left)
        where = placed(url, place.directory)
        if where is None:
            raise UnsafeInput(
                f"{self.shown}: its remote {show(name)} is at {show(url)}, a directory beside the original, "
                "which a clone can't tell",
                hint="--remote names the place",
                path=url,
            )
        (mine if place.mine else theirs)["url"] = where
        return DvcRemote(name=name, theirs=theirs, mine=self._usable(mine, place), typed=place.mine)

    def _within(self, rest: str, name: str, theirs: dict[str, str], mine: dict[str, str], left: int) -> DvcRemote:
        """A remote that lies in another one: `remote://other/sub`."""
        other, _, sub = rest.partition("/")
        if left == 0:
            raise UnsafeInput(f"{self.shown}: its remotes name each other in a circle", path=name)
        base = self._remote(other.lower(), left - 1)
        inner = {key: value for key, value in theirs.items() if key != "url"}
        own = {key: value for key, value in mine.items() if key != "url"}
        combined = {**base.theirs, **inner}, {**base.mine, **(own if base.typed or self.own else {})}
        for settings in combined:
            if "url" in settings and sub:
                settings["url"] = f"{settings['url'].rstrip('/')}/{sub}"
        return DvcRemote(name=name, theirs=combined[0], mine=combined[1], typed=base.typed)

    def _usable(self, mine: dict[str, str], place: Level) -> dict[str, str]:
        """The user's own settings, where they may go: a stranger's commit does not choose who gets a password."""
        return mine if self.own or place.mine else {}

    def _path(self, value: str, level: Level) -> str:
        return placed(value, level.directory) or os.path.expanduser(value)

    def _sections(self, name: str) -> Iterator[tuple[Level, Mapping[str, str]]]:
        for level in self.levels:
            if name in level.config.remotes:
                yield level, level.config.remotes[name]

    def _last(self, section: str, key: str) -> tuple[str, Level] | None:
        for level in reversed(self.levels):
            value = level.config.setting(section, key)
            if value is not None:
                return value, level
        return None
