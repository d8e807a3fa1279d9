"""Where the objects of Git LFS are that a repository's pointers name: directories of this machine, and a server.

As git-lfs finds them (https://github.com/git-lfs/git-lfs/blob/main/docs/api/server-discovery.md), with less trust: of
`.lfsconfig` only the URLs are read, and only the user's own repositories may name a directory.
"""

from __future__ import annotations

import os
import re
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from msgspec import Struct

from datatool.errors import FormatError, UnsafeInput, UsageError
from datatool.formats.lfs_batch import decode_authentication
from datatool.git.clones import local_directory
from datatool.git.command import complaint
from datatool.git.lfs_ssh import SshPlace, authenticate, parse_ssh
from datatool.git.repository import ask_foreign
from datatool.model.paths import show
from datatool.model.urls import without_secrets
from datatool.registry.access import Access, host_of
from datatool.registry.lfs_files import CONFIG
from datatool.registry.view import View
from datatool.remote.lfs import LfsPlace
from datatool.remote.reach import Reach

_LIMIT: Final = 1 << 20
_ORIGIN: Final = "remote.origin.lfsurl"
_WEB: Final = ("http", "https")


class LfsHome(Struct, frozen=True, kw_only=True):
    """`directories` hold objects as git-lfs keeps them; `url` is a server's, `ssh` where to ask for the way to it
    first; `reach` is how far all this may send us."""

    directories: tuple[Path, ...]
    url: str | None
    ssh: SshPlace | None
    reach: Reach
    settings: Mapping[str, str]


def find_home(view: View, access: Access) -> LfsHome:
    """Where a commit's objects are; nothing is contacted. Raises UnsafeInput, UsageError."""
    repository = view.repository
    own = own_directories(view)
    typed = (access.given or {}).get("url", "")
    if typed:
        if urlsplit(typed).scheme in _WEB:
            reach = access.reach(typed=True)
            return LfsHome(directories=own, url=typed.rstrip("/"), ssh=None, reach=reach, settings=access.given or {})
        directory = local_directory(typed, Path.cwd())
        inside = _inside(directory) if directory is not None else ()
        if inside:
            return LfsHome(directories=inside + own, url=None, ssh=None, reach=access.reach(), settings={})
    remote = _remote_url(view)
    reach = access.reach(rewritten=remote)
    named = _named_server(view)
    url = named or remote
    if not url:
        return LfsHome(directories=own, url=None, ssh=None, reach=reach, settings={})
    where = repository.local or Path.cwd()
    directory = local_directory(url, where)
    if directory is not None:
        if not access.own and named:
            raise reach.refusal(url, "a directory of this machine")
        return LfsHome(directories=own + _inside(directory), url=None, ssh=None, reach=reach, settings={})
    return _on_the_web(own, url, reach, complete=bool(named), ours=access.own)


def _on_the_web(own: tuple[Path, ...], url: str, reach: Reach, *, complete: bool, ours: bool) -> LfsHome:
    """`complete` says that a server was named, not a repository for which there is one."""
    if not url.isprintable() or re.search("%0[0ad]", url, re.IGNORECASE):
        raise UnsafeInput(f"{show(without_secrets(url)[:200])}: control characters in the URL of a Git LFS server")
    ssh = parse_ssh(url)
    if ssh is not None:
        if not ours and ssh.host.lower() not in reach.hosts:
            raise reach.refusal(ssh.shown, "a host that you did not name, with your ssh key")
        host = f"[{ssh.host}]" if ":" in ssh.host else ssh.host
        server = f"https://{host}/{_with_api(ssh.path.lstrip('/'))}"
        return LfsHome(directories=own, url=server, ssh=ssh, reach=reach, settings={})
    split = urlsplit(url)
    scheme = split.scheme.lower().removeprefix("git+")
    host = split.netloc.rpartition("@")[2]
    if scheme == "git":
        scheme, host = "https", host.rpartition(":")[0] or host
    if scheme not in _WEB or not host:
        raise UsageError(f"{show(without_secrets(url)[:200])}: no Git LFS server is found by such a URL")
    if complete:  # a user and a password in it are another's
        return LfsHome(
            directories=own, url=f"{scheme}://{host}{split.path.rstrip('/')}", ssh=None, reach=reach, settings={}
        )
    server = f"{scheme}://{split.netloc if scheme == split.scheme else host}{_with_api(split.path)}"
    return LfsHome(directories=own, url=server, ssh=None, reach=reach, settings={})


