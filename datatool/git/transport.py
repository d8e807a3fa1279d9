"""What git says when it can't reach a repository, and how a URL may be shown."""

from __future__ import annotations

import re

from datatool.errors import DatatoolError, GitError, NotFoundError, RemoteDenied, RemoteUnreachable, UnsafeInput
from datatool.git.command import GitResult, complaint
from datatool.model.paths import show
from datatool.model.urls import secret_in, without_secrets

_SECRET = re.compile(r"(://)[^/@\s]*@")
_DENIED = re.compile(
    "permission denied|authentication failed|could not read (username|password)|host key verification failed"
    "|terminal prompts disabled|error: 40[13]"
)
_MISSING = re.compile(
    "does not appear to be a git repository|does not exist|repository not exported|repository (.* )?not found"
)
_UNREACHABLE = re.compile(
    "could not resolve|connection (refused|reset)|timed out|unable to (access|connect)|network is unreachable"
    "|failed to connect|no route to host|early eof|hung up unexpectedly|could not read from remote repository"
)


def shown_url(url: str) -> str:
    """A URL as it may be shown: without user and password, control characters escaped."""
    return show(_SECRET.sub(r"\1", url))


def refuse_secret(url: str) -> None:
    """Raise UnsafeInput for a URL with a password or the like in it, where it would be written into a file."""
    secret = secret_in(url)
    if secret is not None:
        raise UnsafeInput(
            f"{shown_url(without_secrets(url))}: {show(secret)} in a URL would be written into a file",
            hint="leave it out: git asks its credential helper (git help credentials)",
        )


def transport_failure(url: str, result: GitResult, *, verb: str = "git ls-remote") -> DatatoolError:
    """The error for a git command that talked to a repository and failed, with the line that tells why; `verb` is the
    command with which a person may look further."""
    causes: tuple[tuple[re.Pattern[str], type[DatatoolError], str], ...] = (
        (_DENIED, RemoteDenied, f"{verb} with the same URL shows what is asked for"),
        (_MISSING, NotFoundError, "check the URL"),
        (_UNREACHABLE, RemoteUnreachable, "check the URL and the network"),
    )
    lines = result.err.splitlines()
    for pattern, kind, hint in causes:
        for line in lines:
            if pattern.search(line.decode("utf-8", "replace").lower()):
                return kind(f"{shown_url(url)}: {complaint(line)}", hint=hint)
    said = complaint(result.err) or f"git ended with exit code {result.code}"
    return GitError(f"{shown_url(url)}: {said}")
