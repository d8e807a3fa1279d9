"""What tests ask of a server of Git LFS, and who logs in there."""

from __future__ import annotations

from pathlib import Path

from datatool.errors import DatatoolError
from registry.lfs_world import LfsWorld
from repositories import git
from servers.lfs import LfsServer

SMALL = {"a.bin": b"one", "data/b.bin": b"two" * 1000}


def url(server: LfsServer) -> str:
    return f"{server.url}/songs.git"


def keep_all(server: LfsServer, songs: LfsWorld) -> None:
    for data in songs.contents.values():
        server.keep(data)


def error_of(outcome: bytes | DatatoolError) -> DatatoolError:
    assert isinstance(outcome, DatatoolError), outcome
    return outcome


def helper(songs: LfsWorld, *, password: str = "right") -> Path:
    """A credential helper of the user's that notes what it is asked."""
    log = songs.top / "helper.log"
    script = songs.top / "helper"
    script.write_text(
        f"#!/bin/sh\n{{ echo \"$1\"; cat; echo; }} >> '{log}'\n"
        f'[ "$1" = get ] && printf "username=me\\npassword={password}\\n"\nexit 0\n'
    )
    script.chmod(0o755)
    git(songs.top, "config", "--global", "credential.helper", str(script))
    return log
