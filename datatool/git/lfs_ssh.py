"""Asking the host of an ssh URL where its Git LFS server is, and for the right to read there.

`git-lfs-authenticate` is run at the other end, through the user's own ssh, as git runs `git-upload-pack`.
https://github.com/git-lfs/git-lfs/blob/main/docs/api/server-discovery.md
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from msgspec import Struct

from datatool.git.command import GitResult, environment, has_terminal, run_beside, run_git

_URL: Final = re.compile(
    r"(?:git\+)?ssh(?:\+git)?://(?:([^/@]*)@)?(\[[^\]]+\]|[^/:@]+)(?::(\d{1,5}))?(/.*)", re.IGNORECASE | re.DOTALL
)
_SCP: Final = re.compile(r"(?:([^/@:]*)@)?(\[[^\]/]+\]|[^/:@\[\]]+):(?!//)(.+)", re.DOTALL)
_SAFE: Final = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]*", re.ASCII)
_ADDRESS: Final = re.compile(r"\[[0-9A-Fa-f:.%a-z0-9]+\]", re.ASCII)


class SshPlace(Struct, frozen=True, kw_only=True):
    """A repository behind ssh. `host` is without brackets; `path` as the other end is to see it."""

    user: str
    host: str
    port: str
    path: str

    @property
    def shown(self) -> str:
        """What to call it in messages."""
        return f"ssh://{self.host}{f':{self.port}' if self.port else ''}/{self.path.lstrip('/')}"


def parse_ssh(url: str) -> SshPlace | None:
    """What an `ssh://` URL, or git's `host:path`, names; None for another, or one that could say something else to a
    command line.

    >>> parse_ssh("git@example.com:team/songs.git").shown
    'ssh://example.com/team/songs.git'
    """
    match = _URL.fullmatch(url)
    user, host, port, path = match.groups() if match is not None else ("", "", "", "")
    if match is None and "://" not in url and (scp := _SCP.fullmatch(url)) is not None:
        user, host, path = scp.groups()
    if not host or not (_SAFE.fullmatch(host) or _ADDRESS.fullmatch(host)) or not path.isprintable():
        return None
    if user and not _SAFE.fullmatch(user):
        return None
    return SshPlace(user=user or "", host=host.strip("[]"), port=port or "", path=path)


def authenticate(place: SshPlace, *, environ: Mapping[str, str], cwd: Path) -> GitResult | None:
    """What `git-lfs-authenticate` said, and how it ended; None where there is no ssh."""
    remote = "git-lfs-authenticate '" + place.path.replace("'", "'\\''") + "' download"
    host = f"{place.user}@{place.host}" if place.user else place.host
    port = ["-p", place.port] if place.port else []
    clean = environment(environ, foreign=True)
    command = environ.get("GIT_SSH_COMMAND") or (None if environ.get("GIT_SSH") else _configured(environ, cwd))
    if command is not None and os.name != "nt":
        # As git does: the user's own words, understood by a shell; ours are arguments, not part of them.
        return run_beside("sh", ["-c", f'{command} "$@"', "ssh", *port, "--", host, remote], environ=clean)
    program = environ.get("GIT_SSH") or "ssh"
    quiet = [] if has_terminal() else ["-o", "BatchMode=yes"]
    words = [*quiet, "-o", "ConnectTimeout=10", "-o", "ServerAliveInterval=10", *port, "--", host, remote]
    return run_beside(program, words, environ=clean)


def _configured(environ: Mapping[str, str], cwd: Path) -> str | None:
    """The user's own `core.sshCommand`; one in a repository's configuration may be a stranger's."""
    found = run_git(
        ["config", "--global", "--get", "core.sshCommand"], cwd=cwd, check=False, environ=environ, foreign=True
    )
    return os.fsdecode(found.out).rstrip("\n") or None if found.code == 0 else None
