"""Other people's repositories: where one lies that is named by a path or a URL, brought here as far as needed.

A path is read where it is. A URL has one bare partial clone in the user's cache, which is fetched incrementally through
the user's own git: credential helpers, ssh configuration, insteadOf and proxies just work. A revision that never
changes, such as a commit or a tag, is asked for once; a branch costs one question.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path
from typing import Final

from datatool.errors import NotFoundError, RemoteUnreachable, UnsafeInput, UsageError
from datatool.git.command import run_git
from datatool.git.fetching import fetch, fetch_commit, lock, talk, upload_pack
from datatool.git.repository import (
    Repository,
    ask_foreign,
    commit_of,
    has_commit,
    no_such_revision,
    silent_environment,
)
from datatool.git.transport import shown_url
from datatool.localfs.atomic import make_dirs, rename, write_file
from datatool.localfs.removal import remove_tree
from datatool.localfs.temps import temp_name
from datatool.model.settings import Durability

_URL = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://(.*)", re.DOTALL)
_SCP = re.compile(r"(?:[^/@:]+@)?(\[[^]/]+\]|[^/:\[]{2,}):(?!//)(.*)", re.DOTALL)
_HELPER = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*::")
_OPTION = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://(?:[^/@]*@)?-|[^/:]*@-|-")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]|%0[0ad]", re.IGNORECASE)
_HEX = re.compile(r"[0-9a-f]{4,64}")
_FULL = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
_SPOKEN: Final = frozenset({"https", "http", "ssh", "git", "file"})
_CACHEDIR_TAG: Final = (
    b"Signature: 8a477f597d28d172789f06886806bc55\n# Other people's git repositories, kept by datatool.\n"
)


def is_repository_url(where: str) -> bool:
    """Whether a text names a repository by URL, `host:path` included; else it is a path.

    >>> is_repository_url("git@example.com:team/songs.git"), is_repository_url("../songs"), is_repository_url("C:\\\\x")
    (True, False, False)
    """
    if _URL.fullmatch(where):
        return True
    match = _SCP.fullmatch(where)
    drive = re.match(r"[A-Za-z]:[\\/]", where)
    return match is not None and drive is None and not os.path.exists(where)


def local_directory(where: str, base: Path) -> Path | None:
    """The directory that a path or a `file://` URL names, resolved against `base`; None for another URL."""
    match = _URL.fullmatch(where)
    if match is not None:
        if match[1].lower() != "file":
            return None
        path = re.sub(r"%([0-9A-Fa-f]{2})", lambda m: chr(int(m[1], 16)), match[2]).removeprefix("localhost")
        return Path(path)
    if is_repository_url(where):
        return None
    return Path(os.path.normpath(base / os.path.expanduser(where)))


def find_repository(where: str, *, base: Path, clones: Path, offline: bool) -> Repository:
    """The repository that a path (from `base`) or a URL names; nothing is asked over the network yet.

    `clones` is the directory of the clones. Raises UsageError, UnsafeInput, NotFoundError, GitError.
    """
    if not where:
        raise UsageError("the repository is empty", hint="name a directory, or a URL that git understands")
    if _CONTROL.search(where):
        raise UnsafeInput(f"{shown_url(where)}: control characters in a URL")
    if _HELPER.match(where) or where.startswith("-"):
        raise UnsafeInput(
            f"{shown_url(where)}: no URL of a repository", hint="name a directory, or a URL such as https://"
        )
    if _OPTION.match(where):
        raise UnsafeInput(f"{shown_url(where)}: a host or user that starts with a dash", hint="check the URL")
    directory = local_directory(where, base)
    if directory is not None:
        return _on_this_machine(where, directory, clones, offline)
    match = _URL.fullmatch(where)
    scheme = match[1].lower() if match is not None else "ssh"
    if scheme.removeprefix("git+") not in _SPOKEN:
        raise UsageError(
            f"{shown_url(where)}: git repositories are not found by {scheme}://",
            hint="datatool get-url reads storage such as s3://" if match is not None else None,
        )
    protocols = {scheme.removeprefix("git+"), *_rewritten(where)}
    return Repository(
        url=where,
        git_dir=clones / sha256(where.encode("utf-8", "surrogateescape")).hexdigest()[:40],
        local=None,
        protocols=":".join(sorted(protocols)),
        offline=offline,
    )


def _on_this_machine(where: str, directory: Path, clones: Path, offline: bool) -> Repository:
    if not directory.is_dir():
        raise NotFoundError(f"{shown_url(where)}: no such directory", hint="check the path", path=where)
    git_dir = next((path for path in (directory / ".git", directory) if _looks_bare(path)), None)
    found = run_git(
        [*([] if git_dir is None else [f"--git-dir={os.fspath(git_dir)}"]), "rev-parse", "--absolute-git-dir"],
        cwd=directory,
        check=False,
        environ=silent_environment(),
        foreign=True,
    )
    if found.code == 0 and (git_dir is not None or _is_top(directory)):
        return Repository(
            url=where, git_dir=Path(os.fsdecode(found.out.rstrip(b"\n"))), local=directory, offline=offline
        )
    if b"dubious ownership" in found.err or b"unsafe repository" in found.err:
        # Nothing of it is run: it is cloned through upload-pack, which git keeps safe for that.
        name = sha256(os.fsencode(os.path.realpath(directory))).hexdigest()[:40]
        return Repository(
            url=os.fspath(directory), git_dir=clones / name, local=None, protocols="file", offline=offline
        )
    raise NotFoundError(
        f"{shown_url(where)}: no git repository",
        hint="name the top directory of one" if found.code == 0 else "check the path",
        path=where,
    )


def _is_top(directory: Path) -> bool:
    return os.path.lexists(directory / ".git")


def _looks_bare(path: Path) -> bool:
    return (path / "HEAD").is_file() and (path / "objects").is_dir()


def _rewritten(url: str) -> set[str]:
    """The protocol that the user's own `insteadOf` makes of a URL."""
    found = run_git(["ls-remote", "--get-url", "--", url], cwd=Path.cwd(), check=False, foreign=True)
    match = _URL.fullmatch(os.fsdecode(found.out.rstrip(b"\n")))
    if found.code != 0 or found.out.rstrip(b"\n") == os.fsencode(url):
        return set()
    return {match[1].lower()} if match is not None else {"file", "ssh"}