def server_place(home: LfsHome, *, environ: Mapping[str, str], cwd: Path) -> tuple[LfsPlace, str]:
    """The server, by the word of ssh where there is one; and what ssh complained about, if it did not give one."""
    assert home.url is not None
    if home.ssh is None:
        return LfsPlace(url=home.url, settings=home.settings), ""
    found = authenticate(home.ssh, environ=environ, cwd=cwd)
    if found is None:
        return LfsPlace(url=home.url), "ssh is not installed"
    if found.code != 0:
        return LfsPlace(url=home.url), complaint(found.err) or f"exit code {found.code}"
    try:
        action = decode_authentication(found.out, name=home.ssh.shown, now=time.time())
    except FormatError as error:
        return LfsPlace(url=home.url), error.message
    url = (action.href or home.url).rstrip("/")
    home.reach.check(url)
    return LfsPlace(url=url, headers=action.headers), ""


def _with_api(path: str) -> str:
    """The path of the server that belongs to a repository's."""
    path = path.rstrip("/")
    return path + ("/info/lfs" if path.endswith(".git") else ".git/info/lfs")


# What repositories say


def _remote_url(view: View) -> str:
    """The URL of the repository's own host, as the user's git rewrites it; empty where there is none."""
    repository = view.repository
    name = "origin" if repository.local is not None else repository.url
    found = ask_foreign(repository, ["ls-remote", "--get-url", "--", name], check=False)
    url = os.fsdecode(found.out).rstrip("\n")
    if repository.local is not None and url == "origin":
        return ""
    return url if found.code == 0 and url else (repository.url if repository.local is None else "")


def _named_server(view: View) -> str | None:
    """The URL that configuration names: the user's own, or the repository's `.lfsconfig`."""
    keys = r"^(lfs\.url|remote\.origin\.lfsurl)$"
    ours = _pairs(ask_foreign(view.repository, ["config", "-z", "--get-regexp", keys], check=False).out)
    text = view.text(CONFIG)
    theirs: dict[str, str] = {}
    if text is not None and len(text) <= _LIMIT:
        words = ["config", "-z", "--no-includes", "--file", "-", "--get-regexp", keys]
        theirs = _pairs(ask_foreign(view.repository, words, input=text, check=False).out)
    for key in ("lfs.url", _ORIGIN):
        found = ours.get(key) or theirs.get(key)
        if found:
            return found
    return None


def _pairs(out: bytes) -> dict[str, str]:
    """What `git config -z --get-regexp` printed; the last one of a key counts."""
    return dict(os.fsdecode(field).split("\n", 1) for field in out.split(b"\0") if b"\n" in field)


# Directories


def own_directories(view: View) -> tuple[Path, ...]:
    """Where git-lfs keeps objects of a repository on this machine."""
    repository = view.repository
    if repository.local is None:
        if repository.protocols == "file" and host_of(repository.url) is None:  # on this machine, another user's
            return _inside(local_directory(repository.url, Path.cwd()) or Path(repository.url))
        return ()
    found = ask_foreign(repository, ["rev-parse", "--git-common-dir"], check=False)
    common = repository.git_dir / os.fsdecode(found.out.rstrip(b"\n")) if found.code == 0 else repository.git_dir
    storage = _pairs(ask_foreign(repository, ["config", "-z", "--get-regexp", r"^lfs\.storage$"], check=False).out)
    top = common / os.path.expanduser(storage.get("lfs.storage") or "lfs")
    return (top / "objects",)


def _inside(directory: Path) -> tuple[Path, ...]:
    """Where git-lfs keeps objects of the repository in a directory, bare or not."""
    places = (directory / ".git" / "lfs" / "objects", directory / "lfs" / "objects")
    return tuple(place for place in places if place.is_dir())
