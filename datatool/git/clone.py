"""Cloning a repository through the user's own git: their credentials, ssh configuration and proxies just work."""

from __future__ import annotations

import os
import re
from pathlib import Path

from datatool.errors import UnsafeInput, UsageError
from datatool.git.command import environment, run_git
from datatool.git.transport import shown_url, transport_failure
from datatool.model.paths import show

_CONTROL = re.compile(r"[\x00-\x1f\x7f]|%0[0ad]", re.IGNORECASE)
_SAFE = ("-c", "protocol.ext.allow=never", "-c", "protocol.fd.allow=never")


def clone(url: str, directory: Path, *, progress_to_stderr: bool) -> Path:
    """Clone a repository into a directory that does not exist yet, or is empty; gives the directory back.

    With `progress_to_stderr`, what git says goes to our stderr as it comes. Raises UnsafeInput for control characters,
    UsageError when the directory is not empty, RemoteUnreachable, RemoteDenied, NotFoundError or GitError.
    """
    if not url:
        raise UsageError("the URL is empty", hint="name a directory, or a URL that git understands")
    if _CONTROL.search(url):
        raise UnsafeInput(f"{shown_url(url)}: control characters in a URL")
    if directory.is_dir() and any(directory.iterdir()):
        raise UsageError(
            f"{show(os.fspath(directory))}: already there, and not empty",
            hint="name another directory: datatool clone URL DIR",
            path=os.fspath(directory),
        )
    # What a hook says about the repository it runs in is not about the new one; the user's LFS filters are.
    environ = environment(os.environ, foreign=True)
    for name in ("GIT_ALLOW_PROTOCOL", "GIT_LFS_SKIP_SMUDGE"):
        environ.pop(name)
        if name in os.environ:
            environ[name] = os.environ[name]
    options = ["--progress"] if progress_to_stderr else ["--quiet"]
    arguments = [*_SAFE, "clone", *options, "--", url, os.fspath(directory)]
    result = run_git(arguments, cwd=Path.cwd(), environ=environ, check=False, reads=False, relay=progress_to_stderr)
    if result.code != 0:
        raise transport_failure(url, result, verb="git clone")
    return directory


def default_directory(url: str) -> str:
    """The name `git clone` gives to the directory: the last part of the URL, without `.git`.

    >>> default_directory("git@example.com:team/songs.git")
    'songs'
    """
    path = url.rstrip("/")
    path = path.removesuffix("/.git").rstrip("/")
    name = re.split(r"[/:\\]", path)[-1].removesuffix(".git")
    if not name or name in (".", "..") or _CONTROL.search(name):
        raise UsageError(f"{shown_url(url)}: no directory name can be taken from it", hint="name the directory")
    return name
