"""Cloning a repository through the user's own git: their credentials, ssh configuration and proxies just work."""

from __future__ import annotations

import os
import re
from pathlib import Path

from datatool.errors import (
    DatatoolError,
    GitError,
    NotFoundError,
    RemoteDenied,
    RemoteUnreachable,
    UnsafeInput,
    UsageError,
)
from datatool.git.command import GitResult, complaint, environment, run_git
from datatool.model.paths import show

_CONTROL = re.compile(r"[\x00-\x1f\x7f]|%0[0ad]", re.IGNORECASE)
_SECRET = re.compile(r"(://)[^/@\s]*@")
_SAFE = ("-c", "protocol.ext.allow=never", "-c", "protocol.fd.allow=never")

_DENIED = re.compile(
    "permission denied|authentication failed|could not read (username|password)|host key verification failed"
    "|terminal prompts disabled|error: 40[13]"
)
_MISSING = re.compile("does not appear to be a git repository|does not exist|repository (.* )?not found")
_UNREACHABLE = re.compile(
    "could not resolve|connection (refused|reset)|timed out|unable to (access|connect)|network is unreachable"
    "|failed to connect|no route to host|early eof|hung up unexpectedly|could not read from remote repository"
)

_CAUSES: tuple[tuple[re.Pattern[str], type[DatatoolError], str], ...] = (
    (_DENIED, RemoteDenied, "git clone with the same URL shows what is asked for"),
    (_MISSING, NotFoundError, "check the URL"),
    (_UNREACHABLE, RemoteUnreachable, "check the URL and the network"),
)


def clone(url: str, directory: Path, *, progress_to_stderr: bool) -> Path:
    """Clone a repository into a directory that does not exist yet, or is empty; gives the directory back.

    With `progress_to_stderr`, what git says goes to our stderr as it comes. Raises UnsafeInput for control characters,
    UsageError when the directory is not empty, RemoteUnreachable, RemoteDenied, NotFoundError or GitError.
    """
    if not url:
        raise UsageError("the URL is empty")
    if _CONTROL.search(url):
        raise UnsafeInput(f"{shown_url(url)}: control characters in a URL")
    if directory.is_dir() and any(directory.iterdir()):
        raise UsageError(f"{show(os.fspath(directory))}: already there, and not empty", path=os.fspath(directory))
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
        raise _failed(url, result)
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


def shown_url(url: str) -> str:
    """A URL as it may be shown: without user and password, control characters escaped."""
    return show(_SECRET.sub(r"\1", url))


def _failed(url: str, result: GitResult) -> DatatoolError:
    """The error for a clone that failed, with the line of git's or ssh's that tells why."""
    lines = result.err.splitlines()
    for pattern, kind, hint in _CAUSES:
        for line in lines:
            if pattern.search(line.decode("utf-8", "replace").lower()):
                return kind(f"{shown_url(url)}: {complaint(line)}", hint=hint)
    said = complaint(result.err) or f"git clone ended with exit code {result.code}"
    return GitError(f"{shown_url(url)}: {said}")
