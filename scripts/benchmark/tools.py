"""How each tool is called."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol
from urllib.parse import urlsplit

DATATOOL, OBSTORE, DVC, RCLONE = "datatool", "datatool-obstore", "dvc", "rclone"
"""The names that measurements go by."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Place:
    """Where a remote is: its URL, and settings by datatool's names (`endpoint_url`, `region`, `port`, `user`,
    `keyfile`). `directory` is where its bytes lie in the end, on this machine as all of it is."""

    url: str
    settings: Mapping[str, str] = field(default_factory=dict)
    directory: Path


class Tool(Protocol):
    """A tool that versions data; all have the verbs add, status, checkout, push and pull."""

    @property
    def name(self) -> str: ...

    @property
    def exe(self) -> str: ...

    def begin(self, place: Place) -> list[list[str]]:
        """The commands that make a git repository a project with a remote."""

    def hardlinks(self) -> list[str]:
        """The command after which the workspace shares files with the cache."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Datatool:
    """datatool; `settings` are those of the remote that make it one of several ways to run it."""

    exe: str
    name: str = DATATOOL
    settings: Mapping[str, str] = field(default_factory=dict)

    def begin(self, place: Place) -> list[list[str]]:
        settings = {**place.settings, **self.settings}
        options = [word for key, value in settings.items() for word in ("--set", f"{key}={value}")]
        return [[self.exe, "init", "-q"], [self.exe, "remote", "add", "-d", "r", place.url, *options]]

    def hardlinks(self) -> list[str]:
        return [self.exe, "config", "set", "cache.link", "hardlink,copy"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Dvc:
    exe: str
    name: str = DVC

    def begin(self, place: Place) -> list[list[str]]:
        settings = {key.replace("_", ""): value for key, value in place.settings.items()}
        return [
            [self.exe, "init", "-q"],
            [self.exe, "remote", "add", "-q", "-d", "r", place.url],
            *([self.exe, "remote", "modify", "-q", "r", key, value] for key, value in settings.items()),
        ]

    def hardlinks(self) -> list[str]:
        return [self.exe, "config", "cache.type", "hardlink"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Rclone:
    """`rclone copy`, which versions nothing: how fast bytes can be moved."""

    exe: str
    name: str = RCLONE

    def upload(self, source: Path, place: Place) -> list[str]:
        return [self.exe, "copy", str(source), _rclone_path(place)]

    def download(self, name: str, place: Place, target: Path) -> list[str]:
        return [self.exe, "copy", f"{_rclone_path(place)}/{name}", str(target)]

    @staticmethod
    def environment(place: Place, known_hosts: Path) -> dict[str, str]:
        """What makes `place:` the server."""
        url = urlsplit(place.url)
        if url.scheme == "s3":
            settings = {"type": "s3", "provider": "Other", "env_auth": "true", "force_path_style": "true"}
            settings |= {"endpoint": place.settings["endpoint_url"], "region": place.settings["region"]}
        else:
            settings = {"type": "sftp", "host": url.hostname or "", "port": place.settings["port"]}
            settings |= {"user": place.settings["user"], "key_file": place.settings["keyfile"]}
            settings |= {"known_hosts_file": str(known_hosts), "shell_type": "unix", "disable_hashcheck": "true"}
        return {f"RCLONE_CONFIG_PLACE_{key.upper()}": value for key, value in settings.items()}


def _rclone_path(place: Place) -> str:
    url = urlsplit(place.url)
    return f"place:{url.netloc}{url.path}" if url.scheme == "s3" else f"place:{url.path}"