def resolve_commit(repository: Repository, rev: str | None) -> str:
    """The full commit id of a revision (the default branch's without one), which is here afterwards.

    Raises RevisionNotFound, and for what has to be asked RemoteUnreachable, RemoteDenied, NotFoundError, GitError.
    """
    if repository.local is None:
        known = _unchanging(repository, rev) if rev is not None else None
        if known is not None:
            return known
        if not repository.offline:
            _bring_up_to_date(repository, rev)
        elif not repository.git_dir.exists():
            raise RemoteUnreachable(
                f"{repository.shown}: not contacted: offline, and never read before",
                hint="leave out --offline, unset DATATOOL_OFFLINE",
            )
    commit = commit_of(repository, rev or "HEAD")
    if commit is not None:
        return commit
    if rev is None:
        raise NotFoundError(
            f"{repository.shown}: has no commits, or no default branch", hint="name a branch with --rev"
        )
    raise no_such_revision(repository, rev)


def tip_of(repository: Repository, rev: str | None) -> str | None:
    """The commit that a branch, tag or the default branch names at its owner's now: one question, nothing is brought.

    None for a revision that only the history can tell, such as a short commit id.
    """
    if repository.local is not None:
        return commit_of(repository, rev or "HEAD")
    if rev is not None and _FULL.fullmatch(rev):
        return rev
    refs, _ = _refs_of(repository)
    if rev is None:
        return refs.get("HEAD")
    short = rev.removeprefix("origin/")
    places = (f"refs/tags/{rev}^{{}}", f"refs/tags/{rev}", f"refs/heads/{short}", rev)
    return next((refs[place] for place in places if place in refs), None)


def _unchanging(repository: Repository, rev: str) -> str | None:
    """The commit of a tag or a commit id that is here already."""
    if not repository.git_dir.exists():
        return None
    if _HEX.fullmatch(rev):
        branch = ask_foreign(repository, ["rev-parse", "--verify", "--quiet", f"refs/heads/{rev}"], check=False)
        return commit_of(repository, rev) if branch.code != 0 else None
    tag = ask_foreign(repository, ["rev-parse", "--verify", "--quiet", f"refs/tags/{rev}^{{commit}}"], check=False)
    return commit_of(repository, f"refs/tags/{rev}") if tag.code == 0 else None


def _bring_up_to_date(repository: Repository, rev: str | None) -> None:
    refs, head = _refs_of(repository)
    with lock(repository):
        _prepare(repository)
        if _differs(repository, refs):
            fetch(repository)
        if head:
            ask_foreign(repository, ["symbolic-ref", "HEAD", head])
        if rev is not None and _FULL.fullmatch(rev) and not has_commit(repository, rev):
            fetch_commit(repository, rev)


def _refs_of(repository: Repository) -> tuple[Mapping[str, str], str]:
    """What the owner's repository names now: ids by ref, peeled ones as `ref^{}`; and the default branch."""
    make_dirs(repository.git_dir.parent)
    found = talk(repository, ["ls-remote", "--symref", *upload_pack(repository), "--", repository.url], cwd=Path.cwd())
    refs: dict[str, str] = {}
    head = ""
    for line in os.fsdecode(found.out).splitlines():
        left, _, name = line.partition("\t")
        if left.startswith("ref: "):
            head = left.removeprefix("ref: ") if name == "HEAD" else head
        else:
            refs[name] = left
    return refs, head


def _differs(repository: Repository, refs: Mapping[str, str]) -> bool:
    words = ["for-each-ref", "--format=%(objectname) %(refname)", "refs/heads", "refs/tags"]
    lines = os.fsdecode(ask_foreign(repository, words).out).splitlines()
    here = {name: id for id, _, name in (line.partition(" ") for line in lines)}
    there = {
        name: id for name, id in refs.items() if name.startswith(("refs/heads/", "refs/tags/")) and "^" not in name
    }
    return here != there


def _prepare(repository: Repository) -> None:
    if repository.git_dir.exists():
        return
    top = repository.git_dir.parent
    if not (top / "CACHEDIR.TAG").exists():
        write_file(top / "CACHEDIR.TAG", _CACHEDIR_TAG, durability=Durability.NONE)
    made = top / os.fsdecode(temp_name())
    try:
        run_git(["init", "--quiet", "--bare", "--", os.fspath(made)], cwd=top, foreign=True, reads=False)
        run_git([f"--git-dir={made}", "config", "core.fsync", "all"], cwd=made, foreign=True, reads=False)
        rename(made, repository.git_dir)
    finally:
        if made.exists():
            remove_tree(made)
