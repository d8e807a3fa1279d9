"""The blobs of a repository that is not the project's own: brought here where they are not, read, copied, measured."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence

from datatool.errors import GitError, RemoteUnreachable
from datatool.git.command import GitResult, run_git
from datatool.git.fetching import bring_everything, gives_all_or_nothing, is_whole
from datatool.git.repository import QUIET, Repository, ask_foreign, origin_of, silent_environment
from datatool.git.transport import transport_failure


def bring_blobs(repository: Repository, blobs: Iterable[str]) -> None:
    """Have these blobs here: those that are not come in one request, and git asks nobody if all are. Where the server
    gives no single blobs, everything comes.

    Raises RemoteUnreachable, RemoteDenied, GitError.
    """
    wanted = sorted(set(blobs))
    own = repository.promisor is not None
    if not wanted or (repository.local is not None and not own):
        return
    if not own and is_whole(repository) and _are_here(repository, wanted):
        return
    found = _fetch_blobs(repository, wanted)
    if found.code == 0:
        return
    if repository.offline:
        if _are_here(repository, wanted):  # over http git starts its helper, which is forbidden, before it looks
            return
        raise RemoteUnreachable(
            f"{repository.shown}: not everything is here that this needs, and the network is forbidden",
            hint="leave out --offline, unset DATATOOL_OFFLINE",
        )
    failure = transport_failure(repository.url, found)
    if own or not gives_all_or_nothing(failure) or is_whole(repository):
        raise failure
    bring_everything(repository)
    if not _are_here(repository, wanted):
        raise failure


def _fetch_blobs(repository: Repository, wanted: Sequence[str]) -> GitResult:
    own = repository.promisor is not None
    words = ["fetch", "--quiet", "--no-tags", "--no-write-fetch-head", "--recurse-submodules=no"]
    return run_git(
        [
            f"--git-dir={repository.git_dir}",
            *QUIET,
            *([] if own else origin_of(repository)),
            *words,
            "--filter=blob:none",
            "--stdin",
            repository.promisor or "origin",
        ],
        cwd=repository.git_dir,
        input="".join(f"{blob}\n" for blob in wanted).encode("ascii"),
        check=False,
        environ=_fetching(repository),
        foreign=not own,
        reads=False,
    )


def _fetching(repository: Repository) -> Mapping[str, str]:
    """The environment for bringing blobs: the user's own for the own project, else with the protocols of the URL."""
    if repository.offline:
        return silent_environment()
    return os.environ if repository.promisor is not None else silent_environment(repository.protocols)


def _are_here(repository: Repository, blobs: Sequence[str]) -> bool:
    """Whether all blobs are here; nothing is brought."""
    asked = "".join(f"{blob}\n" for blob in blobs).encode("ascii")
    found = ask_foreign(repository, ["cat-file", "--batch-check=%(objecttype)", "--buffer"], input=asked, check=False)
    return found.code == 0 and set(found.out.split(b"\n")) <= {b"blob", b""}


def read_blobs(repository: Repository, blobs: Iterable[str], *, limit: int | None = None) -> Mapping[str, bytes]:
    """The bytes of blobs by id; those above `limit` bytes are left out. For what fits in memory.

    Raises GitError for one that the repository lacks, and what `bring_blobs` raises.
    """
    wanted = sorted(set(blobs))
    bring_blobs(repository, wanted)
    if limit is not None:
        wanted = [blob for blob, size in blob_sizes(repository, wanted).items() if size <= limit]
    if not wanted:
        return {}
    out = ask_foreign(
        repository, ["cat-file", "--batch", "--buffer"], input="".join(f"{blob}\n" for blob in wanted).encode("ascii")
    ).out
    found: dict[str, bytes] = {}
    at = 0
    while at < len(out):
        end = out.index(b"\n", at)
        words = out[at:end].split(b" ")
        if len(words) != 3:
            raise _lacks(repository, words[0].decode("ascii", "replace"))
        size = int(words[2])
        found[words[0].decode("ascii")] = out[end + 1 : end + 1 + size]
        at = end + 2 + size
    return found


def copy_blob(repository: Repository, blob: str, fd: int) -> None:
    """Write one blob that is here into an open file. Raises GitError."""
    run_git(
        [f"--git-dir={os.fspath(repository.git_dir)}", "cat-file", "blob", blob],
        cwd=repository.git_dir,
        environ=silent_environment(),
        foreign=True,
        output=fd,
    )


def blob_sizes(repository: Repository, blobs: Iterable[str]) -> dict[str, int]:
    """The sizes of blobs that are here, in bytes. Raises GitError for one that is not."""
    wanted = "".join(f"{blob}\n" for blob in sorted(set(blobs))).encode("ascii")
    words = ["cat-file", "--batch-check=%(objectname) %(objectsize)", "--buffer"]
    found: dict[str, int] = {}
    for line in ask_foreign(repository, words, input=wanted).out.splitlines():
        blob, _, size = line.decode("ascii", "replace").partition(" ")
        if not size.isdigit():
            raise _lacks(repository, blob)
        found[blob] = int(size)
    return found


def _lacks(repository: Repository, blob: str) -> GitError:
    return GitError(
        f"{repository.shown}: its git repository lacks the object {blob}", hint="git fsck there tells what is damaged"
    )
