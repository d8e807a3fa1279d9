"""Bringing commits and trees into the clone of somebody's repository, without the blobs where its server can do that.

A server that can't gives everything, and the clone is marked as whole from then on: one that knows no filters, one that
has filters but gives no single blobs, and a plain web server, which knows nothing of git ("dumb" HTTP).
"""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final

from datatool.errors import DatatoolError, GitError, NotFoundError, RemoteUnreachable
from datatool.git.command import GitResult, run_git
from datatool.git.repository import Repository, ask_foreign, origin_of, silent_environment
from datatool.git.transport import transport_failure
from datatool.localfs.atomic import write_file
from datatool.localfs.locks import Lock
from datatool.model.settings import Durability

_EVERYTHING: Final = ("--prune", "+refs/heads/*:refs/heads/*", "+refs/tags/*:refs/tags/*")
_SAFE: Final = (
    *("-c", "fetch.fsckObjects=true", "-c", "transfer.bundleURI=false", "-c", "fetch.recurseSubmodules=false"),
    *("-c", "core.protectNTFS=true", "-c", "core.protectHFS=true", "-c", "gc.auto=0", "-c", "maintenance.auto=false"),
)
_WHOLE: Final = "datatool-whole"
_FILTER: Final = "--filter=blob:none"
_ENDLESS_DEPTH: Final = "--depth=2147483647"
_GIVES_ALL_OR_NOTHING: Final = re.compile(
    "dumb http transport|filter .*not supported|unadvertised object|not our ref|want .* not valid"
)


def lock(repository: Repository) -> Lock:
    """What is held while a clone changes."""
    return Lock(repository.git_dir.with_suffix(".lock"), purpose=f"datatool, process {os.getpid()}")


def is_whole(repository: Repository) -> bool:
    """Whether a clone has the blobs of everything it has, as its server can't leave them out."""
    return (repository.git_dir / _WHOLE).exists()


def gives_all_or_nothing(error: DatatoolError) -> bool:
    """Whether git's words say that a server can't leave out blobs, or give single ones."""
    return _GIVES_ALL_OR_NOTHING.search(error.message) is not None


def fetch(repository: Repository) -> None:
    """Bring what the branches and tags are now into a clone that the caller has locked.

    Raises RemoteUnreachable, RemoteDenied, NotFoundError, GitError.
    """
    if is_whole(repository):
        talk(repository, [*_words(repository), "--no-filter", "origin", *_EVERYTHING])
        return
    new = not ask_foreign(repository, ["for-each-ref", "--count=1"]).out
    try:
        talk(repository, [*_words(repository), *_only_of_git(repository), _FILTER, "origin", *_EVERYTHING])
    except (GitError, RemoteUnreachable) as error:
        # The server of a clone in use could filter: a full disk or a broken line is no reason to bring it all.
        if not new and not gives_all_or_nothing(error):
            raise
        _become_whole(repository)


def fetch_commit(repository: Repository, commit: str) -> None:
    """Bring a commit that no branch has any more into a clone that the caller has locked, if its server gives it."""
    options = ["--no-filter"] if is_whole(repository) else [*_only_of_git(repository), _FILTER]
    with suppress(GitError, NotFoundError, RemoteUnreachable):
        talk(repository, [*_words(repository), *options, "origin", commit])


def bring_everything(repository: Repository) -> None:
    """Make a clone whole whose server turns out to give no single blobs. Raises what `fetch` does."""
    with lock(repository):
        if not is_whole(repository):
            _become_whole(repository)


def _become_whole(repository: Repository) -> None:
    # While it is noted as partial, git has each object that it wants of a plain web server brought by another git,
    # which does the same: without end.
    for name in ("promisor", "partialclonefilter"):
        run_git(
            [f"--git-dir={repository.git_dir}", "config", "--unset-all", f"remote.origin.{name}"],
            cwd=repository.git_dir,
            check=False,
            foreign=True,
            reads=False,
        )
    talk(repository, [*_words(repository), "--no-filter", "--refetch", "origin", *_EVERYTHING])
    write_file(repository.git_dir / _WHOLE, b"", durability=Durability.NONE)


def _words(repository: Repository) -> list[str]:
    return ["fetch", "--quiet", "--no-tags", "--no-write-fetch-head", *upload_pack(repository)]


def _only_of_git(repository: Repository) -> list[str]:
    """The option that makes git refuse a plain web server before it asks it for objects: such a one has no depths,
    and git, which notes a clone as partial first, would go wrong with it (see `_become_whole`)."""
    return [_ENDLESS_DEPTH] if {"http", "https"} & set(repository.protocols.split(":")) else []


def upload_pack(repository: Repository) -> list[str]:
    """The option for a repository of this machine that somebody else owns: git is to serve it all the same."""
    if repository.protocols != "file" or "://" in repository.url:
        return []
    quoted = repository.url.replace("'", "'\\''")
    return [f"--upload-pack=git -c 'safe.directory={quoted}' -c 'safe.directory={quoted}/.git' upload-pack"]


def talk(repository: Repository, arguments: Sequence[str], *, cwd: Path | None = None) -> GitResult:
    """Run git where it talks to the owner's repository, in its clone or in `cwd`. Raises what it said as an error."""
    place = [] if cwd is not None else [f"--git-dir={repository.git_dir}"]
    found = run_git(
        [*place, *_SAFE, *origin_of(repository), *arguments],
        cwd=cwd or repository.git_dir,
        check=False,
        environ=silent_environment(repository.protocols),
        foreign=True,
        reads=False,
    )
    if found.code != 0:
        raise transport_failure(repository.url, found)
    return found
