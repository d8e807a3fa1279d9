"""A repository that is not the project's own, read without a checkout: a revision, its trees; `blobs` has the rest.

One on this machine is read where it lies. Another is a bare partial clone in the user's cache (`datatool.git.clones`):
it has every commit and tree, and blobs come when they are asked for, all of one question in one request.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Final

from msgspec import Struct

from datatool.errors import RevisionNotFound, UsageError
from datatool.git.command import GitResult, environment, run_git
from datatool.git.revision import TreeFile
from datatool.git.transport import shown_url
from datatool.model.paths import show

TREE_MODE: Final = 0o040000
"""git's mode of a directory."""
_REV = re.compile(r"[0-9A-Za-z_@][\w./+@~^{}#=%,-]*")
_COMMIT = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
QUIET: Final = ("-c", "gc.auto=0", "-c", "maintenance.auto=false")
"""git does not start to tidy a repository beside the command."""


class Repository(Struct, frozen=True, kw_only=True):
    """Where a repository can be read. `url` is what the user named; `git_dir` where git reads it; `local` is its
    directory if it lies on this machine and is read there; `protocols` are what git may speak to bring blobs, in the
    words of GIT_ALLOW_PROTOCOL; `offline` forbids it to bring any. `promisor` is for this user's own project where that
    is a partial clone: the remote of git's that has what it lacks."""

    url: str
    git_dir: Path
    local: Path | None
    protocols: str = ""
    offline: bool = False
    promisor: str | None = None

    @property
    def shown(self) -> str:
        """What to call it in messages: without user and password."""
        return shown_url(self.url)


def ask_foreign(
    repository: Repository, arguments: Sequence[str | bytes], *, input: bytes | None = None, check: bool = True
) -> GitResult:
    """Run a git command that reads what is here; git brings nothing meanwhile."""
    return run_git(
        [f"--git-dir={os.fspath(repository.git_dir)}", *QUIET, *arguments],
        cwd=repository.git_dir,
        input=input,
        check=check,
        environ=silent_environment(),
        foreign=True,
    )


def origin_of(repository: Repository) -> tuple[str, str]:
    """Where git is to fetch from, as an option: a URL may hold a password, and is written into no configuration."""
    return "-c", f"remote.origin.url={repository.url}"


def silent_environment(protocols: str = "none") -> dict[str, str]:
    """The environment for git in another repository, where it may speak only these protocols."""
    environ = environment(os.environ, foreign=True)
    environ["GIT_ALLOW_PROTOCOL"] = protocols
    environ["GIT_NO_LAZY_FETCH"] = "1"  # where git knows it: an object that is missing starts no git of its own
    return environ


def commit_of(repository: Repository, rev: str) -> str | None:
    """The commit that a revision names in what is here; None if there is none."""
    if not _REV.fullmatch(rev):
        raise UsageError(f"not a revision: {show(rev)}", hint="name a branch, a tag or a commit")
    for name in (rev, rev.removeprefix("origin/")):
        found = ask_foreign(repository, ["rev-parse", "--verify", "--quiet", f"{name}^{{commit}}"], check=False)
        commit = found.out.decode("ascii", "replace").strip()
        if found.code == 0 and _COMMIT.fullmatch(commit) and has_commit(repository, commit):
            return commit
    return None


def has_commit(repository: Repository, commit: str) -> bool:
    """Whether a commit is here: git takes any full id for one that exists."""
    return ask_foreign(repository, ["cat-file", "-e", f"{commit}^{{tree}}"], check=False).code == 0


def commit_time(repository: Repository, commit: str) -> float:
    """When a commit that is here was made, in seconds since 1970, by the clock of who made it."""
    words = ["-c", "log.showSignature=false", "show", "--no-patch", "--format=%ct", commit]
    return float(ask_foreign(repository, words).out)


def no_such_revision(repository: Repository, rev: str) -> RevisionNotFound:
    """The error for a revision that a repository does not have, with the nearest names."""
    found = ask_foreign(repository, ["for-each-ref", "--format=%(refname:short)", "refs/heads", "refs/tags"])
    names = [os.fsdecode(line) for line in found.out.splitlines()]
    near = get_close_matches(rev, names, n=3, cutoff=0.6)
    hint = "did you mean " + ", ".join(show(name) for name in near) + "?" if near else None
    if hint is None and names:
        hint = "it has " + ", ".join(show(name) for name in names[:5]) + (", …" if len(names) > 5 else "")
    return RevisionNotFound(f"{repository.shown}: no revision {show(rev)}", hint=hint)


def promisor_of(repository: Repository) -> str | None:
    """The remote that a partial clone gets from what it lacks; None for a clone that is whole."""
    found = ask_foreign(repository, ["config", "--name-only", "--get-regexp", r"^remote\..*\.promisor$"], check=False)
    names = os.fsdecode(found.out).splitlines()
    return names[0].removeprefix("remote.").removesuffix(".promisor") if names else None


def submodule_urls(repository: Repository, commit: str) -> dict[bytes, str]:
    """Where the submodules of a commit come from, by path, as its `.gitmodules`, which is here, says."""
    words = ["config", "-z", f"--blob={commit}:.gitmodules", "--get-regexp", r"^submodule\..*\.(path|url)$"]
    paths: dict[bytes, bytes] = {}
    urls: dict[bytes, str] = {}
    for field in ask_foreign(repository, words, check=False).fields():
        key, _, value = field.partition(b"\n")
        name, _, word = key.rpartition(b".")
        if word == b"path":
            paths[name] = value
        else:
            urls[name] = os.fsdecode(value)
    return {path: urls[name] for name, path in paths.items() if name in urls}


def tree_entries(repository: Repository, commit: str, paths: Sequence[bytes]) -> dict[bytes, TreeFile]:
    """What lies at exactly these paths of a commit, directories too; paths where nothing lies are left out, and
    directories on the way to others may be added."""
    if not paths:
        return {}
    # With -t, a directory is told of also where a path in it is asked for.
    words = ["--literal-pathspecs", "ls-tree", "-t", "-z", "--full-tree", *_sizes(repository), commit, "--"]
    found = ask_foreign(repository, [*words, *paths])
    return {file.path: file for file in _parsed(found)}


def tree_files(repository: Repository, commit: str, within: bytes = b"") -> list[TreeFile]:
    """Every file, link and submodule of a commit at or below a path, sorted; sizes only where they cost nothing."""
    some = [within] if within else []
    words = ["--literal-pathspecs", "ls-tree", "-r", "-z", "--full-tree", *_sizes(repository), commit, "--"]
    return list(_parsed(ask_foreign(repository, [*words, *some])))


def _sizes(repository: Repository) -> list[str]:
    return ["--long"] if repository.local is not None and repository.promisor is None else []


def _parsed(found: GitResult) -> Iterable[TreeFile]:
    for field in found.fields():
        facts, _, path = field.partition(b"\t")
        words = facts.split()
        size = int(words[3]) if len(words) > 3 and words[3] != b"-" else None
        yield TreeFile(path=path, mode=int(words[0], 8), size=size, blob=words[2].decode("ascii"))
