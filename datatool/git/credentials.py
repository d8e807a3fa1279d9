"""User names and passwords from the user's own git: its credential helpers, and its question at a terminal.

https://git-scm.com/docs/git-credential
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import unquote, urlsplit

from msgspec import Struct

from datatool.errors import UsageError
from datatool.git.command import run_git
from datatool.model.urls import without_secrets


@dataclass(frozen=True, kw_only=True, slots=True)
class Login:
    """Who somebody is at one web server. `answer` is git's own description, to be given back to it."""

    username: str
    password: str = field(repr=False)
    answer: bytes = field(repr=False)


class Credentials(Struct, frozen=True, kw_only=True):
    """Asks git, from a directory whose configuration is the user's own.

    Credentials(cwd=Path.cwd()).fill("https://example.org/team/songs.git/info/lfs")
    """

    cwd: Path
    environ: Mapping[str, str] | None = None

    def fill(self, url: str) -> Login | None:
        """The login for a URL; None where git has none and nobody can be asked.

        Raises UsageError for a URL that holds a line break, which could ask for another server's.
        """
        found = self._ask("fill", _description(url))
        if found is None:
            return None
        values = dict(line.split(b"=", 1) for line in found.splitlines() if b"=" in line)
        split = urlsplit(url)
        if values.get(b"host", b"").decode("utf-8", "replace") != split.netloc.rpartition("@")[2]:
            return None
        if b"password" not in values:
            return None
        return Login(
            username=values.get(b"username", b"").decode("utf-8", "surrogateescape"),
            password=values[b"password"].decode("utf-8", "surrogateescape"),
            answer=found,
        )

    def approve(self, login: Login) -> None:
        """Tell the helpers that a login was right, so that they may keep it."""
        self._ask("approve", login.answer)

    def reject(self, login: Login) -> None:
        """Tell the helpers that a login was wrong, so that they forget it."""
        self._ask("reject", login.answer)

    def _ask(self, verb: str, text: bytes) -> bytes | None:
        environ = dict(os.environ if self.environ is None else self.environ)
        found = run_git(
            ["credential", verb], cwd=self.cwd, input=text, check=False, environ=environ, foreign=True, reads=False
        )
        return found.out if found.code == 0 else None


def _description(url: str) -> bytes:
    if not url.isprintable():
        raise UsageError(f"{without_secrets(url)!r:.200}: control characters in a URL")
    split = urlsplit(url)
    lines = [f"protocol={split.scheme}", f"host={split.netloc.rpartition('@')[2]}"]
    if split.path.strip("/"):
        lines.append(f"path={split.path.strip('/')}")
    if split.username:
        lines.append(f"username={unquote(split.username)}")
    if any("\n" in line or "\r" in line or "\0" in line for line in lines):
        raise UsageError(f"{without_secrets(url)!r:.200}: control characters in a URL")
    return "".join(f"{line}\n" for line in [*lines, ""]).encode("utf-8", "surrogateescape")
